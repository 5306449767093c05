"""What a list of stages may say, and the experiments that it stands for."""

import pytest

from lit_vision.errors import InputError
from lit_vision.experiment import card as cards
from lit_vision.experiment import stages
from lit_vision.experiment.recipes import Experiment

LISTED = [
    {"name": "rpn", "set": {"trainer.max_steps": 5}},
    {"name": "boxes", "propose": "rpn", "splits": ["train"], "limit": 9},
    {"name": "fast", "proposals": "boxes", "start": {"model.network.pyramid": "rpn"}},
]
CARD = {
    "rows": {
        "both": {"value": 1, "default": True},
        "first": {"value": 2, "until": "rpn"},
        "wrong": {"value": 2, "until": "rpm"},
    }
}


def experiment(listed, row="both"):
    config = {"stages": listed, "trainer": {"max_steps": 80}}
    return Experiment("my/recipe", cards.parse(CARD, "f.yaml"), row, config, sources={"stages": "f.yaml"})


def changed(index, **entries):
    return [stage | entries if position == index else stage for position, stage in enumerate(LISTED)]


def test_a_stage_is_the_recipe_with_what_it_sets():
    whole = experiment(LISTED)
    first, _, last = stages.of(whole)
    earlier, final = stages.experiment_of(first, whole, False), stages.experiment_of(last, whole, True)
    assert (earlier.config, final.config) == ({"trainer": {"max_steps": 5}}, {"trainer": {"max_steps": 80}})
    assert (earlier.row, final.row) == (None, "both")  # the row's value is that of the last stage
    assert earlier.source_of("trainer.max_steps") == "stage 'rpn' of my/recipe"
    assert whole.config["trainer"] == {"max_steps": 80}


def test_a_row_ends_after_a_stage():
    assert [stage.name for stage in stages.of(experiment(LISTED, "first"))] == ["rpn"]
    with pytest.raises(
        InputError, match=r"my/recipe, row 'wrong': until: there is no stage 'rpm'; did you mean 'rpn'\?"
    ):
        stages.of(experiment(LISTED, "wrong"))


def test_an_ordinary_training_has_none():
    assert stages.of(Experiment("my/recipe", config={"trainer": {}})) == []


@pytest.mark.parametrize(
    ("listed", "message"),
    [
        (changed(0, nmae="x"), r"f.yaml: stages\[0\] has no key 'nmae'; did you mean 'name'\?"),
        (changed(0, limit="many"), r"f.yaml: stages\[0\].limit should be a int, got 'many'"),
        (changed(2, name="rpn"), "f.yaml: stage 'rpn' stands there twice"),
        (changed(1, propose="fast"), "f.yaml: stage 'boxes': propose: no earlier stage 'fast' gives that"),
        (changed(2, proposals="rpn"), "f.yaml: stage 'fast': proposals: no earlier stage 'rpn' gives that"),
        (
            changed(0, proposals="boxes"),
            "stage 'rpn': proposals: no earlier stage 'boxes' gives that; there is none before",
        ),
        (changed(2, start={"data.root": "rpn"}), "stage 'fast': start names 'data.root'; name a part of the model"),
        (
            changed(2, start={"model.network": "boxes"}),
            "stage 'fast': start of model.network: no earlier stage 'boxes'",
        ),
        (changed(1, set={"trainer.max_steps": 1}), "stage 'boxes' proposes and trains nothing: leave out set"),
        (changed(1, splits=["tests"]), r"stage 'boxes': splits has no 'tests'; did you mean 'test'\?"),
        (LISTED[:2], "f.yaml: the last stage is the run's result, but 'boxes' trains nothing"),
    ],
)
def test_typos_are_reported_with_file_and_stage(listed, message):
    with pytest.raises(InputError, match=message):
        stages.of(experiment(listed))


WHOLE = {"class_path": "my.Whole", "init_args": {"pyramid": {"levels": 4}, "head": {"width": 8}}}
PARTS = [
    {"name": "one", "network": "my.One", "parts": ["pyramid"], "set": {"trainer.max_steps": 5}},
    {"name": "all", "joins": True, "start": {"model.network.pyramid": "one"}},
]


def in_parts(listed, **sources):
    made = experiment(listed)
    made.config["model"] = {"class_path": "my.Task", "init_args": {"network": WHOLE}}
    made.sources.update(sources)
    return made


def test_a_stage_takes_parts_of_the_recipe_s_network_and_the_last_one_joins_them():
    whole = in_parts(PARTS)
    one, joined = (stages.experiment_of(stage, whole, stage.joins) for stage in stages.of(whole))
    network = one.config["model"]["init_args"]["network"]
    assert network == {"class_path": "my.One", "init_args": {"pyramid": {"levels": 4}}}
    assert joined.config["model"]["init_args"]["network"] == WHOLE
    assert (one.config["trainer"]["max_steps"], joined.config["trainer"]["max_steps"]) == (5, 0)


def test_what_the_command_line_says_all_stages_do():
    whole = in_parts(PARTS, **{"trainer.max_steps": "--trainer.max_steps"})
    one, joined = (stages.experiment_of(stage, whole, stage.joins) for stage in stages.of(whole))
    assert (one.config["trainer"]["max_steps"], joined.config["trainer"]["max_steps"]) == (80, 0)


def test_a_part_that_the_network_does_not_have_is_told():
    whole = in_parts([PARTS[0] | {"parts": ["pyramids"]}])
    with pytest.raises(InputError, match=r"stage 'one': parts: 'pyramids' is none of the network's; did you mean 'py"):
        stages.experiment_of(stages.of(whole)[0], whole, True)


@pytest.mark.parametrize(
    ("entries", "told"),
    [
        ({"parts": []}, "network and parts belong together: name the class, and what it takes over"),
        ({"network": ""}, "network and parts belong together: name the class, and what it takes over"),
        ({"joins": True}, "joins nothing: name parts and the stages that trained them under start"),
    ],
)
def test_half_of_a_network_and_nothing_to_join_are_told(entries, told):
    with pytest.raises(InputError, match=rf"f.yaml: stage 'one'.* ?{told}"):
        stages.of(in_parts([PARTS[0] | entries]))
