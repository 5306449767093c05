"""The dashboard's pages as text: what they say, what they hold, what they refuse."""

import json
import os
import random
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image
from plotly import offline

from lit_vision import cli
from lit_vision.errors import InputError
from lit_vision.report import collect
from lit_vision.report.dashboard import learning, misses, pictures, points, render, run_page, speed, summary, sweeps
from lit_vision.report.dashboard.site import Site
from tests.report import dashboard_runs as made

HOSTILE = "</script><img src=x onerror=alert(1)>&\u2028'\""


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A project whose pages are written."""
    root = made.project(tmp_path_factory.mktemp("project") / "runs")
    Site([root]).write()
    return root


def page(folder):
    return (folder / "index.html").read_text()


def data(html):
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', html, re.S)[1])


def test_thinning_keeps_ends_and_extremes():
    values = [0.0] * 1000
    values[333], values[700] = 9.0, -9.0
    steps, thinned = points.thin(list(range(1000)), values, 20)
    assert len(steps) <= 20
    assert (steps[0], steps[-1]) == (0, 999)
    assert dict(zip(steps, thinned, strict=True))[333] == 9.0
    assert min(thinned) == -9.0
    assert steps == sorted(steps)


def test_short_curves_stay_and_nan_is_left_out():
    assert points.thin([1, 2, 3], [1.0, float("nan"), 1 / 3], 20) == ([1, 3], [1.0, 0.33333])


def test_best_step_and_overfitting(tmp_path):
    """Loss and error are told together, and by no other sentence of the page."""
    run = collect.read(made.overfitted(tmp_path))
    curves = learning.all_curves(run)
    found = learning.best(curves, "loss")
    assert (found.step, found.last_step, found.passes, found.overfits) == (200, 400, 4, True)
    told = learning.in_words(learning.watched(run, curves))
    assert told.startswith("Overfits from step 200 on: val/error was best at step 200 (")
    assert re.search(r"; val/loss was best at step 200 \([\d.]+\) and [\d.]+ at the end, [\d+.e]+ % worse, while", told)
    notes = [figure["text"] for figure in learning.learning_figures(run, curves).values()]
    assert not any("verfit" in note for note in notes)


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ([3.0, 2.0, 1.0], "No overfitting seen: val/loss was best at step 2 (1), its last validation."),
        ([3.0, 1.0], "val/loss was best at step 1 (1); 2 validation passes are too few to tell whether it overfits."),
        (
            [3.0, 1.0, 1.04],
            "No clear overfitting: val/loss was best at step 1 (1) and 1.04 at the end, 4 % worse.",
        ),
        (  # a first fall from 50 does not hide that it rises by 44 %
            [50.0, 1.0, 1.2, 1.44],
            "Overfits from step 1 on: val/loss was best at step 1 (1) and 1.44 at the end, 44 % worse, "
            "while training improved.",
        ),
        (  # the same rise within the curve's own noise
            [50.0, 1.0, 2.0, 1.1, 1.9, 1.05, 1.95, 1.44],
            "No clear overfitting: val/loss was best at step 1 (1) and 1.44 at the end, 44 % worse.",
        ),
        ([], "No validation was logged, so overfitting cannot be seen."),
    ],
)
def test_overfitting_is_judged_against_the_best_value_and_its_noise(values, text):
    curves = {
        "val/loss": (list(range(len(values))), values),
        "train/loss": (list(range(9)), [9.0 - n for n in range(9)]),
    }
    found = learning.best(curves if values else {}, "loss")
    assert learning.in_words([found] if found else []) == text


def test_noise_is_what_a_steady_rise_leaves():
    assert learning.noise([1.0, 2.0, 3.0, 4.0, 5.0, 6.0]) == 0.0
    random.seed(1)
    assert learning.noise([step + random.gauss(0, 0.5) for step in range(2000)]) == pytest.approx(0.5, rel=0.1)


def test_an_error_that_overfits_where_the_loss_does_not():
    curves = {
        "val/loss": ([0, 1, 2, 3], [3.0, 2.0, 1.5, 1.2]),
        "val/error": ([0, 1, 2, 3], [30.0, 10.0, 12.0, 15.0]),
        "train/loss": ([0, 1, 2, 3], [3.0, 2.0, 1.0, 0.5]),
    }
    found = sorted((learning.best(curves, name) for name in ("error", "loss")), key=lambda item: not item.overfits)
    assert learning.in_words(found) == (
        "Overfits from step 1 on: val/error was best at step 1 (10) and 15 at the end, 50 % worse, while training "
        "improved. val/loss does not show it: val/loss was best at step 3 (1.2), its last validation."
    )


def test_worse_validation_alone_is_no_overfitting():
    """Where training gets worse too, the run diverges."""
    curves = {"val/loss": ([0, 1, 2], [3.0, 1.0, 3.0]), "train/loss": ([0, 1, 2], [3.0, 1.0, 5.0])}
    assert not learning.best(curves, "loss").overfits


def test_share_of_waiting(tmp_path):
    """64 images a step at 3,200 a second take 20 ms; 10 ms of waiting are half of them."""
    run = collect.read(made.overfitted(tmp_path))
    curves = learning.all_curves(run)
    found = speed.of_run(run, curves)
    assert (found.images_per_s, found.wait_share, found.wait_s) == pytest.approx((3200, 50.0, 4.0))
    assert found.memory_mib == 801
    assert summary.waiting(run, curves) == "50 % of the training time, 4 s in all, at 3,200 images/s."


def test_several_ranks_share_the_batch(tmp_path):
    lines = [
        {"step": step, "time": 0.0}
        | {f"rank{rank}/images_per_s": 1600.0 for rank in range(2)}
        | {f"rank{rank}/data_wait_s": 0.005 * rank for rank in range(2)}
        for step in (20, 40)
    ]
    run = collect.read(made.write(tmp_path / "r", made.result("r", "row", 1.0), lines=lines))
    curves = learning.all_curves(run)
    assert {rank: share for rank, (_, share) in speed.wait_shares(run, curves).items()} == {
        "rank0": [0.0, 0.0],
        "rank1": [25.0, 25.0],
    }
    assert speed.of_run(run, curves).images_per_s == 3200


def test_the_best_trial_is_best_by_the_sweep_s_own_metric(tmp_path):
    """The test set would choose trial 0."""
    made.sweep(tmp_path)
    (found,) = sweeps.of_runs(collect.find([tmp_path]))
    assert (found.metric, found.lower) == ("val/error", True)
    assert [trial.number for trial in found.trials] == [4, 1, 0, 2, 3, 5]
    assert sweeps.in_words(found) == (
        "Best is trial 4 with model.optimizer.lr 0.1, model.optimizer.weight_decay 0.0001: val/error 1.00; "
        "the worst, trial 3 with model.optimizer.lr 0.01, reached 3.00. "
        "No difference shown between it and 4 other(s) (clearest against trial 0: it is alone right on 0, the other "
        "on 4 of 200 test images, exact McNemar p 0.12, Holm-corrected 0.5)."
    )
    effects = [(effect.value, effect.trials, effect.mean, effect.is_best) for effect in found.effects(found.varied[0])]
    assert effects == [("0.1", 2, 1.5, True), ("0.01", 2, 3.0, False), ("1", 1, 3.0, False)]


def trial(root, number, value, right, seed=None, **state):
    """A finished trial of `s` with a last validation and so many of 100 test images right."""
    parameters = {"lr": number % 3} | ({"seed_everything": seed} if seed else {})
    sweep = {"name": "s", "trial": number, "parameters": parameters, "metric": "val/ap", "goal": "maximize"} | state
    lines = [{"step": 1, "time": 1.0, "val/ap": 99.0}, {"step": 2, "time": 1.0, "val/ap": value}]
    folder = made.write(root / str(number), made.result("r", "", 1.0), {"sweep": sweep}, {}, lines)
    images = [{"image": n, "truth": 1, "predicted": int(n < right), "score": 0.9} for n in range(100)]
    (folder / "per_image.jsonl").write_text("".join(json.dumps(line) + "\n" for line in images))


def test_a_difference_that_chance_does_not_explain_is_said(tmp_path):
    for number, (value, right) in enumerate(((5.0, 80), (6.0, 95), (6.0, 93))):
        trial(tmp_path, number, value, right)
    (found,) = sweeps.of_runs(collect.find([tmp_path]))
    assert sweeps.in_words(found) == (
        "Best is trial 1 with lr 1: val/ap 6.00; the worst, trial 0 with lr 0, reached 5.00. "
        "It shares that value with trial 2: the lower number goes first. "
        "It differs from trial 0, from 1 more no difference is shown (clearest against trial 0: it is alone right on "
        "15, the other on 0 of 100 test images, exact McNemar p 6.1e-05, Holm-corrected 0.00012)."
    )


def test_repeated_settings_are_ranked_by_their_mean_as_sweep_best_does(tmp_path):
    for number, value in enumerate((9.0, 7.0, 5.0, 1.0, 7.0, 5.0)):
        trial(tmp_path, number, value, 90, seed=1 + number // 3)
    (found,) = sweeps.of_runs(collect.find([tmp_path]))
    assert [one.number for one in found.trials] == [1, 4, 0, 3, 2, 5]
    assert "Best is trial 1 with lr 1, seed_everything 1: val/ap 7.00 (mean of 2 seeds 7.00)" in sweeps.in_words(found)


def test_without_a_validation_no_trial_is_called_best(tmp_path):
    for number in range(2):
        state = {"sweep": {"name": "s", "trial": f"w{number}", "parameters": {"lr": number}}}
        lines = [{"step": 1, "time": 1.0, "test/error": 1.0 + number}]
        made.write(tmp_path / str(number), made.result("r", "", 1.0 + number), state, {}, lines)
    (found,) = sweeps.of_runs(collect.find([tmp_path]))
    assert found.finished == []
    assert sweeps.in_words(found) == (
        "No trial has logged val/error, so none is called best; the test set chooses none."
    )


def test_axes_space_wide_ranges_by_logarithm(tmp_path):
    made.sweep(tmp_path)
    rate, decay, error = sweeps.axes(sweeps.of_runs(collect.find([tmp_path]))[0])
    assert rate["ticks"] == [[0.0, "0.01"], [0.5, "0.1"], [1.0, "1"]]
    assert rate["at"] == [0.5, 0.5, 0.0, 1.0, 0.0]
    assert decay["ticks"] == [[0.0, "0.0001"], [1.0, "0.001"]]
    assert error["at"] == [0.0, 0.5, 1.0, 1.0, 1.0]


def test_axis_of_names_and_of_many_values():
    assert sweeps._axis("backbone", ["b", None, "a", True])["ticks"] == [[0.0, "a"], [0.5, "b"], [1.0, "true"]]
    assert len(sweeps._axis("x", [float(n) for n in range(100)])["ticks"]) <= 15


def test_errors_dearest_first(project):
    errors = made.detection_diagnosis()["errors"]["all"]
    assert misses.by_cost(errors)[0] == ("unseen", 8.4, 17)
    assert misses.confusions(made.classification_diagnosis())[0] == ("cat", "dog", 5)


def test_gallery_keeps_to_the_run_s_folder(tmp_path):
    folder = made.write(tmp_path / "run", made.result("r", "row", 1.0))
    made.draw(folder / "diagnosis", ["good.jpg"])
    made.draw(tmp_path / "elsewhere", ["secret.jpg"])
    (folder / "diagnosis" / "link.jpg").symlink_to(tmp_path / "elsewhere" / "secret.jpg")
    (folder / "diagnosis" / "bad.jpg").write_bytes(b"no picture")
    names = [
        "../elsewhere/secret.jpg",
        str(tmp_path / "elsewhere/secret.jpg"),
        "diagnosis/link.jpg",
        "diagnosis/bad.jpg",
    ]
    worst = [
        {"name": name, "f1": 0.0, "wrong": 1, "missed": 1, "picture": name} for name in [*names, "diagnosis/good.jpg"]
    ]
    (folder / "diagnosis.json").write_text(json.dumps({"worst": worst}))
    (found,) = pictures.of_run(collect.read(folder))
    assert found.text == "Image diagnosis/good.jpg, ground truth beside prediction: F1 0.00: 1 wrong, 1 missed"


def test_a_page_with_the_most_and_largest_pictures_stays_below_5_mb(tmp_path):
    folder = made.write(tmp_path / "run", made.result("r", "row", 1.0))
    (folder / "diagnosis").mkdir()
    noise = Image.frombytes("RGB", (900, 500), random.Random(0).randbytes(900 * 500 * 3))
    noise.save(folder / "diagnosis" / "p.jpg", quality=95)
    worst = [{"name": n, "f1": 0.0, "wrong": 1, "missed": 1, "picture": "diagnosis/p.jpg"} for n in range(60)]
    (folder / "diagnosis.json").write_text(json.dumps({"worst": worst}))
    Site([folder]).write()
    html = page(folder)
    assert 4 <= html.count('<img src="data:image/jpeg') <= 40
    assert len(html) < 5e6


def test_two_hundred_pages_share_the_drawing_library(tmp_path):
    first = made.overfitted(tmp_path / "runs")
    for number in range(199):
        shutil.copytree(first, first.parent / f"copy-{number:03}")
    Site([tmp_path / "runs"]).write()
    (library,) = tmp_path.rglob("plotly-*.js")
    assert library.parent == tmp_path / "runs"
    assert library.read_text().endswith(offline.get_plotlyjs())
    assert f'<script src="../../../../{library.name}">' in page(first)
    assert sum(file.stat().st_size for file in tmp_path.rglob("*.html")) < 25e6


def test_a_link_in_the_place_of_the_library_is_not_followed(tmp_path):
    folder = made.overfitted(tmp_path / "runs")
    (tmp_path / "precious").write_text("mine")
    (folder / render.library_name()).symlink_to(tmp_path / "precious")
    Site([folder]).write()
    assert (tmp_path / "precious").read_text() == "mine"
    assert (folder / render.library_name()).read_text() == render.library()


def test_pages_need_nothing_else(project):
    for file in project.rglob("index.html"):
        html = file.read_text()
        library = rf"(\.\./)*{re.escape(render.library_name())}\""
        assert not re.search(rf'(src|href|action)="(?!data:|#|\.\./|[\w%.-]+/|{library})', html)
        assert "@import" not in html
        assert "url(" not in html


def test_names_cannot_leave_their_place(tmp_path):
    diagnosis = made.classification_diagnosis() | {"class_names": [HOSTILE, "dog", "horse", "sheep"]}
    diagnosis["per_class"] = [{"class": HOSTILE, "count": 1, "error": 9.0}]
    card = {
        "title": HOSTILE,
        "metric": "test/error",
        "rows": {HOSTILE: {"value": 1.0, "where": HOSTILE, "default": True}},
    }
    state = {
        "recipe": HOSTILE,
        "row": HOSTILE,
        "sweep": {"name": HOSTILE, "trial": 1, "parameters": {HOSTILE: HOSTILE}},
    }
    told = made.result(HOSTILE, HOSTILE, 1.0, metric="test/error", changed={HOSTILE: HOSTILE}, card=card, where=HOSTILE)
    root = tmp_path / "runs"
    folder = made.write(root / "a b#?&'\"<i>" / "r", told, state, {"x": HOSTILE}, made.learning(), diagnosis)
    Site([root]).write()
    for html in (page(folder), page(root)):
        assert "<img src=x" not in html
        assert html.count("</script>") == html.count("<script") == 4
        assert "\u2028" not in re.search(r'id="data">(.*?)</script>', html, re.S)[1]
    assert HOSTILE in data(page(folder))["figures"]["confusion"]["names"]
    assert data(page(root))["runs"][0]["label"].startswith(HOSTILE)
    assert 'href="a%20b%23%3F%26%27%22%3Ci%3E/r/index.html"' in page(root)


def test_data_hold_no_nan():
    assert render.to_json({"a": float("nan"), "b": [float("inf"), 1.234567891]}) == '{"a":null,"b":[null,1.2346]}'


def test_run_page_answers(project):
    run = collect.read(next(project.rglob("*cccc")))
    told = {answer.id: answer.text for answer in summary.answers(run, learning.all_curves(run))}
    assert told["errors"] == "unseen (an object that no box of any score is about): 17 objects cost 8.4 points of AP50."
    assert told["class"] == "dog: AP 22.25, where the best class has 51.50."
    assert told["images"] == "0000.jpg: 5 wrong and 2 missed at scores from 0.5."
    assert told["sure"] == (
        "Of the boxes that are shown (score of 0.5 or more, 100 % of all), 40 % are right at a mean score of 55 %, "
        "15 points surer than right; expected calibration error there 15 %."
    )
    assert told["paper"] == "test/ap 36.90: no number printed."


def test_project_page_answers(project):
    html = page(project)
    assert (
        "resnet-32 of resnet/cifar10: test/error 10.00 against 7.51 (+2.49, 5 times its tolerance), missed (worse)."
        in html
    )
    assert "0 of 1 decided claims hold; not depth-helps-20-32." in html
    assert "resnet-32, seed 1 from step 200 on." in html
    name = "digits, lr 1, weight_decay 0.0001, seed 1, trial 5"
    assert f"1: {name} at step 200 of 400: stopped, last sign of life 2026-11-24 " in html


def test_a_stand_in_is_not_held_against_the_paper(project):
    run = collect.read(next(project.rglob("sweep-digits-rates-000")))
    (line,) = run_page.paper(run)
    assert (line["paper"], line["difference"], line["tolerance"], line["verdict"]) == ("1.5", "-", "", "stand-in")


def test_an_unfinished_run_has_a_page(project):
    html = page(next(project.rglob("sweep-digits-rates-005")))
    assert re.search(r"Not judged yet: stopped, last sign of life [\d :-]+, at step 200 of 400\.", html)
    assert "Changed: model.optimizer.lr 1, model.optimizer.weight_decay 0.0001." in html


def test_a_run_that_has_nothing_but_its_state(tmp_path):
    folder = made.write(tmp_path / "run", None, {"recipe": "r", "row": None})
    (folder / "metrics.jsonl").unlink()
    (folder / "config.yaml").unlink()
    Site([tmp_path]).write()
    assert "Nothing was logged." in page(folder)


def test_only_changed_pages_are_written_again(tmp_path):
    made.sweep(tmp_path / "runs", 2)
    site = Site([tmp_path / "runs"])
    site.write()
    before = {file: file.stat().st_mtime_ns for file in tmp_path.rglob("index.html")}
    changed = next(tmp_path.rglob("*-001"))
    with (changed / "metrics.jsonl").open("a") as file:
        file.write('{"step": 220, "time": 0.0, "train/error": 2.0}\n')
    site.write()
    again = {file for file, time in before.items() if file.stat().st_mtime_ns != time}
    assert again == {changed / "index.html", tmp_path / "runs" / "index.html"}


def test_a_file_that_is_no_page_of_ours_stays(tmp_path):
    folder = made.overfitted(tmp_path)
    (folder / "index.html").write_text("<p>mine")
    with pytest.raises(InputError, match=r"index.html is no page of this dashboard, so it stays; move it, or .*--out"):
        Site([tmp_path]).write()
    Site([tmp_path], tmp_path / "pages").write()
    assert page(folder) == "<p>mine"
    assert "resnet-32" in page(tmp_path / "pages" / folder.relative_to(tmp_path))


def test_a_link_out_of_the_folder_is_not_followed(tmp_path):
    made.overfitted(tmp_path / "other")
    made.sweep(tmp_path / "runs", 2)
    os.symlink(tmp_path / "other", tmp_path / "runs" / "link")
    assert {entry.key.split("/")[0] for entry in Site([tmp_path / "runs"]).scan()} == {"quickstart"}


def test_one_run_and_several_folders(tmp_path):
    first, second = made.overfitted(tmp_path / "a"), made.overfitted(tmp_path / "b")
    assert Site([first]).write() == first / "index.html"
    assert "All runs</a>" not in page(first)
    assert Site([tmp_path / "a", tmp_path / "b"]).write() == tmp_path / "index.html"
    assert f'href="{second.relative_to(tmp_path)}/index.html"' in page(tmp_path)
    assert 'href="../../../../../index.html">All runs</a>' in page(first)


def test_the_verb_ends_with_what_to_open(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    made.overfitted(Path("runs"))
    assert cli.main(["dashboard", "runs", "--no-serve"]) == 0
    assert capsys.readouterr().out == "open runs/index.html\n"
    assert cli.main(["dashboard", "runs", "--no-serve", "--out", "pages"]) == 0
    assert capsys.readouterr().out == "open pages/index.html\n"
    shutil.rmtree("runs/resnet")
    for arguments, message in (
        (["runs"], "error: no runs in runs; lit-vision fit leaves one for each training\n"),
        (["elsewhere"], "error: no folder elsewhere; name a run's folder, or one that holds runs\n"),
        (["--prot", "1"], "error: lit-vision dashboard: unknown option --prot; did you mean '--port'?"),
    ):
        assert cli.main(["dashboard", "--no-serve", *arguments]) == 2
        assert capsys.readouterr().err.startswith(message)


def test_no_torch(tmp_path):
    made.overfitted(tmp_path)
    code = "import sys; from lit_vision import cli; cli.main(sys.argv[1:]); sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code, "dashboard", tmp_path, "--no-serve"], check=True, capture_output=True)
