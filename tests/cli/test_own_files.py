"""A user's own files: copies of recipes, classes of a package in the current folder."""

from pathlib import Path

import pytest

from lit_vision.experiment import recipes, yamlio


def test_a_copy_stands_for_the_row_until_it_is_edited(command):
    command("recipes", "cp", "resnet/cifar10", "mine.yaml")
    copied = recipes.resolve(["mine.yaml"], "resnet-32")
    original = recipes.resolve(["resnet/cifar10"], "resnet-32")
    assert copied.config == original.config
    assert (copied.name, copied.copy_of, copied.changed) == ("mine", "resnet/cifar10", [])
    assert copied.expected() == original.expected()
    text = Path("mine.yaml").read_text()
    assert "weight_decay: 1e-4" in text
    Path("mine.yaml").write_text(text.replace("weight_decay: 1e-4", "weight_decay: 0"))
    assert recipes.resolve(["mine.yaml"], "resnet-32").changed == ["model.optimizer.weight_decay"]


def test_a_copy_with_another_figure_does_not_stand_for_the_row(command):
    command("recipes", "cp", "quickstart/digits", "mine.yaml")
    text = Path("mine.yaml").read_text()
    Path("mine.yaml").write_text(text.replace("value: 1.5", "value: 9.5"))
    assert recipes.resolve(["mine.yaml"]).changed == ["card"]


def test_a_row_is_copied_as_it_is_set(command):
    command("recipes", "cp", "resnet/cifar10", "mine.yaml", "--row", "resnet-32")
    copied = recipes.resolve(["mine.yaml"])
    assert copied.config == recipes.resolve(["resnet/cifar10"], "resnet-32").config
    assert (copied.row, copied.changed) == ("resnet-32", [])
    assert list(yamlio.load(Path("mine.yaml"))["card"]["rows"]) == ["resnet-32"]
    assert "has no row 'resnet-3'" in command.error("recipes", "cp", "resnet/cifar10", "b.yaml", "--row", "resnet-3")
    assert not Path("b.yaml").exists()


def test_a_place_that_takes_no_file_is_named(command):
    Path("file").write_text("")
    assert command.error("recipes", "cp", "quickstart/digits", "file/mine.yaml") == (
        "error: cannot write file/mine.yaml (File exists); name another place"
    )


PACKAGE = """
from torch import nn

from lit_vision.models.backbones.base import Backbone


class Mine(Backbone):
    def __init__(self, width: int = 4):
        super().__init__()
        self.channels = {0: width}
        self.conv = nn.Conv2d(3, width, 3, padding=1)

    def forward(self, images):
        return {0: self.conv(images)}

    def parts(self):
        return {0: [self.conv]}

    @classmethod
    def example(cls):
        return cls()


class Plain(nn.Module):
    def forward(self, images):
        return images
"""


@pytest.fixture
def package(command, request):
    """A package of one's own in the current folder, of a name that no other test uses."""
    name = f"own_{abs(hash(request.node.name))}"
    Path(name).mkdir()
    Path(name, "nets.py").write_text(PACKAGE)
    return f"{name}.nets"


ONE = (
    *("fit", "--config", "quickstart/digits", "--trainer.logger", "false", "--trainer.max_steps", "1"),
    *("--trainer.val_check_interval", "1", "--run", "run"),
)


def test_a_package_in_the_current_folder_is_found_by_every_verb(command, package):
    from PIL import Image

    command(*ONE, "--model.network.backbone", f"{package}.Mine")
    file = "run/checkpoints/last.ckpt"
    Image.new("L", (8, 8)).save("a.png")
    for arguments in (["test"], ["validate"], ["predict", "a.png"]):
        assert f"it would run {package}.Mine; give --trust-code" in command.error(*arguments, "--ckpt_path", file)
        command(*arguments, "--ckpt_path", file, "--trust-code")
    command("test", "--run", "run", "--trust-code")


def test_a_module_that_is_no_backbone_is_told_what_it_lacks(command, package):
    message = command.error(*ONE, "--model.network.backbone", f"{package}.Plain")
    assert message == (
        f"error: --model.network.backbone: {package}.Plain is no Backbone; it lacks channels, example, parts;\n"
        "derive it from lit_vision.models.backbones.base.Backbone, whose documentation says what each must be"
    )
    assert not Path("run").exists()
