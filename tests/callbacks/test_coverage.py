"""A pass that evaluates an image twice or never is an error; one that leaves images out on purpose says so."""

from types import SimpleNamespace

import pytest
import torch

from lit_vision.callbacks.coverage import Coverage
from lit_vision.types import Batch


def evaluate(coverage, batches, size, skipped=0, limit=1.0, split="test"):
    data = SimpleNamespace(val_split="val", test_split="test", splits={split: range(size)}, quarantined={})
    trainer = SimpleNamespace(
        datamodule=data,
        sanity_checking=False,
        **{f"limit_{split}_batches": limit, f"{split}_dataloaders": SimpleNamespace(skipped=skipped)},
    )
    phase = "validation" if split == "val" else "test"
    getattr(coverage, f"on_{phase}_start")(trainer, None)
    for number, count in enumerate(batches):
        images = torch.zeros(count, 3, 2, 2, dtype=torch.uint8)
        batch = Batch(images, torch.full((count, 2), 2), torch.zeros(count))
        getattr(coverage, f"on_{phase}_batch_end")(trainer, None, None, batch, number, 0)
    getattr(coverage, f"on_{phase}_epoch_end")(trainer, None)


@pytest.mark.parametrize("split", ["val", "test"])
def test_all_images_are_accounted_for(capsys, split):
    evaluate(Coverage(), [2, 2, 1], size=7, skipped=2, split=split)
    assert capsys.readouterr().err == f"{split}: 5 images evaluated, 2 skipped\n"


@pytest.mark.parametrize("batches", [[2, 2], [2, 2, 2]])
def test_a_missing_or_repeated_image_is_an_error(batches):
    with pytest.raises(RuntimeError, match=f"5 images, but {sum(batches)} were evaluated and 0 skipped by 1 pro"):
        evaluate(Coverage(), batches, size=5)


def test_a_pass_that_was_cut_short_is_left_alone(capsys):
    evaluate(Coverage(), [2], size=5, limit=1)
    assert capsys.readouterr().err == ""


def test_the_same_counts_are_told_once(capsys):
    coverage = Coverage()
    for _ in range(3):
        evaluate(coverage, [2, 3], size=5, split="val")
    evaluate(coverage, [2, 2], size=5, skipped=1, split="val")
    lines = ["val: 5 images evaluated, 0 skipped", "val: 4 images evaluated, 1 skipped"]
    assert capsys.readouterr().err.splitlines() == lines
