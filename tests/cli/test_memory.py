"""Out of memory: the batch, its size and the switches that help."""

import pytest
import torch

from lit_vision.tasks.classification import Classification
from tests.cli.conftest import TINY


@pytest.fixture
def full(monkeypatch):
    """Memory that is used up at a step, by the class of error that a GPU or the CPU's allocator raises."""

    def fill(step, error, phase="training"):
        for name in ("training_step", "_evaluate"):
            whole = getattr(Classification, name)

            def faulty(task, *arguments, whole=whole):
                if task.trainer.global_step == step and getattr(task.trainer, phase):
                    raise error
                return whole(task, *arguments)

            monkeypatch.setattr(Classification, name, faulty)

    return fill


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:124] . DefaultCPUAllocator: can't allocate memory: you tried …"),
    ],
    ids=["GPU", "CPU"],
)
def test_training(command, full, error):
    full(2, error)
    message = command.error("fit", *TINY, "--trainer.precision", "32-true")
    assert message == (
        "error: out of memory in training at step 3, 64 images of 8 x 8 on this device, cpu\n"
        "what helps: --data.max_per_device 32 (accumulates; the schedule stays), or --trainer.precision bf16-mixed, "
        "or smaller images"
    )


def test_evaluation(command, full):
    full(4, torch.OutOfMemoryError("CUDA out of memory"), "validating")
    message = command.error("fit", *TINY)
    assert "out of memory in validation, 250 images of 8 x 8 on this device, cpu\n" in message
    assert "what helps: a smaller --data.eval_batch_size" in message


def test_other_errors_keep_their_traceback(command, full):
    full(2, RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
    with pytest.raises(RuntimeError, match="mat1 and mat2"):
        command("fit", *TINY)
