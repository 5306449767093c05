"""Rules of the house: who imports whom, what stays free of torch, what is rendered."""

import ast
import functools
import json
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "lit_vision"

TORCH = {"torch", "torchvision", "lightning", "torchmetrics"}


def allowed():
    """The table of rooms of `docs/architecture.md`: each room or ground-floor module, and what it may import."""
    page = (ROOT / "docs" / "architecture.md").read_text()
    table = page[page.index("| room |") :].split("\n\n")[0].splitlines()[2:]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in table]
    return {room.strip("`/"): set(re.findall(r"`([\w.]+)`", names)) for room, _, names in cells}


ALLOWED = allowed()


def room_of(file):
    return file.relative_to(PACKAGE).with_suffix("").parts[0]


def modules():
    return [file for file in PACKAGE.rglob("*.py") if file.name != "__init__.py"]


def imported(file):
    """Every import of the package's own modules in a file, also those within functions."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level:
            yield "." * node.level  # relative: the import path would not be the address
        elif isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "lit_vision":
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.split(".")[0] == "lit_vision")


def violations(room, names, rules):
    """Those of some imported names that a room may not import."""
    accepted = [f"lit_vision.{name}" for name in (room, *rules[room])]
    return [name for name in names if not any(f"{name}.".startswith(f"{other}.") for other in accepted)]


def test_every_room_and_every_loose_module_is_in_the_table_and_no_other():
    assert {room_of(file) for file in modules()} == set(ALLOWED)
    assert {name.split(".")[0] for names in ALLOWED.values() for name in names} <= set(ALLOWED)


@pytest.mark.parametrize("room", sorted(ALLOWED))
def test_import_directions(room):
    wrong = [
        f"{file.relative_to(ROOT)} imports {name}"
        for file in modules()
        if room_of(file) == room
        for name in violations(room, imported(file), ALLOWED)
    ]
    assert wrong == []


def test_what_the_table_does_not_name_is_a_violation():
    rules = {"data": {"errors", "runs.durable"}, "errors": set(), "runs": set()}
    fine = ["lit_vision.errors.InputError", "lit_vision.runs.durable", "lit_vision.data.voc", "lit_vision.data"]
    wrong = ["lit_vision.runs.folder", "lit_vision.runs.durable_too", "lit_vision.runs", "lit_vision.tasks.task", ".."]
    assert violations("data", fine + wrong, rules) == wrong


def ranks(rules):
    """Rooms from the ground up: each imports only rooms of lower floors. What is left over lies on a cycle."""
    floors, left = [], {room: {name.split(".")[0] for name in names} for room, names in rules.items()}
    while floor := [room for room, names in left.items() if not names & left.keys()]:
        floors.append(floor)
        left = {room: names for room, names in left.items() if room not in floor}
    return floors, sorted(left)


def test_rooms_stand_on_floors_without_cycles():
    floors, on_a_cycle = ranks(ALLOWED)
    assert on_a_cycle == []
    assert "errors" in floors[0]
    assert floors[-1] == ["__main__"]
    assert ranks({"a": {"b.part"}, "b": {"c"}, "c": {"a"}, "d": set()}) == ([["d"]], ["a", "b", "c"])


@functools.cache
def imported_at_once(file):
    """What importing a module imports, leaving out what its functions import when they are called."""
    names, pending = set(), list(ast.parse(file.read_text()).body)
    while pending:
        node = pending.pop()
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.update((node.module, *(f"{node.module}.{alias.name}" for alias in node.names)))
        elif not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            pending += ast.iter_child_nodes(node)
    return names


def brings_torch(file, seen):
    """Whether torch, or what is built on it, comes with a module; its own imports are followed."""
    if file in seen:
        return False
    seen.add(file)
    names = imported_at_once(file)
    own = [ROOT.joinpath(*name.split(".")).with_suffix(".py") for name in names if name.startswith("lit_vision.")]
    return bool({name.split(".")[0] for name in names} & TORCH) or any(
        brings_torch(other, seen) for other in own if other.is_file()
    )


def test_what_is_called_free_of_torch_is():
    page = (ROOT / "docs" / "architecture.md").read_text()
    (sentence,) = re.findall(r"No torch is imported by (.*?), nor by any module", page, re.S)
    rooms = set(re.findall(r"`(\w+)`", sentence))
    said = [file for file in modules() if "no torch" in (ast.get_docstring(ast.parse(file.read_text())) or "").lower()]
    free = {*said, *(file for file in modules() if room_of(file) in rooms)}
    assert len(rooms) >= 9
    assert len(said) > 50
    assert [str(file.relative_to(ROOT)) for file in free if brings_torch(file, set())] == []
    assert brings_torch(PACKAGE / "session" / "session.py", set())


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
    monkeypatch.syspath_prepend(ROOT / "docs" / "results")  # as if it were run by itself
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
