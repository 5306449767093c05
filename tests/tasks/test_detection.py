"""The detection task: original pixels, logged figures, what a checkpoint keeps."""

import lightning as L
import pytest
import torch

from lit_vision.data.digit_scenes import DigitScenes
from lit_vision.errors import InputError
from lit_vision.loggers.metrics_file import MetricsFile
from lit_vision.metrics.coco import CocoAP
from lit_vision.metrics.voc import VocAP
from lit_vision.models.backbones import resnet
from lit_vision.models.pyramid import Pyramid
from lit_vision.models.retinanet import RetinaNet
from lit_vision.ops.pixels import to_original
from lit_vision.protocols.crops import TenCrop
from lit_vision.protocols.flip import Flip
from lit_vision.runs import folder as runs
from lit_vision.tasks.detection import Detection
from lit_vision.types import Detections


def trainer(folder, steps, **options):
    return L.Trainer(
        max_steps=steps,
        accelerator="cpu",
        logger=MetricsFile(folder / "metrics.jsonl"),
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
        num_sanity_val_steps=0,
        **options,
    )


def sgd(parameters):
    return torch.optim.SGD(parameters, lr=1e-3)


def test_boxes_return_to_original_pixels_by_each_side_s_own_factor():
    found = Detections(torch.tensor([[0.0, 10, 50, 100], [90, 90, 100, 100]]), torch.ones(2), torch.zeros(2))
    # 333 x 501 resized to 67 x 100: the height's factor is 333/67, the width's 501/100.
    moved = to_original(found, torch.tensor([67, 100]), torch.tensor([333, 501])).boxes
    torch.testing.assert_close(moved[0], torch.tensor([0, 10 * 333 / 67, 250.5, 333.0]))
    assert moved[1].tolist() == [pytest.approx(450.9), 333.0, 501.0, 333.0]


def digits(**options):
    return DigitScenes(size=64, train=8, val=4, test=4, batch_size=2, **options)


def small():
    return RetinaNet(Pyramid(resnet.resnet18(), levels=range(3, 6), channels=16), num_classes=10)


def test_logged_losses_are_means_since_the_last_log_and_figures_are_named(tmp_path):
    task, run = Detection(small(), sgd, metrics=[CocoAP(), VocAP()]), trainer(tmp_path, 4, log_every_n_steps=2)
    run.fit(task, datamodule=digits())
    lines = [line for line in runs.read_metrics(tmp_path / "metrics.jsonl") if "train/loss" in line]
    assert [line["step"] for line in lines] == [2, 4]
    for line in lines:
        assert line["train/loss"] == pytest.approx(line["train/cls"] + line["train/box"], rel=1e-5)
    (result,) = run.test(task, datamodule=digits(), verbose=False)
    assert {"test/ap", "test/ap50", "test/map", "test/ap/3", "test/ap50/3", "test/map/3"} <= result.keys()


def test_validation_answers_fast_and_the_test_officially():
    task = Detection(small(), sgd)
    assert [metric.backend for metric in task.val_metrics] == ["fast"]
    assert [metric.backend for metric in task.test_metrics] == ["official"]
    assert [metric.num_classes for metric in (*task.val_metrics, *task.test_metrics)] == [10, 10]


def test_a_detector_of_other_classes_is_refused(tmp_path):
    task = Detection(RetinaNet.example(), sgd)
    with pytest.raises(Exception, match=r"the network has 3 classes, but DigitScenes has 10"):
        trainer(tmp_path, 1).fit(task, datamodule=digits())


def test_channels_last_lays_the_weights_so():
    task = Detection(small(), sgd, channels_last=True)
    weight = task.network.pyramid.smooth["3"].weight
    assert weight.is_contiguous(memory_format=torch.channels_last)


def test_a_protocol_looks_in_place_of_the_detector(tmp_path):
    """Mirrored scenes are detected too; what is found counts images, not looks."""
    task, data = Detection(small(), optimizer=sgd), digits()
    task.look(Flip())
    counted = []
    task.test_metrics[0].update = lambda found, targets: counted.append((len(found), len(targets)))
    task.test_metrics[0].compute = dict
    task.test_metrics[0].per_class = dict
    seen, own = [], task.network.candidates
    task.network.candidates = lambda *arguments: seen.append(1) or own(*arguments)
    trainer(tmp_path, 1).test(task, datamodule=data, verbose=False)
    assert sum(found for found, _ in counted) == sum(targets for _, targets in counted) == 4
    assert len(seen) == 2 * len(counted)


def test_a_protocol_of_classifiers_is_refused():
    with pytest.raises(InputError, match=r"^protocol TenCrop is not for the task Detection: it is no BoxProtocol$"):
        Detection(small(), optimizer=sgd).look(TenCrop(7))
