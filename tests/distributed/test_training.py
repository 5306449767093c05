"""Two processes learn what one learns: the same batches, crops, losses and weights."""

import pytest
import torch

from lit_vision.runs import folder as runs
from tests.distributed import commands, world
from tests.twins import voc

STATISTICS = ("running_mean", "running_var", "num_batches_tracked")


@pytest.mark.parametrize("norm", ["bn", "frozen"])
@pytest.mark.parametrize(("kind", "images"), [("classification", 8), ("detection", 2)])
def test_two_processes_train_as_one_that_accumulates(tmp_path, kind, images, norm):
    voc.folder(tmp_path / "own", {"train": 12, "val": 2, "test": 2}, commands.NAMES)
    texts = {size: world.run(commands.train, size, tmp_path / str(size), kind, norm)[0] for size in (1, 2)}
    losses, weights = {}, {}
    for size in (1, 2):
        lines = runs.read_metrics(tmp_path / str(size) / "metrics.jsonl")
        losses[size] = torch.tensor([line["train/loss"] for line in lines], dtype=torch.float64)
        weights[size] = torch.load(tmp_path / str(size) / "weights.pt")
    assert len(losses[1]) == 10
    assert losses[1][-1] != losses[1][0]
    torch.testing.assert_close(losses[2], losses[1], rtol=1e-5, atol=0)
    for name, expected in weights[1].items():
        if not name.endswith(STATISTICS) or norm == "frozen":
            difference = (weights[2][name] - expected).norm() / expected.norm().clamp(min=1e-12)
            assert difference < 1e-5, (name, float(difference))
    told = f"normalises by {images} images at a time; its running statistics are those of rank zero's images"
    assert (told in texts[2]) == (norm == "bn")
    assert told not in texts[1]
