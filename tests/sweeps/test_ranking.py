"""Tables and rankings, by hand."""

import json
from pathlib import Path

from lit_vision.sweeps import definition, lease, ranking
from lit_vision.sweeps.board import State, Trial
from tests.sweeps.test_definition import GOOD


def trial(point, state=State.FINISHED, value=None, failure="", lease=None, **values):
    return Trial(point, state, values, value, failure, lease or {}, 0, point)


SEEDS = [
    trial(0, value=4.0, lr=0.1, seed_everything=1),
    trial(1, value=6.0, lr=0.1, seed_everything=2),
    trial(2, value=3.0, lr=0.2, seed_everything=1),
    trial(3, value=3.0, lr=0.2, seed_everything=2),
    trial(4, value=1.0, lr=0.4, seed_everything=1),
    trial(5, state=State.RUNNING, lr=0.4, seed_everything=2),
    trial(6, state=State.PRUNED, value=0.0, lr=0.8, seed_everything=1),
]


def test_means_over_seeds_are_ranked_and_incomplete_groups_come_last():
    ranked = ranking.groups(SEEDS, "minimize")
    assert [(group.values["lr"], group.figure()) for group in ranked] == [
        (0.2, "3 ± 0, 2 seeds"),
        (0.1, "5 ± 1.41, 2 seeds"),
        (0.4, "1, 1 of 2 seeds"),
    ]
    assert [group.values["lr"] for group in ranking.groups(SEEDS, "maximize")] == [0.1, 0.2, 0.4]


def test_the_table_of_trials():
    sweep = definition.parse(GOOD, "mine.yaml")
    key = "model.optimizer.lr"
    trials = [
        trial(0, value=4.25, **{key: 0.1}),
        trial(1, state=State.RUNNING, value=5.0, lease={"owner": "host:7", "time": 100.0}, **{key: 0.2}),
        trial(2, state=State.FAILED, failure="Traceback\nValueError: no", **{key: 0.4}),
    ]
    assert ranking.table(sweep, trials, now=112.4).splitlines() == [
        "trial  state     val/error  lr   owner   last sign",
        "000    finished  4.25       0.1",
        "001    running   5          0.2  host:7  12 s ago",
        "002    failed    -          0.4",
        "",
        "2 of 3 done: 1 running, 1 finished, 1 failed",
        "002 failed: ValueError: no",
    ]


def test_the_same_for_programs():
    entry = ranking.as_json([trial(3, value=float("inf"), lr=0.1)], Path("runs/sweeps/s"))[0]
    assert json.loads(json.dumps(entry)) == {
        "trial": 3,
        "state": "finished",
        "value": None,
        "parameters": {"lr": 0.1},
        "attempts": 1,
        "owner": None,
        "failure": None,
        "run": "runs/sweeps/s/003",
    }


def test_a_trial_whose_agent_was_killed_is_not_running():
    mine = lease.sign(0)
    killed = mine | {"born": "1"}  # the number of a process that is gone, given to another since
    elsewhere = killed | {"machine": "another"}
    trials = [trial(number, State.RUNNING, lease=held) for number, held in enumerate((mine, killed, elsewhere))]
    assert [ranking.state_of(one) for one in trials] == ["running", "stopped", "running"]
    assert [entry["state"] for entry in ranking.as_json(trials, Path())] == ["running", "stopped", "running"]
    shown = ranking.table(definition.parse(GOOD, "mine.yaml"), trials)
    assert "0 of 3 done: 2 running, 1 stopped; lit-vision sweep resume continues them" in shown
