"""Where classes and functions are defined, by parsing files: torch would take seconds to import. No torch here."""

import ast
import functools
import importlib.util
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path

_HOPS = 10  # imports that a name may pass through on its way to its definition


Statement = ast.ClassDef | ast.FunctionDef | ast.Assign


@dataclass(frozen=True)
class Definition:
    """A class or function as its file spells it, or the assignment that makes a builder of this package.

    Attributes:
        module: Dotted name of the module that holds it.
        node: Its statement.
    """

    module: str
    node: Statement

    @property
    def path(self) -> str:
        """Its class path."""
        return f"{self.module}.{_name(self.node)}"

    def meant_by(self, expression: ast.expr) -> "Definition | None":
        """What a name, a dotted name or a subscripted one stands for in this definition's module."""
        if isinstance(expression, ast.Subscript):
            return self.meant_by(expression.value)
        dotted = ast.unparse(expression)
        first, _, rest = dotted.partition(".")
        module = _module(self.module)
        if not isinstance(expression, ast.Name | ast.Attribute) or module is None:
            return None
        if isinstance(target := module.names.get(first), str):
            return find(f"{target}.{rest}" if rest else target)
        return find(f"{self.module}.{dotted}")


@dataclass(frozen=True)
class _Module:
    """The top level of a module: what its names stand for, and modules of which it takes all names."""

    names: dict[str, str | Statement]
    starred: list[str]


@functools.cache
def find(path: str) -> Definition | None:
    """The definition that a class path leads to; None where no file tells."""
    for _ in range(_HOPS):
        module, _, name = path.rpartition(".")
        content = _module(module) if module else None
        if content is None:
            return None
        found = content.names.get(name)
        if found is None:
            starred = (find(f"{other}.{name}") for other in content.starred)
            return next((definition for definition in starred if definition), None)
        if not isinstance(found, str):
            return Definition(module, found)
        path = found
    return None


@functools.cache
def _module(name: str) -> _Module | None:
    spec = _spec(name)
    if spec is None or not (spec.origin or "").endswith(".py"):
        return None
    try:
        tree = ast.parse(Path(str(spec.origin)).read_bytes())
    except (OSError, SyntaxError, ValueError):
        return None
    package = name if spec.submodule_search_locations else name.rpartition(".")[0]
    module = _Module({}, [])
    for statement in _top_level(tree.body):
        if isinstance(statement, ast.ClassDef | ast.FunctionDef | ast.Assign):
            if not isinstance(statement, ast.Assign) or name.startswith("lit_vision."):
                module.names[_name(statement)] = statement
        elif isinstance(statement, ast.Import):
            tops = {entry.name.partition(".")[0] for entry in statement.names if not entry.asname}
            module.names.update({top: top for top in tops})
            module.names.update({entry.asname: entry.name for entry in statement.names if entry.asname})
        elif isinstance(statement, ast.ImportFrom):
            parent = _absolute(statement, package)
            names = [entry.name for entry in statement.names]
            module.starred.extend([parent] if names == ["*"] else [])
            module.names.update({entry.asname or entry.name: f"{parent}.{entry.name}" for entry in statement.names})
    return module


def _name(statement: Statement) -> str:
    """What a statement gives a name to; empty for an assignment that calls nothing."""
    if not isinstance(statement, ast.Assign):
        return statement.name
    target = statement.targets[0]
    return target.id if isinstance(target, ast.Name) and isinstance(statement.value, ast.Call) else ""


def _top_level(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements of a module, those below `if` and `try` too; of overloads and branches the last counts."""
    for statement in body:
        if isinstance(statement, ast.If | ast.Try):
            yield from _top_level(statement.orelse)
            yield from _top_level(statement.body)
        else:
            yield statement


def _absolute(statement: ast.ImportFrom, package: str) -> str:
    if not statement.level:
        return statement.module or ""
    parents = package.split(".")
    return ".".join([*parents[: len(parents) - statement.level + 1], *([statement.module] if statement.module else [])])


def _spec(name: str) -> ModuleSpec | None:
    """Where a module is, without importing the packages around it."""
    top, *below = name.split(".")
    try:
        spec = importlib.util.find_spec(top)
    except ValueError:  # a module without a specification, such as a script
        return None
    for depth, _ in enumerate(below, 1):
        if spec is None or spec.submodule_search_locations is None:
            return None
        spec = PathFinder.find_spec(".".join([top, *below[:depth]]), spec.submodule_search_locations)
    return spec
