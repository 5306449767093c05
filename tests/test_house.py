"""Rules of the house: who imports whom, what stays free of torch, what the pages and the README say."""

import ast
import json
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from lit_vision import cli

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "lit_vision"

# Architecture, Section 4: each room may import itself and these; what is not listed may be imported by all.
ALLOWED = {
    "ops": {"ops"},
    "models": {"models", "ops"},
    "data": {"data", "ops"},
    "metrics": {"metrics", "ops"},
    "protocols": {"protocols", "models", "ops"},
    "analyses": {"analyses", "models", "ops"},
    "tasks": {"tasks", "protocols", "models", "metrics", "ops"},
    "loggers": {"loggers"},
    "report": {"report"},
    "sweeps": {"sweeps"},
    "callbacks": {"callbacks", "loggers", "metrics", "ops"},
}
ROOMS = {*ALLOWED, "verbs"}


def imported(file):
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("lit_vision"):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.startswith("lit_vision"))


@pytest.mark.parametrize("room", sorted(ALLOWED))
def test_import_directions(room):
    wrong = [
        f"{file.relative_to(ROOT)} imports {name}"
        for file in (PACKAGE / room).rglob("*.py")
        for name in imported(file)
        if (other := name.split(".")[1]) in ROOMS and other not in ALLOWED[room]
    ]
    assert wrong == []


def test_only_the_command_imports_verbs():
    others = [file for file in PACKAGE.rglob("*.py") if "verbs" not in file.relative_to(PACKAGE).parts]
    users = {file.name for file in others if any(".verbs" in name for name in imported(file))}
    assert users == {"cli.py"}


@pytest.mark.parametrize(
    "arguments",
    [
        *(["--help"], ["recipes", "ls", "--json"], ["data", "ls"], ["data", "where", "imagenet"]),
        # No runs: an error, but a light one.
        *(["report", "recipes"], ["compare", "recipes", "tests"], ["sync", "recipes"], ["sweep", "status", "none"]),
        *(["claims", "ls"], ["claims", "verdict", "--all"]),
    ],
)
def test_light_commands_import_no_torch(arguments):
    code = (
        "import sys; from lit_vision import cli; cli.main(sys.argv[1:]); print('torch' in sys.modules, file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, cwd=ROOT, check=True
    )
    assert done.stderr.strip().splitlines()[-1] == "False"


def test_init_files_are_empty():
    assert [str(file) for file in PACKAGE.rglob("__init__.py") if file.read_text()] == []


def test_pages_are_what_their_lines_say(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["render.py", "--check"])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(ROOT / "docs" / "results" / "render.py"), run_name="__main__")
    assert ended.value.code == 0


# The second snippet at a size for tests.
SHORT = {"max_steps=50": "max_steps=2", "DigitScenes()": "DigitScenes(size=64, train=32, val=4, test=4, batch_size=4)"}


@pytest.mark.parametrize(("snippet", "shorter", "steps"), [(0, {}, 50), (1, SHORT, 2)])
def test_the_readme_s_python_runs_in_eight_lines(tmp_path, monkeypatch, snippet, shorter, steps):
    monkeypatch.chdir(tmp_path)
    code = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.S)[snippet]
    lines = [line for line in code.splitlines() if line and not line.startswith(("import lightning", "import torch"))]
    assert len(lines) <= 8
    for long, short in shorter.items():
        assert long in code
        code = code.replace(long, short)
    namespace = {}
    exec(code, namespace)
    assert namespace["model"].trainer.global_step == steps


def test_the_readme_s_commands_name_real_recipes_rows_and_verbs():
    from lit_vision.experiment import recipes

    text = (ROOT / "README.md").read_text()
    commands = re.findall(r"^lit-vision (\w+)(.*)$", text, re.M)
    assert len(commands) >= 10
    for verb, rest in commands:
        assert verb in cli.VERBS
        for recipe in re.findall(r"(?:--config|show|cp) ([\w/]+/\w+)", rest):
            row = re.search(r'--row "([^"]+)"', rest)
            path = recipes.find(recipe)
            if row and not recipe.startswith("overlays"):
                recipes.read_card(str(path)).row(row[1])


def test_listing_has_the_promised_keys():
    done = subprocess.run(
        [sys.executable, "-m", "lit_vision", "recipes", "ls", "--json"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=True,
    )
    entries = json.loads(done.stdout)
    assert list(entries[0]) == [
        *("recipe", "row", "paper", "where", "metric", "value", "tolerance"),
        *("source", "stand_in", "quoted", "marks"),
    ]
    twenty = next(entry for entry in entries if entry["row"] == "resnet-20")
    assert (twenty["paper"], twenty["value"], twenty["where"]) == ("1512.03385", 8.75, "Table 6, ResNet-20")
