"""RetinaNet and Faster R-CNN against torchvision's, on photographs: same weights, same pixels, same samples."""

import os

import pytest
import torch

from lit_vision.tasks import optim
from tests.parity import reference
from tests.parity.reference import KINDS

# torchvision's layers that score and regress, and ours
HEADS = {
    "retinanet": {
        "head.classification_head.cls_logits": "head.cls.8",
        "head.regression_head.bbox_reg": "head.box.8",
    },
    "faster_rcnn": {
        "rpn.head.cls_logits": "proposals.head.cls",
        "rpn.head.bbox_pred": "proposals.head.box",
        "roi_heads.box_head.fc7": "regions.head.fc2",
    },
}
LOSSES = {
    "retinanet": {"classification": "cls", "bbox_regression": "box"},
    "faster_rcnn": {
        "loss_objectness": "rpn_cls",
        "loss_rpn_box_reg": "rpn_box",
        "loss_classifier": "cls",
        "loss_box_reg": "box",
    },
}
PHOTOGRAPHS = [
    pytest.param(("sklearn", (256, 384)), id="sklearn-256x384"),
    pytest.param(("sklearn", (512, 640)), id="sklearn-512x640", marks=pytest.mark.slow),
    pytest.param(("coco", (512, 640)), id="coco-512x640", marks=pytest.mark.slow),
    # No multiple of 128: only with torchvision's strides are the anchors the same
    pytest.param(("coco", (800, 1088)), id="coco-800x1088", marks=pytest.mark.slow),
]
# The first seeds whose scores are far enough apart for an order to mean something; others: 0
SEEDS = {
    ("retinanet", "sklearn", 256): 1,
    ("retinanet", "sklearn", 512): 3,
    ("retinanet", "coco", 512): 2,
    ("retinanet", "coco", 800): 2,
    ("faster_rcnn", "coco", 800): 1,
}


@pytest.fixture(scope="module", autouse=True)
def _threads():
    """These networks are large enough to gain from a second core, unless a worker of the suite is busy there."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1 if "PYTEST_XDIST_WORKER" in os.environ else min(2, os.cpu_count() or 1))
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module", params=PHOTOGRAPHS)
def source_and_batch(request):
    source, size = request.param
    folder = request.getfixturevalue("real_images") / "coco_tiny" if source == "coco" else None
    return source, reference.photographs(*size, folder)


@pytest.fixture(scope="module", params=KINDS)
def pair(request, source_and_batch):
    """Kind, torchvision's detector, ours, and the photographs."""
    kind, (source, batch) = request.param, source_and_batch
    theirs = reference.theirs(kind, batch, SEEDS.get((kind, source, batch.images.shape[2]), 0))
    ours = reference.ours(kind, theirs)
    pixels = theirs.transform(reference.images_of(batch))[0].tensors
    torch.testing.assert_close(ours.normalise(batch.images, batch.sizes), pixels, rtol=0, atol=1e-6)
    reference.share_pixels(theirs, ours)
    return kind, theirs, ours, batch


def test_detections_and_head_outputs(pair):
    kind, theirs, ours, batch = pair
    found, outputs = [], []
    with torch.no_grad():
        for net, layers, detect in (
            (theirs, HEADS[kind], lambda: theirs(reference.images_of(batch))),
            (ours, HEADS[kind].values(), lambda: ours.detect(batch.images, batch.sizes)),
        ):
            outputs.append(reference.outputs_of(net, layers, lambda detect=detect: found.append(detect())))
    for their_layer, our_layer in HEADS[kind].items():
        for wanted, got in zip(outputs[0][their_layer], outputs[1][our_layer], strict=True):
            torch.testing.assert_close(got, wanted, rtol=1e-5, atol=1e-4)
    for wanted, got in zip(*found, strict=True):
        assert len(wanted["scores"]) >= 20
        assert (wanted["scores"][:-1] - wanted["scores"][1:]).min() > 1e-4
        first = 0 if kind == "retinanet" else 1
        assert torch.equal(got.labels, wanted["labels"] - first)
        torch.testing.assert_close(got.scores, wanted["scores"], rtol=0, atol=1e-3)
        torch.testing.assert_close(got.boxes, wanted["boxes"], rtol=0, atol=1e-3)


def test_losses_and_gradients(pair):
    kind, theirs, ours, batch = pair
    wanted = theirs.train()(reference.images_of(batch), reference.targets_of(batch, kind))
    sum(wanted.values()).backward()
    got = ours.train().loss(batch)
    sum(got.values()).backward()
    theirs.eval(), ours.eval()
    assert set(got) == set(LOSSES[kind].values())
    for their_name, our_name in LOSSES[kind].items():
        assert got[our_name].item() == pytest.approx(wanted[their_name].item(), abs=1e-4)
    expected = reference.renamed({name: p.grad for name, p in reference.trainable(theirs).items()}, ours)
    gradients = {name: p.grad for name, p in reference.trainable(ours).items()}
    assert set(gradients) == set(expected)
    for name, gradient in gradients.items():
        assert reference.relative_error(gradient, expected[name]) < 1e-4, name


# Differences in the last bit turn some rectifiers over and grow by what the loss has changed, hence the small steps.
RATE = 1e-4


def step(losses, optimiser):
    optimiser.zero_grad()
    total = sum(losses.values())
    total.backward()
    optimiser.step()
    return total.item()


@pytest.mark.parametrize(
    ("size", "regions"),
    [((128, 128), 32), pytest.param((512, 640), 512, marks=pytest.mark.slow)],
    ids=["128x128", "512x640"],
)
@pytest.mark.parametrize("kind", KINDS)
def test_twenty_steps_in_lockstep(kind, size, regions):
    photographs = reference.photographs(*size)
    theirs = reference.theirs(kind, photographs, regions=regions, confident=False)
    ours = reference.ours(kind, theirs, regions)
    reference.share_pixels(theirs, ours)
    if kind == "faster_rcnn":
        reference.share_proposals(theirs, ours)
    theirs.train(), ours.train()

    options = {"lr": RATE, "momentum": 0.9, "weight_decay": 1e-4}
    their_optimiser = torch.optim.SGD(reference.trainable(theirs).values(), **options)
    our_optimiser = torch.optim.SGD(optim.parameter_groups(ours), **options)
    assert_same_groups(their_optimiser, our_optimiser, theirs, ours)

    history = []
    for number in range(20):
        batch = reference.one_of(photographs, number)
        wanted = step(theirs(reference.images_of(batch), reference.targets_of(batch, kind)), their_optimiser)
        got = step(ours.loss(batch), our_optimiser)
        # Sums in another order, as threads make them, grow over the steps: 0.00104 of 2.84 was seen with one thread.
        assert got == pytest.approx(wanted, rel=1e-3), history
        history.append(wanted)
    assert sum(history[-2:]) < 0.99 * sum(history[:2])  # it learned: the steps were worth comparing


def assert_same_groups(wanted, got, theirs, ours):
    """The same parameters in as many groups, with the same options."""
    names = {id(p): name for name, p in theirs.named_parameters()}
    our_names = {id(p): name for name, p in ours.named_parameters()}
    for their_group, our_group in zip(wanted.param_groups, got.param_groups, strict=True):
        renamed = reference.renamed({names[id(p)]: p.detach() for p in their_group["params"]}, ours)
        assert {our_names[id(p)] for p in our_group["params"]} == set(renamed)
        assert options_of(their_group) == options_of(our_group)


def options_of(group):
    return {key: value for key, value in group.items() if key != "params"}
