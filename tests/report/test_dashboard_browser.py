"""The dashboard in a real browser, the distribution's Chromium: opened from disk, and following a run."""

import itertools
import json
import re
import shutil
import threading

import pytest

from lit_vision.report.dashboard import server
from lit_vision.report.dashboard.site import Site
from tests.report import dashboard_runs as made

# Controls and pictures that a screen reader could not name.
UNNAMED = """
  [...document.querySelectorAll('select, input, button, main img, [role=img]')]
    .filter((part) => !part.labels?.length && !part.ariaLabel && !part.alt && !part.hasAttribute('aria-labelledby'))
    .filter((part) => !part.textContent.trim())
    .map((part) => part.outerHTML)
"""
LAST = "digits, lr 1, weight_decay 0.0001, seed 1, trial 5"
DEAD_LINKS = """
  [...document.querySelectorAll('a[href^="#"]')]
    .map((link) => link.hash)
    .filter((hash) => !document.querySelector(hash))
"""


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = made.project(tmp_path_factory.mktemp("browser") / "runs")
    Site([root]).write()
    return root


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    if not (shutil.which("chromium") and shutil.which("chromedriver")):
        pytest.skip("chromium or chromedriver is missing; .ci/run installs Debian's chromium and chromium-driver")
    from tests.report.dashboard_browser import Browser

    found = Browser(tmp_path_factory.mktemp("profile"))
    yield found
    found.driver.quit()


@pytest.fixture
def detector(root):
    return next(root.rglob("*-cccc"))


@pytest.fixture
def classifier(root):
    return next(root.rglob("*080001-aaaa"))


@pytest.fixture
def overfitted(root):
    return next(root.rglob("*-bbbb"))


@pytest.mark.parametrize(("which", "figures"), [("root", 2), ("detector", 12), ("classifier", 8)])
@pytest.mark.parametrize(("width", "dark"), [(1280, False), (400, True)])
def test_every_page_draws_without_errors_and_fits(browser, request, which, figures, width, dark):
    browser.open(request.getfixturevalue(which), width, dark)
    assert browser.draw_all() == figures
    assert browser.errors() == []
    assert browser.js("document.documentElement.scrollWidth") <= width
    assert browser.js(
        "[...document.images].filter(i => i.closest('main')).every(i => i.complete && i.naturalWidth > 0)"
    )


def test_dark_mode_changes_the_page_and_its_figures(browser, detector):
    found = []
    for dark in (False, True):
        browser.open(detector, dark=dark)
        browser.until("document.querySelector('#figure-curve-ap .main-svg')")
        page = browser.js("getComputedStyle(document.body).backgroundColor")
        found.append((page, browser.js("document.querySelector('#figure-curve-ap .plot').layout.font.color")))
    assert found == [("rgb(250, 250, 248)", "#1d2126"), ("rgb(19, 21, 24)", "#e5e7ea")]


@pytest.mark.parametrize("which", ["root", "detector"])
def test_pages_have_names_and_an_order(browser, request, which):
    browser.open(request.getfixturevalue(which))
    assert browser.js("document.documentElement.lang") == "en"
    assert browser.js("document.querySelectorAll('main, h1').length") == 2
    levels = browser.js("[...document.querySelectorAll('h1, h2, h3, h4')].map((head) => +head.tagName[1])")
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))
    assert browser.js(UNNAMED) == []
    assert browser.js(DEAD_LINKS) == []
    ids = browser.js("[...document.querySelectorAll('[id]')].map((part) => part.id)")
    assert len(ids) == len(set(ids))


def test_filters(browser, root):
    browser.open(root)
    assert browser.text("#count") == "11 runs"
    browser.choose("#filter-recipe", "resnet/cifar10")
    assert browser.text("#count") == "4 of 11 runs"
    assert browser.js("document.querySelector('#sweeps [data-group]').hidden"), "the sweep is of another recipe"
    assert browser.js("[...document.querySelectorAll('#filter-row option')].map(o => o.value)") == [
        "",
        "resnet-20",
        "resnet-32",
    ]
    browser.choose("#filter-row", "resnet-20")
    assert browser.rows("run-table") == ["resnet-20, seed 1", "resnet-20, seed 2", "resnet-20, seed 3"]
    browser.click("#filters button")
    browser.until("document.querySelector('#count').textContent === '11 runs'")
    browser.choose("#filter-tag", "Table 6, ResNet-32")
    assert browser.rows("run-table") == ["resnet-32, seed 1"]
    browser.choose("#filter-tag", "sweep digits-rates")
    browser.choose("#filter-status", "stopped")
    assert browser.rows("run-table") == [LAST]
    browser.click("#filters button")
    browser.until("document.querySelector('#count').textContent === '11 runs'")
    browser.choose("#filter-text", "SEED 3")
    assert browser.rows("run-table") == ["resnet-20, seed 3"]
    assert browser.errors() == []


def test_filters_survive_a_reload_and_can_be_sent_to_others(browser, root):
    browser.open(root)
    browser.choose("#filter-recipe", "resnet/cifar10")
    browser.choose("#filter-text", "seed 3")
    address = browser.js("location.href")
    assert address.endswith("/index.html?recipe=resnet%2Fcifar10&text=seed+3")
    for again in (lambda: browser.driver.refresh(), lambda: browser.open(address)):
        again()
        assert browser.text("#count") == "1 of 11 runs"
        assert browser.rows("run-table") == ["resnet-20, seed 3"]
        assert browser.js("document.querySelector('#filter-recipe').value") == "resnet/cifar10"
    browser.click("#filters button")
    browser.until("document.querySelector('#count').textContent === '11 runs'")
    assert browser.js("location.search") == ""
    browser.open(root.joinpath("index.html").as_uri() + "?recipe=nowhere&__proto__=x&elements=y")
    assert browser.text("#count") == "0 of 11 runs"
    assert browser.errors() == []


def test_pages_without_the_drawing_library_say_so(browser, root, detector, tmp_path):
    shutil.copy(detector / "index.html", tmp_path)
    browser.open(tmp_path)
    assert "There are no figures without ../../../../plotly-" in browser.text("#no-library")
    assert "unseen" in browser.text("#answers")
    browser.errors()
    browser.open(detector)
    assert browser.js("document.querySelector('#no-library').hidden")
    assert browser.errors() == []


def test_sorting_and_ticking_decide_what_is_drawn(browser, root):
    browser.open(root)
    browser.click("#run-table th:nth-child(6) button")
    assert browser.rows("run-table")[0] == "digits, lr 0.01, weight_decay 0.001, seed 1, trial 0"
    assert browser.rows("run-table")[-1] == LAST, "without a value"
    browser.click("#run-table th:nth-child(6) button")
    assert browser.rows("run-table")[0] == "digit scenes, seed 1"
    assert browser.js("document.querySelector('#run-table th:nth-child(6)').ariaSort") == "descending"
    browser.click("tr[data-run*=bbbb] [data-draw]")
    browser.choose("#overlay-name", "loss")
    browser.js("document.querySelector('#figure-overlay').scrollIntoView()")
    browser.until("document.querySelector('#figure-overlay .main-svg')")
    names = browser.js("document.querySelector('#figure-overlay .plot').data.map((trace) => trace.name)")
    assert names[:2] == ["resnet-32, seed 1", "resnet-32, seed 1"], "validation and training"
    assert re.search(r"resnet-32, seed 1: best [\d.]+ at step 200", browser.text("#note-overlay"))


def test_pictures_enlarge_by_keyboard_alone(browser, detector):
    from selenium.webdriver import Keys

    browser.open(detector)
    browser.js("document.querySelector('#picture-1').focus()")
    browser.press(Keys.ENTER)
    shown = "document.querySelector('#viewer[open] p')?.textContent"
    assert browser.until(shown).startswith("1 of 5. Image 0000.jpg")
    browser.press(Keys.ARROW_RIGHT)
    assert browser.until(shown).startswith("2 of 5.")
    browser.press(Keys.ARROW_LEFT, Keys.ARROW_LEFT)
    assert browser.until(shown).startswith("5 of 5.")
    assert browser.js("document.querySelector('#viewer img').naturalWidth") == 320
    browser.press(Keys.ESCAPE)
    browser.until("!document.querySelector('#viewer').open")
    assert browser.js("document.activeElement.id") == "picture-5"


def test_the_tab_key_reaches_links_filters_and_sorting(browser, root):
    from selenium.webdriver import Keys

    browser.open(root)
    reached = []
    for _ in range(16):
        browser.press(Keys.TAB)
        reached.append(
            browser.js("document.activeElement.id || document.activeElement.className || document.activeElement.hash")
        )
    assert reached[:2] == ["skip", "#glance"]
    assert {"filter-recipe", "filter-row", "filter-tag", "filter-status", "filter-text"} <= set(reached)
    browser.js("document.querySelector('#paper-2 th button').focus()")
    browser.press(Keys.ENTER)
    assert browser.js("document.querySelector('#paper-2 th').ariaSort") == "ascending"


def test_menus_choose_among_figures(browser, detector):
    browser.open(detector)
    browser.draw_all()
    browser.choose("#menu-errors", "3")
    assert browser.text("#note-errors").startswith(
        "Points of AP50 that fixing each kind gives back, dog: unseen 11 (17)"
    )
    assert browser.js("document.querySelector('#figure-errors .plot').data[0].y[0]") == "unseen"
    browser.choose("#menu-pr", "2")
    assert browser.text("#note-pr") == "Precision by recall at IoU 0.5, dog: mean precision 74.8 %."


def test_hostile_names_stay_names(browser, tmp_path):
    evil = "</script><img src=x onerror=alert(1)><b>%{x}"
    figures = {"test/error": 1.0}
    state = {"recipe": evil, "row": evil, "sweep": {"name": evil, "trial": 1, "parameters": {evil: evil}}}
    diagnosis = made.classification_diagnosis() | {"class_names": [evil, "dog", "horse", "sheep"]}
    folder = made.write(
        tmp_path / "r" / evil.replace("/", "_"),
        made.result(evil, evil, 1.0, figures=figures),
        state,
        {},
        made.learning(),
        diagnosis,
    )
    Site([tmp_path / "r"]).write()
    for place in (tmp_path / "r", folder):
        browser.open(place)
        browser.draw_all()
        assert browser.js("document.querySelectorAll('img[src=x], b').length") == 0
        assert browser.errors() == []


def test_ten_questions(browser, root, detector, overfitted, classifier):
    """`docs/dashboard-questions.md`, question by question."""
    browser.open(root)
    assert (
        "resnet-32 of resnet/cifar10: test/error 10.00 against 7.51 (+2.49, 5 times its tolerance), missed (worse)"
        in browser.text("#answer-missed")
    )  # 1
    browser.click("#paper-2 th:nth-child(5) button")
    browser.click("#paper-2 th:nth-child(5) button")
    assert browser.rows("paper-2")[0] == "resnet-32"
    assert "0 of 1 decided claims hold; not depth-helps-20-32" in browser.text("#answer-relations")  # 2
    assert "does not hold" in browser.text("#relation-list")
    best = "Best is trial 4 with model.optimizer.lr 0.1, model.optimizer.weight_decay 0.0001: val/error 1.00"
    assert best in browser.text("#answer-sweep-4")  # 3
    assert "No difference shown between it and 4 other(s)" in browser.text("#answer-sweep-4")
    assert "of 200 test images, exact McNemar p 0.12, Holm-corrected 0.5" in browser.text("#answer-sweep-4")
    assert browser.text("#effects-1 tbody tr.best") == "model.optimizer.lr 0.1 2 1.50 1.00"
    browser.choose("#filter-status", "stopped")  # 10
    assert f"1: {LAST} at step 200 of 400: stopped, last sign of life 2026-11-24 " in browser.text("#answer-unfinished")
    assert browser.rows("run-table") == [LAST]
    browser.open(overfitted)
    assert "Overfits from step 200 on: val/error was best at step 200" in browser.text("#answer-overfit")  # 4
    assert browser.draw_all()
    assert browser.js("document.querySelector('#figure-curve-loss .plot').data.map(t => t.name)")[:2] == [
        "train",
        "val",
    ]
    assert browser.js("document.querySelector('#figure-curve-loss .plot').data[2].x") == [200]
    assert "50 % of the training time, 4 s in all" in browser.text("#answer-wait")  # 5
    assert "rank0: median 50" in browser.text("#note-speed-wait")
    browser.open(detector)
    assert browser.text("#class-table tbody tr") == "dog 30 22.25 40.40 unseen (11)"  # 6
    assert browser.text("#pictures li p") == "F1 0.00: 5 wrong, 2 missed"  # 7
    assert "unseen 8.4 (17)" in browser.text("#note-errors")  # 8
    assert "15 points surer than right" in browser.text("#note-calibration")  # 9
    browser.open(classifier)
    assert browser.text("#pictures li p") == "cat taken for dog, score 0.99"  # 7, for classifiers
    assert browser.rows("class-table")[0] == "cat"


def test_a_served_page_follows_the_run_and_keeps_its_state(browser, tmp_path, monkeypatch):
    monkeypatch.setattr(server, "SECONDS", 1)
    made.sweep(tmp_path / "runs", 3)
    (running,) = (tmp_path / "runs").rglob("*-002")
    serving = server.Server(Site([tmp_path / "runs"]), "127.0.0.1", 0)
    thread = threading.Thread(target=serving.serve_forever, args=(0.02,))
    thread.start()
    try:
        browser.open(serving.url)
        browser.choose("#filter-status", "stopped")
        browser.click("tr[data-run$='002'] [data-draw]")
        browser.click("#run-table th:nth-child(9) button")
        browser.js("document.querySelector('#overlay-name').focus()")
        assert "at step 200" in browser.text("#answer-unfinished")
        with (running / "metrics.jsonl").open("a") as file:
            file.write(json.dumps({"step": 320, "time": 0.0, "train/error": 1.0, "train/loss": 0.1}) + "\n")
        browser.until("document.querySelector('#answer-unfinished').textContent.includes('at step 320')")
        assert browser.js("document.querySelector('#filter-status').value") == "stopped"
        assert browser.rows("run-table") == ["digits, lr 1, weight_decay 0.001, seed 1, trial 2"]
        assert browser.js("document.querySelector(\"tr[data-run$='002'] [data-draw]\").checked")
        assert browser.js("document.querySelector('#run-table th:nth-child(9)').ariaSort") == "ascending"
        assert browser.js("document.activeElement.id") == "overlay-name"
        browser.open(f"{serving.url}{running.relative_to(tmp_path / 'runs').as_posix()}/")
        browser.js("document.querySelector('#yaml').open = true")
        (running / "result.json").write_text(
            json.dumps(made.result("quickstart/digits", "digits", 1.2, 1, 1.5, "reproduced"))
        )
        browser.until("document.querySelector('h1').textContent.includes('reproduced')")
        assert browser.js("document.querySelector('#yaml').open")
        assert browser.errors() == []
    finally:
        serving.shutdown()
        thread.join()
        serving.server_close()
