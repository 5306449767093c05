"""Arms measured in turn: untrained networks on noise, with a clock that the test sets."""

import itertools
import json

import pytest

from lit_vision.analyses import timing
from lit_vision.errors import InputError
from lit_vision.experiment import claims
from lit_vision.experiment.evidence import Rounds
from lit_vision.runs import claim_runs, claim_verdicts
from lit_vision.session import rounds as interleaved
from lit_vision.session import trial
from lit_vision.session.trial import Machine

ROUNDS = {"count": 5, "warmup": 1, "work": "train", "batch": 2, "size": [8, 8]}
CPU = Machine(options=[("trainer.accelerator", "cpu")])


def claim(rounds, arms, **changes):
    content = {
        "text": "b takes no longer than a",
        "data": "noise",
        "arms": arms,
        "metric": "analysis/parameters",
        "difference": "b / a",
        "direction": "<",
        "margin": 1.5,
        "seeds": [3],
        "evidence": {"rounds": ROUNDS | rounds},
        "told": ["analysis/ms"],
        "budget": {"words": "six rounds", "minutes": 0.1},
        "known": "nothing",
    }
    return claims.parse({"claim": content | changes}, "C90", "C90-a.yaml")


SMALL = {"class_path": "lit_vision.models.backbones.rectifier.connected_net", "init_args": {"width": 8, "size": 8}}
DEPTHS = {"a": 2, "b": 3}
ARMS = {
    name: {
        "recipe": "quickstart/digits",
        "set": {"model.network.backbone": {**SMALL, "init_args": {**SMALL["init_args"], "depth": depth}}},
    }
    for name, depth in DEPTHS.items()
}


def test_steps_in_turn_give_medians_and_a_ratio_with_its_interval(monkeypatch, tmp_path):
    laps = iter([*(0.5, 0.5), *(0.010, 0.020), *(0.024, 0.012), *(0.014, 0.028), *(0.400, 0.200), *(0.011, 0.022)])
    ticks = itertools.chain.from_iterable((0.0, lap) for lap in laps)
    monkeypatch.setattr(timing, "clock", lambda _: next(ticks))
    asked = claim({}, ARMS)
    assert trial.run(asked, [3], CPU, tmp_path) == 0
    # Each round begins with the next arm: a is first in the rounds of even numbers, of which the first is a warm-up.
    drawn = {name: json.loads((tmp_path / "C90" / name / "3" / "drawn.json").read_text()) for name in DEPTHS}
    assert drawn["a"]["analysis/ms"] == pytest.approx([20.0, 24.0, 28.0, 400.0, 22.0])
    assert drawn["b"]["analysis/ms"] == pytest.approx([10.0, 12.0, 14.0, 200.0, 11.0])

    found = claim_verdicts.judge(asked, claim_runs.lines(asked, tmp_path))
    counted = {name: 8 * 3 * 64 + 8 + (depth - 1) * (64 + 8) + 8 * 10 + 10 for name, depth in DEPTHS.items()}
    assert found.figures[3] == pytest.approx({name: count / 1e6 for name, count in counted.items()})
    assert found.judgement.word == "holds"
    assert (found.judgement.mean, found.judgement.p) == (pytest.approx(counted["b"] / counted["a"]), None)
    told = found.told["analysis/ms"]
    assert (told.mean, told.pairs) == (pytest.approx(0.5), 5)
    assert told.interval == pytest.approx((0.5, 0.5))


def test_a_sitting_that_is_done_is_left_alone(monkeypatch, tmp_path):
    asked = claim({}, ARMS)
    assert trial.run(asked, [3], CPU, tmp_path) == 0
    monkeypatch.setattr(interleaved, "measure", lambda *_: pytest.fail("measured again"))
    assert trial.run(asked, [3], CPU, tmp_path) == 0
    kept = tmp_path / "claims.jsonl"
    kept.write_text(claim_runs.dump(claim_runs.lines(asked, tmp_path)))
    assert claim_runs.read(kept) == claim_runs.lines(asked, tmp_path)
    (tmp_path / "C90" / "a" / "3" / claim_runs.DRAWN).write_text("{")
    with pytest.raises(InputError, match=r"drawn.json is damaged"):
        claim_runs.lines(asked, tmp_path)


def test_a_detector_is_measured_by_its_parts(tmp_path):
    arms = {name: {"recipe": "quickstart/digit_regions"} for name in "ab"}
    looks = {"work": "detect", "batch": 1, "size": [64, 96]}
    asked = claim(looks, arms, metric="analysis/total_ms", told=["analysis/proposal_share"], margin=1e9)
    assert trial.run(asked, [3], CPU, tmp_path) == 0
    first, second = claim_runs.lines(asked, tmp_path)
    assert set(first.drawn) >= {f"analysis/{part}_ms" for part in ("conv", "proposal", "region", "total")}
    assert first.figure > 0
    assert len(second.drawn["analysis/total_ms"]) == 5
    assert 0 < first.also["analysis/proposal_share"] < 100
    assert claim_verdicts.judge(asked, [first, second]).judgement.word == "holds"


def test_a_network_that_cannot_do_the_work_is_told(tmp_path):
    arm = {"recipe": "quickstart/digit_scenes"}
    with pytest.raises(InputError) as refused:
        trial.run(claim({"work": "detect"}, {"a": arm, "b": arm}, metric="analysis/total_ms"), [3], CPU, tmp_path)
    assert str(refused.value) == (
        "evidence.rounds.work: detect is for a RegionDetector of its own, got RetinaNet of quickstart/digit_scenes"
    )
    assert Rounds(**ROUNDS).work == "train"
