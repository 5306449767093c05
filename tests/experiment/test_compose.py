import pytest

from lit_vision.errors import InputError
from lit_vision.experiment import compose


def config():
    return {
        "model": {
            "class_path": "a.Task",
            "init_args": {"net": {"class_path": "a.Net", "init_args": {"backbone": "a.b.resnet20", "width": 16}}},
        },
        "trainer": {"max_steps": 10, "callbacks": [1]},
    }


def test_dotted_keys_leave_init_args_out():
    content = config()
    assert compose.set_key(content, "model.net.width", 32) == []
    assert content["model"]["init_args"]["net"]["init_args"]["width"] == 32


def test_a_bare_class_becomes_a_part_when_an_argument_is_set():
    content = config()
    compose.set_key(content, "model.net.backbone.pad", "both")
    expected = {"class_path": "a.b.resnet20", "init_args": {"pad": "both"}}
    assert content["model"]["init_args"]["net"]["init_args"]["backbone"] == expected


def test_a_changed_class_takes_its_arguments_along_and_says_so():
    content = config()
    assert compose.set_key(content, "model.net", "a.Other") == [
        "model.net.backbone.class_path: a.b.resnet20",
        "model.net.width: 16",
    ]
    assert content["model"]["init_args"]["net"] == "a.Other"


def test_class_path_key_drops_the_arguments_of_another_class_only():
    content = config()
    assert compose.set_key(content, "model.net.class_path", "a.Net") == []
    assert content["model"]["init_args"]["net"]["init_args"]["width"] == 16
    assert compose.set_key(content, "model.net.class_path", "a.Other")
    assert content["model"]["init_args"]["net"] == {"class_path": "a.Other", "init_args": {}}


def test_a_value_replaces_what_stands_there_whole():
    content = {"a": {"b": {"c": 1, "d": 2}}}
    compose.set_key(content, "a.b", {"c": 3})
    assert content == {"a": {"b": {"c": 3}}}


def test_plus_appends():
    content = config()
    compose.set_key(content, "trainer.callbacks+", 2)
    compose.set_key(content, "trainer.callbacks+", [3, 4])
    assert content["trainer"]["callbacks"] == [1, 2, 3, 4]


def test_no_keys_below_a_plain_value():
    with pytest.raises(InputError, match=r"--x: trainer.max_steps.y cannot be set: trainer.max_steps is 10"):
        compose.set_key(config(), "trainer.max_steps.y", 1, "--x")


def test_merge_is_deep_for_mappings_and_whole_for_a_changed_class():
    content = config()
    dropped = compose.merge(content, {"trainer": {"precision": "bf16-mixed"}, "model": {"net": {"width": 8}}})
    assert dropped == []
    assert content["trainer"] == {"max_steps": 10, "callbacks": [1], "precision": "bf16-mixed"}
    assert content["model"]["init_args"]["net"]["init_args"]["width"] == 8
    dropped = compose.merge(content, {"model": {"net": {"class_path": "a.Other", "init_args": {"width": 1}}}})
    assert dropped == ["model.net.backbone.class_path: a.b.resnet20", "model.net.width: 8"]
    assert content["model"]["init_args"]["net"] == {"class_path": "a.Other", "init_args": {"width": 1}}


def test_merge_with_the_same_class_keeps_its_arguments():
    content = config()
    compose.merge(content, {"model": {"init_args": {"net": {"class_path": "a.Net", "init_args": {"depth": 2}}}}})
    arguments = content["model"]["init_args"]["net"]["init_args"]
    assert arguments == {"backbone": "a.b.resnet20", "width": 16, "depth": 2}
    compose.merge(content, {"model": {"net": "a.Net"}})
    assert content["model"]["init_args"]["net"]["init_args"]["depth"] == 2


def test_flatten_and_differing():
    flat = compose.flatten(config())
    assert flat == {
        "model.class_path": "a.Task",
        "model.net.class_path": "a.Net",
        "model.net.backbone.class_path": "a.b.resnet20",
        "model.net.width": 16,
        "trainer.max_steps": 10,
        "trainer.callbacks": [1],
    }
    changed = config()
    compose.set_key(changed, "model.net.backbone", {"class_path": "a.b.resnet20", "init_args": {}})
    assert compose.differing(config(), changed) == []  # a bare class and the same class without arguments are one thing
    compose.set_key(changed, "trainer.max_steps", 20)
    assert compose.differing(config(), changed) == ["trainer.max_steps"]


def test_what_a_new_class_is_given_again_is_not_dropped():
    config = {"data": {"class_path": "a.VOC", "init_args": {"root": "own", "batch_size": 4, "only": 3}}}
    new = {"class_path": "a.COCO", "init_args": {"root": "own", "batch_size": 8}}
    assert compose.set_key(config, "data", new) == ["data.batch_size: 4", "data.only: 3"]
    assert config["data"] == new


def test_leaves_of_leaves_are_the_same():
    leaves = {"model.class_path": "a.B", "model.network.class_path": "a.Net", "model.lr": 0.1}
    assert compose.flatten(leaves) == leaves
