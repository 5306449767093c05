"""Runs of a W&B project, against a stub of its `Api`; no live server was tried."""

from types import SimpleNamespace

import pytest

from lit_vision.errors import InputError
from lit_vision.experiment import recipes, yamlio
from lit_vision.report import collect, wandb_runs
from lit_vision.report.ledger import record
from lit_vision.report.ledger.ledger import build
from tests.report.factory import write


class Summary:
    """As W&B's: `keys` and `[]`, and no mapping of the standard kind."""

    def __init__(self, content):
        self.content = content

    def keys(self):
        return self.content.keys()

    def __getitem__(self, key):
        return self.content[key]


def theirs(name="resnet-20, seed 1", run_id="abcd1234", seed=1, error=8.8, tags=(), **config):
    card = yamlio.load(recipes.find("resnet/cifar10"))["card"]
    return SimpleNamespace(
        id=run_id,
        name=name,
        group="resnet/cifar10",
        tags=list(tags),
        url=f"https://wandb.ai/me/lit-vision/runs/{run_id}",
        created_at="2026-01-02T03:04:05Z",
        config={"card": card, "code": "0.1.0", "seed_everything": seed, "trainer": {"max_steps": 64000}} | config,
        summary=Summary(
            {"test/error": error, "test/table": {"_type": "table"}, "paper/value": 8.75, "_runtime": 7200.0}
        ),
    )


class Api:
    """Answers one project."""

    def __init__(self, *found, error=None):
        self.found, self.error, self.asked = found, error, []

    def runs(self, path, filters):
        self.asked.append((path, filters))
        if self.error:
            raise self.error
        return iter(self.found)


def test_finished_runs_join_the_ledger():
    api = Api(theirs(), theirs("resnet-20, seed 2", "ffff0000", 2, 9.0))
    found = wandb_runs.find("me/lit-vision", api)
    assert api.asked == [("me/lit-vision", {"state": "finished"})]
    (table,) = [table for table in build(found).tables if table.ran]
    (twenty,) = [entry for entry in table.entries if entry.runs]
    assert (table.heading, twenty.values, str(twenty.verdict)) == ("Table 6", {1: 8.8, 2: 9.0}, "reproduced")
    assert twenty.cost.hours == 2.0
    assert record.link(twenty.runs[0]) == "https://wandb.ai/me/lit-vision/runs/abcd1234"


def test_what_a_stand_in_changed_comes_from_its_origin():
    origin = {"recipe": "resnet/cifar10", "row": "resnet-20", "changed": ["trainer.max_steps"]}
    (run,) = wandb_runs.find("me/p", Api(theirs(name="renamed", tags=["stand-in"], origin=origin)))
    assert (run.row, run.result["changed"], run.result["stand_in"]) == ("resnet-20", {"trainer.max_steps": 64000}, True)


def test_a_stand_in_that_does_not_say_what_it_changed_is_like_no_other():
    one, other = wandb_runs.find("me/p", Api(theirs(tags=["stand-in"]), theirs(run_id="ffff0000", tags=["stand-in"])))
    assert one.result["stand_in"]
    assert one.result["changed"] != other.result["changed"]


def test_a_run_that_is_on_this_disk_too_counts_once(tmp_path):
    write(tmp_path / "abcd1234")
    local = collect.find([tmp_path])
    assert wandb_runs.find("me/p", Api(theirs()), known=local) == []


@pytest.mark.parametrize("name", ["me", "me/", "/p", "https://wandb.ai/me/p"])
def test_a_misnamed_project(name):
    with pytest.raises(InputError, match="should read ENTITY/PROJECT"):
        wandb_runs.find(name, Api())


def test_what_wandb_complains_of_is_told_in_two_lines():
    with pytest.raises(InputError) as caught:
        wandb_runs.find("me/p", Api(error=ValueError("Could not find project\n p  (entity me)")))
    assert str(caught.value).splitlines() == [
        "--wandb me/p cannot be read: Could not find project p (entity me)",
        "check the name, the network and wandb login; runs on this disk need neither: leave --wandb out",
    ]
