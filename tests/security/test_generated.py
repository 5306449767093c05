"""Everything that takes a path, a command or a function, in every place where a checkpoint may name something."""

import importlib
import inspect
import itertools
import pkgutil
import re

import lightning
import pytest
import torch
import torchvision

import lit_vision
from lit_vision.errors import InputError
from lit_vision.experiment import trust, trusted

_WORDS = re.compile(
    r"(?:^|_)(?:path|file|filename|dir|dirs|folder|root|dest|url|args|cmd|command|fn|func|function|callable|lambd|hook"
    r"|lr_lambda|f|name|module|model|cls|target|script|kind|weights)(?:$|_)"
)
_SKIPPED = re.compile(
    r"\._|\.testing|\.test|__main__|torch\.(?:utils\.(?:tensorboard|benchmark|bottleneck)|onnx|ao|fx|_)"
)
COUNT = 200


def modules(package, deep):
    yield package
    if deep:
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not _SKIPPED.search(found.name):
                yield importlib.import_module(found.name)
    else:  # torch has thousands; those that are imported anyway
        prefix = f"{package.__name__}."
        yield from [
            m for n, m in sorted(__import__("sys").modules.items()) if n.startswith(prefix) and inspect.ismodule(m)
        ]


def dangerous():
    """Dotted paths below the three packages, re-exports included, of what takes a path, a command or a function."""
    for package, deep in ((lit_vision, True), (torch, False), (torchvision, False)):
        for module in modules(package, deep):
            for name, value in sorted(vars(module).items()):
                if not callable(value) or _SKIPPED.search(f"{module.__name__}.{name}"):
                    continue
                try:
                    accepted = inspect.signature(value).parameters
                except (TypeError, ValueError):
                    continue
                if any(_WORDS.search(parameter) for parameter in accepted):
                    yield f"{module.__name__}.{name}"


def places(value):
    """The value in every kind of place: as a whole, nested, in a list, a mapping, an untyped parameter, a union."""
    photographs = {
        "class_path": "lit_vision.data.pipelines.photos.Photographs",
        "init_args": {"train": [value], "eval": []},
    }
    crop = {"class_path": "torchvision.transforms.v2.CutMix", "init_args": {"labels_getter": value}}
    pad = {"class_path": "torchvision.transforms.v2.Pad", "init_args": {"padding": 1, "fill": {"x": value}}}
    sgd = {"class_path": "torch.optim.SGD", "init_args": {"lr": 0.1, "foreach": value}}
    task = "lit_vision.tasks.classification.Classification"
    yield "pipeline", value
    yield "pipeline", photographs
    yield "pipeline", {**photographs, "init_args": {"train": [crop], "eval": []}}
    yield "pipeline", {**photographs, "init_args": {"train": [pad], "eval": []}}
    yield "pipeline", {**photographs, "dict_kwargs": {"x": value}}
    yield "config", {"model": value}
    yield "config", {"data": value}
    yield "config", {"trainer": {"callbacks": [value]}}
    yield "config", {"checkpoint": value}
    yield "config", {"model": {"class_path": task, "init_args": {"network": value}}}
    yield "config", {"model": {"class_path": task, "init_args": {"optimizer": value}}}
    yield "config", {"model": {"class_path": task, "init_args": {"optimizer": sgd}}}
    yield "config", {"model": {"class_path": task, "init_args": {"class_names": [value]}}}


def forms(path):
    """A path alone, with arguments, and hidden in text."""
    yield path
    yield {"class_path": path, "init_args": {"args": ["touch", "x"], "path": "/etc/passwd", "root": "/"}}
    yield f"{{class_path: {path}, init_args: {{args: [touch, x]}}}}"


def built(held):
    """All class paths that would be built of what has passed."""
    if isinstance(held, dict):
        if "class_path" in held:
            yield held["class_path"]
        for value in held.values():
            yield from built(value)
    elif isinstance(held, list):
        for value in held:
            yield from built(value)


def on_the_list(path):
    """Whether a path is listed, or a class or builder of ours of a role, defined where its name says."""
    module, _, name = path.rpartition(".")
    if module in trusted.LISTED:
        return name in trusted.LISTED[module]
    target = getattr(importlib.import_module(module), name)
    made = target if isinstance(target, type) else inspect.get_annotations(target, eval_str=True)["return"]
    roles = (lightning.LightningModule, lightning.LightningDataModule, torch.nn.Module)
    in_room = module.split(".")[1] in trusted.ROOMS and (target.__module__, target.__qualname__) == (module, name)
    return in_room and (issubclass(made, roles) or module.startswith(("lit_vision.data.", "lit_vision.tasks.optim")))


def judge(kind, value):
    """What would be built of the value, None where it is refused. Nothing is built here."""
    try:
        return list(built((trust.pipeline if kind == "pipeline" else trust.configuration)(value, "evil.ckpt")))
    except InputError:
        return None


@pytest.fixture(scope="module")
def callables():
    return sorted(set(dangerous()))


def test_two_hundred_callables_in_every_place(callables):
    ours = [path for path in callables if path.startswith("lit_vision.")]
    others = [path for path in callables if not path.startswith("lit_vision.")]
    step = max(1, len(others) // COUNT)
    chosen = [*ours, *others[::step]]
    assert len(others) > 5 * COUNT
    assert len(ours) > COUNT
    refused = passed = 0
    for path in chosen:
        for kind, value in itertools.chain.from_iterable(map(places, forms(path))):
            found = judge(kind, value)
            refused += found is None
            passed += found is not None
            assert all(map(on_the_list, found or [])), (path, found)
    assert refused + passed > 10_000
    assert refused > 5 * passed  # what passes is a class of ours in its place, or text where text is asked for


@pytest.mark.parametrize(
    "path",
    [
        *(
            "torch.load",
            "torch.save",
            "torch.hub.load",
            "torch.jit.load",
            "torch.compile",
            "torch.classes.load_library",
        ),
        *("torch.ops.load_library", "torch.utils.cpp_extension.load", "torch.utils.data.DataLoader"),
        *("torchvision.io.read_file", "torchvision.io.write_file", "torchvision.datasets.CIFAR10"),
        *("torchvision.datasets.utils.download_url", "torchvision.transforms.Lambda", "torch.nn.Module"),
        *("lightning.Trainer", "lightning.pytorch.callbacks.LambdaCallback", "lightning.pytorch.loggers.CSVLogger"),
        *("subprocess.Popen", "os.system", "builtins.eval", "pathlib.Path", "shutil.rmtree", "lit_vision.cli.main"),
    ],
)
def test_the_well_known_ones(path):
    for form in forms(path):
        for kind, value in places(form):
            found = judge(kind, value)
            assert path not in (found or []), (kind, value)
            assert all(map(on_the_list, found or [])), (kind, value)
