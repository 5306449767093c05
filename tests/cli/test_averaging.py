"""Averaged weights (EMA) by Lightning's own callback: what is saved, tested and judged is the average."""

import json
from pathlib import Path

import torch

from lit_vision.tasks.classification import Classification
from tests.cli.conftest import TINY

DECAY = 0.8
CALLBACK = (
    "[{class_path: lightning.pytorch.callbacks.EMAWeightAveraging, "
    f"init_args: {{decay: {DECAY}, use_buffers: true}}}}]"
)


def test_the_average_is_saved_and_tested(command, monkeypatch):
    seen, tested = [], []
    monkeypatch.setattr(
        Classification, "on_train_batch_end", lambda task, *_: seen.append({n: p.clone() for n, p in weights(task)})
    )
    monkeypatch.setattr(
        Classification, "on_test_start", lambda task: tested.append({n: p.clone() for n, p in weights(task)})
    )
    command("fit", *TINY, "--trainer.callbacks", CALLBACK, "--run", "run")
    expected = seen[0]
    for after in seen[1:]:  # Lightning's first average is the first step's weights
        expected = {name: DECAY * expected[name] + (1 - DECAY) * after[name] for name in expected}
    saved = torch.load("run/checkpoints/last.ckpt", weights_only=True)["state_dict"]
    for name, average in expected.items():
        torch.testing.assert_close(saved[name], average, rtol=1e-5, atol=1e-6)
        assert torch.equal(tested[-1][name], saved[name])
    assert not torch.allclose(seen[-1]["network.fc.weight"], saved["network.fc.weight"], rtol=1e-3)


def weights(task):
    return [(name, parameter.detach()) for name, parameter in task.named_parameters()]


def test_a_callback_that_changes_training_makes_a_stand_in(command):
    command("fit", *TINY, "--trainer.callbacks", CALLBACK, "--run", "run")
    result = json.loads(Path("run/result.json").read_text())
    assert "trainer.callbacks" in result["changed"]
    assert result["verdict"] == "stand-in"
    command("test", "--ckpt_path", "run/checkpoints/last.ckpt")
