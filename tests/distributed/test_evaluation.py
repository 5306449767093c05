"""21 images on one, two and three processes: the same figures to the last bit, each image once."""

import pytest
import torch

from tests import record
from tests.distributed import commands, world
from tests.twins import folders, voc

CLASSIFIER = (
    *("--config", "quickstart/digits", "--data", "lit_vision.data.image_folder.ImageFolder", "--data.root", "images"),
    *("--data.batch_size", "6", "--data.eval_batch_size", "2", "--trainer.max_steps", "2"),
    *("--trainer.val_check_interval", "2", "--trainer.logger", "false", "--run", "run"),
)
DETECTOR = (
    *("--config", "retinanet/r50_fpn_coco", "--row", "from scratch"),
    *("--data", "lit_vision.data.voc.VocFormat", "--data.root", "own"),
    *("--data.batch_size", "2", "--data.eval_batch_size", "2", "--data.num_workers", "0", "--trainer.logger", "false"),
    *("--data.pipeline", "lit_vision.data.pipelines.scenes.short_side", "--data.pipeline.cap", "96"),
    *("--data.pipeline.train", "[64]", "--data.pipeline.test", "64", "--model.network.pyramid.channels", "16"),
    *("--model.network.pyramid.backbone", "lit_vision.models.backbones.resnet.resnet18"),
    # Hardly trained, every box is unsure: keep some of any score.
    *("--model.network.selection", '{"score": 0.0, "per_level": 300, "nms": 0.7, "limit": 100}'),
    *("--trainer.max_steps", "2", "--trainer.val_check_interval", "2", "--run", "run"),
)
# Five batches of training images, dealt to one, two and three processes.
RECOMPUTED = (
    *("--protocol", "lit_vision.protocols.recomputed.Recomputed"),
    *("--protocol.images", "20", "--protocol.batch", "4"),
)
WORLDS = (1, 2, 3)


def figures(folder, world_size):
    """Of every rank."""
    return [torch.load(folder / f"{world_size}.rank{rank}.pt") for rank in range(world_size)]


@pytest.mark.parametrize("kind", ["classification", "recomputed statistics", "detection"])
def test_the_figures_of_21_images_do_not_depend_on_the_number_of_processes(tmp_path, kind):
    classifies, options = kind != "detection", RECOMPUTED if kind == "recomputed statistics" else ()
    if classifies:
        folders.small(tmp_path / "images", splits={"train": 8, "val": 7, "test": 7})
    else:
        voc.folder(tmp_path / "own", {"train": 4, "val": 3, "test": 21}, commands.NAMES)
    world.run(commands.command, 1, tmp_path, ["fit", *(CLASSIFIER if classifies else DETECTOR)])
    for size in WORLDS:
        weights = ("--ckpt_path", "run/checkpoints/last.ckpt")
        texts = world.run(commands.evaluate, size, tmp_path, size, "test", *weights, *options)
        assert texts[0].count("test: 21 images evaluated, 0 skipped") == 1
        assert all("evaluated" not in text for text in texts[1:])
    (alone,) = figures(tmp_path, 1)
    assert classifies or alone["test/ar100"] > 0
    assert alone.keys() >= ({"test/error", "test/loss"} if classifies else {"test/ap", "test/ap/bolt"})
    for size in WORLDS[1:]:
        for found in figures(tmp_path, size):
            assert found.keys() == alone.keys()
            wrong = [name for name in alone if not torch.equal(found[name].nan_to_num(-1), alone[name].nan_to_num(-1))]
            assert wrong == []
    sizes = " and ".join(map(str, WORLDS))
    record.append(what="world sizes compared, figures equal to the bit", of=kind, number=len(alone), world_sizes=sizes)


def test_what_is_drawn_at_random_does_not_depend_on_the_number_of_processes(tmp_path):
    """The rectifiers' variance: gradients are drawn by the number of a batch, and means have no order."""
    options = ("--config", "rectifiers/variance", "--row", "he", "--trainer.logger", "false", "--model.width", "64")
    for size in (1, 2):
        world.run(commands.evaluate, size, tmp_path, size, "test", *options, "--run", f"of{size}")
    (alone,), together = figures(tmp_path, 1), figures(tmp_path, 2)
    assert alone.keys() == {"test/forward_slope", "test/backward_slope"}
    for found in together:
        assert {name: float(value) for name, value in found.items()} == {n: float(v) for n, v in alone.items()}
