"""What the pages say of a run's state, name, scores and bound; each was misleading once."""

import json
import time

import pytest

from lit_vision.report import collect
from lit_vision.report.dashboard import calibration, misses, naming, project_page, run_page, states, summary
from lit_vision.report.dashboard.site import Site
from lit_vision.report.ledger import ledger
from tests.report import dashboard_runs as made
from tests.report import factory


def running(root, losses, last, finished=False, planned=400):
    lines = [
        {"step": 20 * n + 20, "time": last - len(losses) + n + 1, "train/loss": loss} for n, loss in enumerate(losses)
    ]
    told = made.result("r", "row", 1.0) if finished else None
    state = {"recipe": "r", "row": "row"}
    return collect.read(made.write(root / "run", told, state, {"trainer": {"max_steps": planned}}, lines))


@pytest.mark.parametrize(
    ("losses", "silent", "finished", "state"),
    [
        ([2.0, 1.0], 5, False, "running"),
        ([2.0, 1.0], 3600, False, "stopped"),
        ([2.0, 1.0], 3600, True, "finished"),
        ([2.0, 1e21], 5, False, "diverged"),
        ([2.0, 1e21], 3600, True, "diverged"),
        ([2.0, float("nan")], 5, False, "diverged"),
        ([2.0, None], 5, False, "diverged"),
        ([2.0, float("nan"), 1.9], 5, False, "running"),
    ],
)
def test_the_state_of_a_run(tmp_path, losses, silent, finished, state):
    now = 1_795_000_000.0
    run = running(tmp_path, losses, now - silent, finished)
    assert states.of(run, now) == state
    assert summary.tone(state) == ("bad" if state == "diverged" else "plain" if state == "finished" else "busy")


def test_a_slow_run_is_given_ten_of_its_pauses(tmp_path):
    lines = [{"step": n, "time": 1000.0 * n, "train/loss": 1.0} for n in range(1, 6)]
    run = collect.read(made.write(tmp_path / "run", None, {"recipe": "r"}, {}, lines))
    assert states.of(run, 5000.0 + 9_999) == "running"
    assert states.of(run, 5000.0 + 10_001) == "stopped"


def test_progress_and_last_sign_of_life(tmp_path):
    run = running(tmp_path, [2.0] * 10, 1_795_519_231.0)
    assert states.progress(run) == "200 of 400"
    moment = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(1_795_519_231))
    assert states.in_words(run) == f"stopped, last sign of life {moment}"
    assert dict(summary.facts(run, {}))["steps"] == "200 of 400"


def test_a_diverged_run_is_no_grey_stand_in(tmp_path):
    run = running(tmp_path, [2.0, 1e21], 1_795_519_231.0, finished=True)
    assert states.label(run) == "diverged"
    assert summary.against_expected(run) == "test/error 1.00: stand-in. It diverged: train/loss ended at 1e+21."


def test_a_page_is_made_again_when_its_run_falls_silent(tmp_path, monkeypatch):
    running(tmp_path, [2.0], time.time())
    site = Site([tmp_path])
    site.write()
    assert ">running<" in (tmp_path / "run" / "index.html").read_text()
    monkeypatch.setattr(states, "SILENCE", -1.0)
    site.write()
    assert ">stopped<" in (tmp_path / "run" / "index.html").read_text()


def test_runs_are_named_by_what_was_changed(tmp_path):
    changes = [{}, {"model.optimizer.lr": 0.1}, {"a.lr": 1, "b.lr": 2}, {f"k{n}": n for n in range(5)}, {"x": "y" * 40}]
    names = []
    for number, changed in enumerate(changes):
        names.append(naming.label(collect.read(factory.write(tmp_path / str(number), row="digits", changed=changed))))
    assert names == [
        "digits, seed 1",
        "digits, lr 0.1, seed 1",
        "digits, a.lr 1, b.lr 2, seed 1",
        "digits, k0 0, k1 1, 3 more changes, seed 1",
        f"digits, x {'y' * 23}…, seed 1",
    ]


def test_an_unfinished_run_is_named_by_what_it_changes(tmp_path):
    config = {"origin": {"changed": ["model.lr"]}, "model": {"lr": 0.5}, "seed_everything": 3}
    run = collect.read(factory.write(tmp_path / "r", row="digits", finished=False, config=config))
    assert naming.label(run) == "digits, lr 0.5, seed 3"


def test_equal_runs_are_told_apart_by_their_folders(tmp_path):
    for name in ("20260101-a", "20260102-b"):
        factory.write(tmp_path / name, row="resnet-20")
    html = Site([tmp_path]).write().read_text()
    assert "resnet-20, seed 1 (20260101-a)" in html
    assert "resnet-20, seed 1 (20260102-b)" in html


def test_a_seed_that_ran_three_times_says_which_run_is_shown(tmp_path):
    for number in range(3):
        sweep = {"name": "rates", "trial": 7, "parameters": {}} if number == 2 else None
        factory.write(tmp_path / str(number), row="resnet-20", time=1000.0 + number, sweep=sweep)
    html = Site([tmp_path]).write().read_text()
    assert 'href="2/index.html">seed 1 (newest of 3, trial 7 of rates)</a>' in html
    assert "resnet-20: seed 1 ran 3 times: the newest counts" in html


def test_missed_most_is_counted_in_tolerances(tmp_path):
    """One point of error misses ten tolerances of 0.1; three of AP miss six of 0.5."""
    for name, value, expected, tolerance in (("fine", 9.75, 8.75, 0.1), ("coarse", 3.0, 6.0, 0.5)):
        card = {"paper": "1512.03385", "rows": {name: {"value": expected, "tolerance": tolerance, "default": True}}}
        factory.write(tmp_path / name, recipe=name, row=name, card=card, figures={"test/error": value})
    book = ledger.build(collect.find([tmp_path]))
    entries = [entry for table in book.tables for entry in table.entries if entry.runs]
    told = "fine of fine: test/error 9.75 against 8.75 (+1.00, 10 times its tolerance), missed (worse)."
    assert project_page.furthest(entries) == told


def test_an_own_bound_is_no_paper_s(tmp_path):
    """quickstart/digits sets its bound itself."""
    folder = factory.write(tmp_path / "d", recipe="quickstart/digits", row="digits", expected=1.5, tolerance=1.5)
    html = Site([tmp_path]).write().read_text()
    papers, own = html.split('<section id="own"')
    assert "digits" not in papers.split('id="tables"')[1]
    assert ">own bound</button>" in own
    assert ">paper</button>" not in html.split("<script")[0]
    assert run_page.content(collect.read(folder))["bound"] == "own bound"
    assert "against the recipe's own bound, 1.5 (" in summary.against_expected(collect.read(folder))


def of_scores(counts, task="detection", **more):
    """A diagnosis with bins of (score, share right, count)."""
    bins = [
        {"low": low / 10, "high": low / 10 + 0.1, "score": score, "accuracy": right, "count": count}
        for low, (score, right, count) in counts.items()
    ]
    return {"task": task, "calibration": bins, "calibration_error": 3.0} | more


def test_calibration_is_told_at_the_scores_in_use():
    """Nine in ten predictions lie low and are surer than right; those that are shown are less sure."""
    told = calibration.in_words(of_scores({0: (0.05, 0.01, 900), 6: (0.65, 0.77, 100)}))
    assert told == (
        "Of the boxes that are shown (score of 0.5 or more, 10 % of all), 77 % are right at a mean score of 65 %, "
        "12 points less sure than right; expected calibration error there 12 %."
    )
    low = calibration.in_words(of_scores({0: (0.05, 0.01, 900)}))
    assert low == "No box reaches a score of 0.5, from which on boxes are shown: none can be trusted."
    assert "score of 0.3 or more" in calibration.in_words(
        of_scores({4: (0.45, 0.4, 9), 8: (0.9, 0.9, 9)}, shown_score=0.3)
    )


def test_one_answer_for_everything_is_not_well_calibrated():
    diagnosis = of_scores(
        {1: (0.11, 0.1, 299)}, "classification", class_names=["a", "b"], confusion=[[0, 1, 9], [1, 1, 1]]
    )
    assert calibration.in_words(diagnosis) == (
        "It answers b to every image: such scores tell nothing, however well calibrated."
    )
    alike = of_scores({1: (0.11, 0.1, 299)}, "classification")
    assert (
        calibration.in_words(alike) == "All scores in use lie between 0.1 and 0.2: they hardly tell right from wrong."
    )


def test_missed_has_one_meaning(tmp_path):
    """An object that no shown box found; what no box of any score is about has another name."""
    run = collect.read(made.detector(tmp_path))
    (tmp_path / "page.html").write_text("")
    html = Site([run.path]).write().read_text()
    data = json.loads(html.split('id="data">')[1].split("</script>")[0])
    assert data["figures"]["errors"]["choices"][0][1]["traces"][0]["x"][0] == "unseen"
    assert "missed" not in json.dumps(data["figures"]["errors"])
    assert "an object is missed if none of them found it" in html
    assert misses.EVERY_SCORE in data["figures"]["errors"]["text"]


def test_the_legend_explains_what_stands_on_the_page(tmp_path):
    made.overfitted(tmp_path)
    for file in (Site([tmp_path]).write(), next(tmp_path.rglob("*-bbbb/index.html"))):
        legend = file.read_text().split('<section id="legend"')[1]
        for word in ("±", "own bound", "within noise", "stand-in", "diverged", "E0", "E5", "Standard deviation over"):
            assert word in legend
