"""Siblings: a card that says `differs_from` lists exactly the keys at which the two recipes differ."""

import pytest

from lit_vision.experiment import compose, recipes, yamlio


def slips(name, find=recipes.find):
    """What is wrong with a recipe's `differs_from`, as texts."""
    content = yamlio.load(find(name))
    declared = content.pop("card", {}).get("differs_from", {})
    found = []
    for sibling, keys in declared.items():
        other = yamlio.load(find(sibling))
        other.pop("card", None)
        real, listed = _as_set(compose.differing(other, content)), _as_set(keys)
        found += [f"{name} also differs from {sibling} at {key}" for key in real if key not in listed]
        found += [f"{name} does not differ from {sibling} at {key}" for key in listed if key not in real]
    return found


def _as_set(keys):
    """Keys as a row's `set` names them: a part by its own key, not by that of its class path."""
    return [key.removesuffix(".class_path") for key in keys]


@pytest.mark.parametrize("name", recipes.names())
def test_declared_differences_are_the_real_ones(name):
    assert slips(name) == []


SMALL = """\
card: {paper: "1512.03385", rows: {small: {value: 8.75, default: true}}}
data: {class_path: lit_vision.data.cifar.CIFAR10, init_args: {batch_size: 128}}
model:
  class_path: lit_vision.tasks.classification.Classification
  init_args:
    network: {class_path: lit_vision.models.classifier.Classifier, init_args: {backbone: lit_vision.models.resnet20}}
trainer: {max_steps: 64000, val_check_interval: 1000}
"""

LARGE = (
    SMALL.replace("resnet20", "resnet56")
    .replace("max_steps: 64000", "max_steps: 96000")
    .replace(
        "rows: {small: {value: 8.75, default: true}}",
        "differs_from: {small: [KEYS]}, rows: {large: {value: 6.97, default: true}}",
    )
)


@pytest.fixture
def check(tmp_path):
    def write(keys, text=LARGE):
        (tmp_path / "small.yaml").write_text(SMALL)
        (tmp_path / "large.yaml").write_text(text.replace("KEYS", keys))
        assert recipes.read_card(str(tmp_path / "large.yaml")).differs_from == {"small": keys.split(", ")}
        return slips("large", lambda name: tmp_path / f"{name}.yaml")

    return write


@pytest.mark.parametrize("backbone", ["model.network.backbone", "model.network.backbone.class_path"])
def test_exactly_the_differing_keys_pass(check, backbone):
    assert check(f"{backbone}, trainer.max_steps") == []


def test_a_difference_that_is_not_declared_is_told(check):
    assert check("trainer.max_steps") == ["large also differs from small at model.network.backbone"]


def test_a_declared_difference_that_is_none_is_told(check):
    keys = "model.network.backbone.class_path, trainer.max_steps, data.batch_size"
    assert check(keys) == ["large does not differ from small at data.batch_size"]


def test_a_key_that_only_one_of_them_has_is_a_difference(check):
    keys = "model.network.backbone.class_path, trainer.max_steps"
    text = LARGE.replace(", val_check_interval: 1000", "").replace("batch_size: 128", "batch_size: 128, seed: 1")
    assert check(keys, text) == [
        "large also differs from small at trainer.val_check_interval",
        "large also differs from small at data.seed",
    ]
