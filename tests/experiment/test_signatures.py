"""What files tell of classes is what importing them tells, and a typo costs no import of torch."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from lit_vision.errors import InputError
from lit_vision.experiment import compose, keys, names, recipes, signatures, trusted, yamlio

ROOT = Path(__file__).parents[2]


def public(file):
    module = ".".join(file.relative_to(ROOT).with_suffix("").parts)
    for node in ast.parse(file.read_text()).body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and not node.name.startswith("_"):
            yield f"{module}.{node.name}"


def named_in(value):
    if path := compose.class_path(value):
        yield path
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for entry in inner:
        yield from named_in(entry)


def every_path():
    """Every class that a recipe names, every one of ours that a file may name, and every listed one of others."""
    in_recipes = {path for name in recipes.names() for path in named_in(yamlio.load(recipes.find(name)))}
    ours = {
        path for room in trusted.ROOMS for file in (ROOT / "lit_vision" / room).rglob("*.py") for path in public(file)
    }
    listed = {f"{module}.{name}" for module, names_ in trusted.LISTED.items() for name in names_}
    known = {path for path in in_recipes if path.split(".")[0] in ("lit_vision", "torch", "torchvision")}
    return sorted(known | ours | listed | set(keys.OPTIONS_OF.values()))


def test_files_tell_what_importing_tells():
    unknown = []
    for path in every_path():
        told = signatures.parameters(path)
        accepted = names.parameters(names.load(path))
        if told is None:
            unknown.append(path)
            continue
        assert list(told) == list(accepted), path
        for name, annotation in accepted.items():
            kind = names.concrete_class(annotation)
            assert signatures.mapping_of(path, name) == (kind and f"{kind.__module__}.{kind.__qualname__}"), (
                path,
                name,
            )
    # Metrics look into `**kwargs`, and classes without a constructor take nothing.
    without = [path for path in unknown if names.parameters(names.load(path))]
    assert all(path.startswith("lit_vision.metrics.") for path in without)
    assert len(unknown) < 30


@pytest.mark.parametrize(
    ("key", "told"),
    [
        ("trainer.max_step", "Trainer takes no 'max_step'; did you mean 'max_steps'?"),
        ("data.pipline", "VocFormat takes no 'pipline'; did you mean 'pipeline'?"),
        ("data.pipeline.capp", "short_side takes no 'capp'; did you mean 'cap'?"),
        ("model.optimizer.lrr", "AdamW takes no 'lrr'; did you mean 'lr'?"),
        ("model.network.objective.matcher.lowest", "Matcher takes no 'lowest'; did you mean 'low'?"),
        ("model.network.pyramid.backbone.shortcutt", "resnet18 takes no 'shortcutt'; did you mean 'shortcut'?"),
        ("checkpoint.monitr", "Keep takes no 'monitr'; did you mean 'monitor'?"),
        ("nonfinite.polcy", "NonFinite takes no 'polcy'"),
    ],
)
def test_a_misspelt_key_is_told_with_its_class_and_the_nearest(key, told):
    experiment = recipes.resolve(["quickstart/own_boxes"], options=[(key, 1)])
    with pytest.raises(InputError, match="unknown key") as caught:
        keys.refuse_unknown(experiment)
    assert str(caught.value).startswith(f"--{key}: unknown key {key}; ")
    assert told in str(caught.value)


def test_every_recipe_passes():
    for name, _, row, entry in recipes.every_row():
        if not entry.quoted:
            keys.refuse_unknown(recipes.resolve([name], row))


def test_a_misspelt_key_below_a_section_imports_no_torch():
    code = """if True:
        import sys
        from lit_vision import cli
        code = cli.main(["fit", "--config", "quickstart/own_boxes", "--model.optimizer.lrr", "0.1"])
        print(code, sorted({"torch", "lightning", "torchvision"} & sys.modules.keys()))
    """
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "2 []\n"
    assert "AdamW takes no 'lrr'" in done.stderr


def test_a_class_of_the_user_s_own_is_parsed_and_never_imported(tmp_path, monkeypatch):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "__init__.py").write_text("raise SystemExit('imported')\n")
    (tmp_path / "mine" / "nets.py").write_text(
        "from .base import Base\n"
        "class Net(Base):\n    def __init__(self, depth, **kwargs):\n        super().__init__(3, **kwargs)\n"
        "class Odd(Base):\n    def __init__(self, **kwargs):\n        super().__init__(kwargs.pop('a'), **kwargs)\n"
    )
    (tmp_path / "mine" / "base.py").write_text("class Base:\n    def __init__(self, width, wide=1): ...\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert list(signatures.parameters("mine.nets.Net")) == ["depth", "wide"]
    assert signatures.parameters("mine.nets.Odd") is None
    assert signatures.parameters("mine.nets.Absent") is None
    assert signatures.parameters("no_such_package.Net") is None
