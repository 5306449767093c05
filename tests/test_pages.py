"""Whatever pages, comments, docstrings, messages and recipes name is there: files, tests, rows, classes, options."""

import argparse
import ast
import functools
import importlib
import re
from pathlib import Path

import pytest

from lit_vision import cli
from lit_vision.experiment import compose, recipes, sections
from lit_vision.session import resolution

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "lit_vision"
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
CODE = sorted(PACKAGE.rglob("*.py"))
RECIPES = [*sorted((ROOT / "recipes").rglob("*.yaml")), *sorted((ROOT / "sweeps").rglob("*.yaml"))]
SCRIPTS = [*sorted((ROOT / "benchmarks").glob("*.py")), *sorted((ROOT / "docs").rglob("*.py")), ROOT / "Makefile"]
SOURCES = [*PAGES, *CODE, *RECIPES, *SCRIPTS]
ROOMS = sorted({file.relative_to(PACKAGE).parts[0].removesuffix(".py") for file in CODE if file.name != "__init__.py"})

# Options of other programs: torchrun, srun, git, pytest; and any option at all.
FOREIGN = {
    *(
        "--nnodes",
        "--nproc_per_node",
        "--node_rank",
        "--rdzv_backend",
        "--master_addr",
        "--master_port",
        "--standalone",
    ),
    *("--run-path", "--wait", "--requeue", "--porcelain", "--short", "--key", "--KEY"),
}
# What a command on a page makes.
MADE = {"recipes/mine.yaml"}
# Where runs lie: folders of the user's, and no rooms.
OF_RUNS = ("runs/claims/", "runs/sweeps/")
# Recipes whose resolved keys are all that pages and messages name.
RESOLVED = (
    *(("quickstart/digits", None), ("quickstart/own_boxes", None), ("resnet/imagenet", "resnet-50")),
    *(("retinanet/r50_fpn_coco", "minival"), ("fpn/faster_rcnn_coco", "R-50"), ("resnet/cifar10", "resnet-110")),
)


def found(pattern, files=SOURCES, flags=0):
    """Every match of a pattern, with its file and line: `(where, match)`."""
    for file in files:
        text = file.read_text()
        for match in re.finditer(pattern, text, flags):
            yield f"{file.relative_to(ROOT)}:{text.count(chr(10), 0, match.start()) + 1}", match


def wrong(matches, is_there):
    """Where something is named that is not there; that nothing is named at all is a broken pattern."""
    matches = list(matches)
    assert len(matches) > 2
    return [f"{where} {match[0]}" for where, match in matches if not is_there(match)]


def test_links_of_pages_lead_to_files():
    links = [
        (where, target)
        for page in PAGES
        for where, match in found(r"\]\(([^)#\s]+)[^)]*\)", [page])
        if not (target := match[1]).startswith("http") and not (page.parent / target).exists()
    ]
    assert links == []


def test_paths_in_the_repository_exist():
    def is_there(match):
        path = match[0].rstrip("./")
        return any((ROOT / f"{path}{suffix}").exists() for suffix in ("", ".yaml", ".md")) or path in MADE

    tops = "lit_vision|docs|tests|recipes|sweeps|benchmarks"
    assert wrong(found(rf"(?<![\w/.…>}}])(?:{tops})/(?:[\w./-]*\w|)(?![\w<{{-])"), is_there) == []


def test_paths_in_the_package_exist():
    paths = found(rf"(?<![\w/.…])(?:{'|'.join(ROOMS)})/[\w/]*(?:\.py\b|/(?=[\s`,<]))", [*PAGES, *CODE])
    paths = [(where, match) for where, match in paths if not match[0].startswith(OF_RUNS)]
    assert wrong(paths, lambda match: (PACKAGE / match[0]).exists() or (ROOT / match[0]).exists()) == []
    names = {
        file.name for folder in ("lit_vision", "tests", "benchmarks", "docs") for file in (ROOT / folder).rglob("*")
    }
    assert wrong(found(r"`(\w+\.py)`", [*PAGES, *CODE]), lambda match: match[1] in names) == []


def test_tests_that_are_named_exist():
    def is_there(match):
        return f"def {match[2]}(" in (ROOT / match[1]).read_text()

    assert wrong(found(r"(tests/[\w/]+\.py)::(\w+)"), is_there) == []
    everything = "\n".join(file.read_text() for file in (ROOT / "tests").rglob("test_*.py"))
    assert wrong(found(r"`(test_\w+)`", PAGES), lambda match: f"def {match[1]}(" in everything) == []


@functools.cache
def names_in(module):
    """What a module defines, methods and fields of its classes as `Class.name`, without importing it."""
    names = set()
    for node in ast.parse(module.read_text()).body:
        names |= (
            {*_names(node), *(f"{node.name}.{n}" for part in node.body for n in _names(part))}
            if isinstance(node, ast.ClassDef)
            else _names(node)
        )
    return names


def _names(node):
    if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
        return {node.name}
    if isinstance(node, ast.Assign):
        return {target.id for target in node.targets if isinstance(target, ast.Name)}
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        return {alias.asname or alias.name for alias in node.names}
    return {node.target.id} if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) else set()


def imports(path):
    """Whether a dotted path below the package is a room, a module, or something that a module defines."""
    parts = path.split(".")
    for count in range(len(parts), 0, -1):
        module = ROOT.joinpath(*parts[:count])
        if module.is_dir():
            return count == len(parts)
        if module.with_suffix(".py").is_file():
            return count == len(parts) or ".".join(parts[count:]) in names_in(module.with_suffix(".py"))
    return False


def test_dotted_paths_import():
    assert wrong(found(r"\blit_vision(?:\.\w+)+"), lambda match: imports(match[0])) == []
    # Messages and pages leave the package's name out.
    shorter = found(rf"(?<![\w./])(?:{'|'.join(ROOMS)})\.(?:\w+\.)*\w+\.[A-Z]\w+")
    assert wrong(shorter, lambda match: imports(f"lit_vision.{match[0]}")) == []
    assert imports("lit_vision.tasks.task.Task.look")
    assert not imports("lit_vision.tasks.task.Task.looks")


def test_classes_of_the_page_of_protocols_exist():
    text = (ROOT / "docs" / "protocols.md").read_text()
    named = re.findall(r"^\| `(\w+\.\w+)` \|", text, re.M)
    assert len(named) >= 5
    assert [name for name in named if not imports(f"lit_vision.protocols.{name}")] == []


def test_recipes_that_are_named_exist():
    folders = {name.split("/")[0] for name in recipes.names()} | {recipes.OVERLAYS}
    known = {*recipes.names(), *(f"{recipes.OVERLAYS}/{file.stem}" for file in (ROOT / "recipes/overlays").iterdir())}
    named = found(rf"(?<![\w/.])(?:{'|'.join(sorted(folders))})/(?!imagenet\.|cifar\.)[a-z]\w+(?![\w/.])")
    assert wrong(named, lambda match: match[0] in known or (PACKAGE / match[0]).exists()) == []
    configured = found(r"--config ([a-z]\w*/\w+)")
    assert wrong(configured, lambda match: match[1] in known) == []


def test_rows_that_are_named_exist():
    def is_there(match):
        row = match[2] or match[3]
        return row == "ROW" or row in recipes.read_card(match[1]).rows

    named = list(found(r"(?:--config|show|cp|slurm) ([a-z]\w*/\w+)[^\n`]*? --row (?:\"([^\"{]+)\"|([\w-]+))"))
    assert len(named) > 20
    assert wrong(named, is_there) == []


def of_parser(parser):
    """Options of a parser and of those below it."""
    for action in parser._actions:
        yield from action.option_strings
        if isinstance(action, argparse._SubParsersAction):
            for below in action.choices.values():
                yield from of_parser(below)


def of_verbs():
    modules = [
        importlib.import_module(f"lit_vision.verbs.{file.stem}") for file in (PACKAGE / "verbs").glob("[a-z]*.py")
    ]
    return {option for module in modules if hasattr(module, "_parser") for option in of_parser(module._parser())}


def test_options_that_are_named_exist():
    known = {*of_verbs(), *sections.OPTIONS, *(f"--{name}" for name in sections.SECTIONS), *FOREIGN, "--version"}
    known |= {*cli._FLAGS, *cli._VALUED, *(match[1] for _, match in found(r"\"(--[a-z][\w-]*)\"", SCRIPTS))}
    named = found(r"(?<![\w-])--[A-Za-z][\w-]*(?![\w.{])", [*PAGES, *CODE, *RECIPES])
    assert wrong(named, lambda match: match[0] in known) == []


@pytest.fixture(scope="module")
def keys():
    """Every dotted key of some recipes' resolved configurations, and of the parts that contain them."""
    found = set()
    for recipe, row in RESOLVED:
        flat = compose.flatten(resolution.resolved(recipes.resolve([recipe], row)))
        found |= {key[:end] for key in flat for end in [*(m.start() for m in re.finditer(r"\.", key)), len(key)]}
    return found


def test_keys_that_are_named_exist(keys):
    options = found(r"(?<![\w-])--((?:data|model|trainer|checkpoint|nonfinite)(?:\.\w+)+)", [*PAGES, *CODE, *SCRIPTS])
    assert wrong(options, lambda match: match[1] in keys or match[1].endswith(".help")) == []
    rooms = {"data.formats", "data.names"}  # in the table of rooms
    written = found(r"`((?:data|model|trainer|checkpoint|nonfinite)\.(?!jsonl)\w+(?:\.\w+)*)[:` ]", PAGES)
    assert wrong(written, lambda match: match[1] in keys | rooms) == []


def test_no_page_is_cited_that_is_not_in_the_repository():
    assert [where for where, _ in found(r"[Aa]rchitecture,? (?:§|Section)|floor[- ]plan|schema\.md")] == []
