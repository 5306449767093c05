"""ResNet's Tables 12 to 14, typed a second time from the paper's fact sheet, and what its appendix states of them."""

import pytest

from lit_vision.experiment import recipes

GIVEN, FIVE, MAP = "test/loc_error_given", "test/loc_error5", "test/map"
PRINTED = {
    "resnet/localisation": {
        "RPN, 1-crop": (GIVEN, 13.3, "val"),
        "RPN, dense": (GIVEN, 11.7, "val"),
        "RPN, dense, predicted class": (FIVE, 14.4, "val"),
        "VGG's": (GIVEN, 33.1, "val"),
    },
    "resnet/localisation_rcnn": {
        "RPN+RCNN, dense, predicted class": (FIVE, 10.6, "val"),
        "RPN+RCNN, ensemble": (FIVE, 8.9, "val"),
        "ours (ILSVRC'15), test": (FIVE, 9.0, "server"),
        "OverFeat (ILSVRC'13)": (FIVE, 30.0, "val"),
        "OverFeat (ILSVRC'13), test": (FIVE, 29.9, "server"),
        "GoogLeNet (ILSVRC'14), test": (FIVE, 26.7, "server"),
        "VGG (ILSVRC'14)": (FIVE, 26.9, "val"),
        "VGG (ILSVRC'14), test": (FIVE, 25.3, "server"),
    },
    "resnet/imagenet_detection": {
        "ours single": (MAP, 60.5, "val"),
        "ours ensemble of 3": (MAP, 63.6, "val"),
        "ours single, test": (MAP, 58.8, "server"),
        "ours ensemble of 3, test": (MAP, 62.1, "server"),
        "GoogLeNet (ILSVRC'14)": (MAP, 43.9, "server"),
    },
}


@pytest.mark.parametrize("recipe", PRINTED)
def test_values_are_the_paper_s(recipe):
    card = recipes.read_card(recipe)
    rows = {name: card.row(name) for name, row in card.rows.items() if row.value is not None}
    assert {name: (row.metric, row.value, row.split) for name, row in rows.items()} == PRINTED[recipe]
    assert {row.source for row in rows.values()} == {"paper"}


def network(recipe, row):
    return recipes.resolve([recipe], row).config["model"]["init_args"]["network"]["init_args"]


def test_the_localisers_of_both_recipes_are_one():
    """The first stage of the R-CNN is the other recipe's training."""
    one = recipes.resolve(["resnet/localisation"], "RPN, 1-crop").config
    other = recipes.resolve(["resnet/localisation_rcnn"], "RPN+RCNN").config
    (stage,) = [stage for stage in other["stages"] if stage["name"] == "rpn"]
    assert stage["set"] == {"data.pipeline": one["data"]["init_args"]["pipeline"], "protocol": one["protocol"]}
    for part in stage["parts"]:
        assert (
            other["model"]["init_args"]["network"]["init_args"][part]
            == network("resnet/localisation", "RPN, 1-crop")[part]
        )
    for part in ("optimizer", "schedule", "no_decay", "bias_rate"):
        assert one["model"]["init_args"][part] == other["model"]["init_args"][part]
    assert one["trainer"]["max_steps"] == other["trainer"]["max_steps"]


def test_mini_batches_and_proposals_are_the_paper_s():
    """Appendix C: 8 anchors of an image, half of them positive; 256 images, 256 regions; 200 proposals of a class."""
    data = recipes.resolve(["resnet/localisation_rcnn"], "RPN+RCNN").config["data"]["init_args"]
    net = network("resnet/localisation_rcnn", "RPN+RCNN")
    assert net["proposals"]["init_args"]["sampler"] == {"size": 8, "fraction": 0.5}
    assert data["batch_size"] * net["sampler"]["size"] == 256
    assert net["selection"]["limit"] == 200
    assert net["regions"]["init_args"]["size"] == 224
    dense = recipes.resolve(["resnet/localisation_rcnn"], "RPN+RCNN, dense, predicted class").config
    of_scale = dense["model"]["init_args"]["network"]["init_args"]["selection"]["limit"]
    protocol = dense["protocol"]["init_args"]
    assert of_scale * len(protocol["of"]["init_args"]["sides"]) == 200
    assert protocol["of"]["init_args"]["sides"] == protocol["by"]["init_args"]["scales"] == [224, 256, 384, 480, 640]
