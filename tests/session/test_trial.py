"""The runner of claims with stub runs: what it asks for, in which order, and what it leaves alone."""

import dataclasses
import json
import re

import pytest

from lit_vision.errors import InputError
from lit_vision.experiment.claims import Arm, Tune
from lit_vision.session import trial
from lit_vision.session.trial import Machine
from tests.runs.test_claim_runs import CLAIM

GRID = Tune("model.optimizer.lr", [0.1, 0.2], 9, "val/error")


@pytest.fixture
def asked(monkeypatch):
    """Runs that finish at once; `val/error` is 10 at a rate of 0.2 and 20 else. `codes` ends some by a code."""
    requests = []

    def run(request):
        requests.append(request)
        code = run.codes.pop(0) if run.codes else 0
        if code == 0:
            path = trial.Path(request.run)
            path.mkdir(parents=True, exist_ok=True)
            rate = dict(request.options).get("model.optimizer.lr")
            (path / "metrics.jsonl").write_text(json.dumps({"step": 2, "val/error": 10 if rate == 0.2 else 20}) + "\n")
            for file in ("run.json", "result.json"):
                (path / file).write_text("{}")
        return code

    run.codes = []
    monkeypatch.setattr(trial, "_run", run)
    return requests, run.codes


def runs_of(requests, root):
    return [str(trial.Path(request.run).relative_to(root / "C90")) for request in requests]


def test_pairs_run_one_after_the_other_and_finished_runs_are_left_alone(asked, tmp_path):
    requests, codes = asked
    codes += [0, 0, 75]
    assert trial.run(CLAIM, [3, 4], Machine(), tmp_path) == 75
    assert runs_of(requests, tmp_path) == ["a/3", "b/3", "a/4"]
    requests.clear()
    assert trial.run(CLAIM, [3, 4, 5], Machine(), tmp_path) == 0
    assert runs_of(requests, tmp_path) == ["a/4", "b/4", "a/5", "b/5"]
    assert requests[0].options == [("trainer.max_steps", 2), ("seed_everything", 4)]
    assert (requests[0].verb, requests[0].configs, requests[0].row) == ("fit", ["quickstart/digits"], None)


def test_each_arm_takes_its_own_value_from_a_grid_with_a_seed_of_its_own(asked, tmp_path):
    requests, _ = asked
    claim = dataclasses.replace(CLAIM, tune=GRID)
    assert trial.run(claim, [3], Machine(), tmp_path) == 0
    assert runs_of(requests, tmp_path) == ["a/tune/0.1", "a/tune/0.2", "a/3", "b/tune/0.1", "b/tune/0.2", "b/3"]
    assert [dict(request.options)["seed_everything"] for request in requests] == [9, 9, 3, 9, 9, 3]
    assert [dict(request.options)["model.optimizer.lr"] for request in requests] == [0.1, 0.2, 0.2, 0.1, 0.2, 0.2]
    for value, ap in {0.1: 30.0, 0.2: 20.0}.items():  # of AP the highest is best
        (tmp_path / "C90" / "a" / "tune" / str(value) / "metrics.jsonl").write_text(json.dumps({"val/ap": ap}) + "\n")
    assert trial.chosen(claim, "a", dataclasses.replace(GRID, by="val/ap"), tmp_path) == 0.1
    with pytest.raises(InputError, match=r"C90-a.yaml: claim.tune.by: no trial of arm 'a' logged 'val/eror'"):
        trial.chosen(claim, "a", dataclasses.replace(GRID, by="val/eror"), tmp_path)
    with pytest.raises(InputError, match=r"--seeds 9: C90-a.yaml tunes on it"):
        trial.run(claim, [3, 9], Machine(), tmp_path)


def test_a_look_at_weights_comes_after_they_were_trained(asked, tmp_path):
    requests, _ = asked
    arms = {"b": Arm("quickstart/digits", "centre crop", on="a"), "a": CLAIM.arms["a"]}
    trial.run(dataclasses.replace(CLAIM, arms=arms), [3], Machine(), tmp_path)
    assert [(request.verb, request.row) for request in requests] == [("fit", None), ("test", "centre crop")]
    assert requests[1].run == requests[0].run
    assert requests[1].options == []


@pytest.mark.parametrize("key", ["model.optimizer.lr", "trainer.max_steps", "seed_everything", "data.seed"])
def test_what_the_claim_has_fixed_stays(asked, tmp_path, key):
    with pytest.raises(InputError) as refused:
        trial.run(CLAIM, [3], Machine(options=[("trainer.logger", False), (key, 7)]), tmp_path)
    assert re.match(rf"C90: {key}(, data.seed)? would change what the claim has fixed;", str(refused.value))
    assert not (tmp_path / "C90").exists()


def test_what_a_machine_may_set_goes_to_every_run(asked, tmp_path):
    requests, _ = asked
    trial.run(CLAIM, [3], Machine(["overlays/cpu"], [("trainer.logger", False)]), tmp_path)
    assert [request.configs for request in requests] == [["quickstart/digits", "overlays/cpu"]] * 2
    assert all(("trainer.logger", False) in request.options for request in requests)


def test_one_device_runs_one_run_after_the_other(asked, tmp_path):
    with pytest.raises(InputError, match="C90: claims run on one device, one run after the other"):
        trial.run(CLAIM, [3], Machine(["overlays/gpu8"]), tmp_path)
    assert asked[0] == []


def test_an_edited_claim_runs_no_more(asked, tmp_path):
    requests, _ = asked
    trial.run(CLAIM, [3], Machine(), tmp_path)
    requests.clear()
    with pytest.raises(InputError, match=r"C90-a.yaml was edited after its first run: text, margin differ"):
        trial.run(dataclasses.replace(CLAIM, text="b errs more", margin=0.0), [4], Machine(), tmp_path)
    assert requests == []
