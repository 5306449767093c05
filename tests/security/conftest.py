import copy
import time

import pytest
import torch
from torch import nn

from lit_vision import build, cli
from lit_vision.experiment import recipes

PIPELINE = {
    "class_path": "lit_vision.data.pipelines.small.SmallImages",
    "init_args": {"pad": 1, "flip": False, "size": 8},
}


class Attack:
    """Writes checkpoints as an attacker would, and tells whether their program ran.

    Args:
        folder: Where they go.
        capsys: Pytest's.
    """

    def __init__(self, folder, capsys):
        self.folder = folder
        self.capsys = capsys
        self.mark = folder / "ran"

    @property
    def popen(self):
        """Leaves the mark as soon as anybody builds it."""
        return {"class_path": "subprocess.Popen", "init_args": {"args": f"touch '{self.mark}'", "shell": True}}

    def write(self, change=lambda content: None):
        """A sound checkpoint with one change; returns its path."""
        config = {key: copy.deepcopy(DIGITS[key]) for key in ("model", "data", "seed_everything")}
        net = build.part(nn.Module, config["model"]["init_args"]["network"], num_classes=10)
        content = {"config": config, "class_names": [str(n) for n in range(10)], "pipeline": copy.deepcopy(PIPELINE)}
        change(content)
        path = self.folder / "evil.ckpt"
        state = {f"network.{key}": value for key, value in net.state_dict().items()}
        torch.save({"lit_vision": content, "state_dict": state, "global_step": 0}, path)
        return str(path)

    def refused(self, *arguments):
        """The message of a command that must refuse before anything ran; at most three lines."""
        code = cli.main([str(argument) for argument in arguments])
        error = self.capsys.readouterr().err
        time.sleep(0.05)  # what was started has its moment
        assert not self.mark.exists()
        assert code == cli.BAD_INPUT, error
        message = error[error.index("error: ") :].strip()
        assert len(message.splitlines()) <= 3, message
        return message


DIGITS = recipes.resolve(["quickstart/digits"]).config


@pytest.fixture
def attack(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    return Attack(tmp_path, capsys)
