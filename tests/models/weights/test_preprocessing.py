"""Weights name what they were trained with; a run that does otherwise is told, or refused where it misreads them."""

import functools
import types

import lightning as L
import pytest
import torch
import torchvision
from torchvision.models._api import WeightsEnum

from lit_vision.data.digits import Digits
from lit_vision.data.pipelines import photos
from lit_vision.data.pipelines.small import SmallImages
from lit_vision.errors import InputError
from lit_vision.models.backbones import resnet
from lit_vision.models.classifier import Classifier
from lit_vision.models.normalise import IMAGENET_MEAN, IMAGENET_STD, Normalise
from lit_vision.models.weights import preprocessing
from lit_vision.models.weights.preprocessing import Preprocessing
from lit_vision.tasks.classification import Classification
from tests.models.weights.test_classifiers import PublicNet, save

CIFAR_MEAN, CIFAR_STD = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)
ADVICE = (
    "set model.network.normalise (lit_vision.models.normalise.Normalise, mean, std), or data.pipeline's; "
    "see docs/public-weights.md"
)


@pytest.fixture
def file(tmp_path):
    return save(PublicNet().state_dict(), tmp_path / "public.th")


def classifier(file, **options):
    return Classifier(resnet.resnet20(pad="both"), 10, weights=file, **options)


def small(mean, std):
    return SmallImages(pad=1, flip=False, size=8, mean=mean, std=std)


def run(verb, network, pipeline, **options):
    """One verb of Lightning's trainer on the digits."""
    module = Classification(network, functools.partial(torch.optim.SGD, lr=0.01))
    quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
    trainer = L.Trainer(max_steps=1, accelerator="cpu", enable_model_summary=False, **quiet, **options)
    return getattr(trainer, verb)(module, datamodule=Digits(pipeline=pipeline)), module


def test_every_public_layout_names_its_own(file, monkeypatch):
    assert classifier(file).expects == Preprocessing(f"{file} (the public CIFAR layout)", crop=32)
    monkeypatch.setattr(WeightsEnum, "get_state_dict", lambda *_, **__: torchvision.models.resnet18().state_dict())
    net = resnet.resnet18(shortcut="B", weights="IMAGENET1K_V1")
    assert net.expects == Preprocessing("ResNet18_Weights.IMAGENET1K_V1", IMAGENET_MEAN, IMAGENET_STD, 256, 224)
    # torchvision's second release is tested on another short side, and says so itself.
    monkeypatch.setattr(WeightsEnum, "get_state_dict", lambda *_, **__: torchvision.models.resnet50().state_dict())
    assert resnet.resnet50(stride_on="3x3", weights="IMAGENET1K_V2").expects.short_side == 232


def test_our_own_files_expect_nothing(tmp_path):
    file = save(Classifier(resnet.resnet20(), 10).state_dict(), tmp_path / "ours.pt")
    assert classifier(file).expects is None


@pytest.mark.parametrize(
    ("mean", "std", "misread"),
    [
        (IMAGENET_MEAN, IMAGENET_STD, None),
        # White is (1 - 0.4465) / 0.2616 - (1 - 0.406) / 0.225 = 0.52 standard deviations off: another figure, no chaos.
        (CIFAR_MEAN, CIFAR_STD, False),
        # The paper's: white is (1 - 0.5) * 255 = 127.5 instead of 2.2.
        ((0.5, 0.5, 0.5), (1 / 255,) * 3, True),
        (torch.full((3, 4, 4), 0.5), (1 / 255,) * 3, True),
    ],
)
def test_normalisation_is_compared_pixel_by_pixel(mean, std, misread):
    found = preprocessing.clash(Preprocessing("FILE"), Normalise(mean, std), None)
    assert (found and found.misread) == misread


def test_the_message_has_both_sides_and_what_to_set():
    found = preprocessing.clash(
        Preprocessing("FILE", crop=32), Normalise(CIFAR_MEAN, CIFAR_STD), small("channel", None)
    )
    assert found.message == (
        "weights: FILE was trained with mean (0.485, 0.456, 0.406) and std (0.229, 0.224, 0.225), "
        f"not (0.4914, 0.4822, 0.4465) and (0.247, 0.2435, 0.2616); images of 32 x 32, not 8 x 8\n{ADVICE}"
    )


def test_short_side_and_crop_are_compared():
    wanted = Preprocessing("R", short_side=232, crop=224)
    assert preprocessing.clash(wanted, Normalise(), photos.modern(short_side=232)) is None
    found = preprocessing.clash(wanted, Normalise(), photos.paper(crop=192))
    assert found.message.startswith(
        "weights: R was trained with images of 224 x 224, not 192 x 192; a short side of 232, not 256\n"
    )
    assert not found.misread
    # A detection pipeline says neither.
    assert preprocessing.clash(wanted, Normalise(), types.SimpleNamespace(input_size=None)) is None


@pytest.mark.parametrize("verb", ["test", "validate"])
def test_misread_weights_are_refused_where_nothing_is_trained(verb, file):
    with pytest.raises(InputError) as error:
        run(verb, classifier(file), small("pixel", None))
    assert str(error.value).startswith(f"weights: {file} (the public CIFAR layout) was trained with mean (0.485, 0.456")
    assert str(error.value).count("\n") <= 2


def test_training_on_from_them_is_warned_of_once_and_then_tested(file):
    with pytest.warns(UserWarning, match=r"was trained with mean \(0\.485") as told:
        _, module = run("fit", classifier(file), small("pixel", None), limit_train_batches=1, limit_val_batches=1)
    assert sum("was trained with" in str(warning.message) for warning in told) == 1
    assert preprocessing.expected(module.network) == []


def test_a_checkpoint_brings_its_own_normalisation(file):
    module = Classification(classifier(file), functools.partial(torch.optim.SGD, lr=0.01))
    module.on_load_checkpoint({})
    assert preprocessing.expected(module.network) == []


def test_fitting_preprocessing_is_silent(file, recwarn):
    network = Classifier(resnet.resnet20(pad="both"), 10, weights=file)
    network.expects = Preprocessing("FILE", crop=8)
    run("test", network, small(IMAGENET_MEAN, IMAGENET_STD))
    assert [str(warning.message) for warning in recwarn if "weights" in str(warning.message)] == []


def test_a_normalisation_that_the_user_gave_stays():
    given = Normalise(CIFAR_MEAN, CIFAR_STD)
    _, module = run("test", Classifier(resnet.resnet20(), 10, normalise=given), small("pixel", None))
    assert module.network.normalise.mean.flatten().tolist() == pytest.approx(CIFAR_MEAN)
    assert module.network.normalise.std.flatten().tolist() == pytest.approx(CIFAR_STD)
    _, module = run("test", Classifier(resnet.resnet20(), 10), small("pixel", None))
    assert module.network.normalise.mean.shape == (3, 8, 8)
