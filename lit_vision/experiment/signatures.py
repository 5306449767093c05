"""What classes and functions take, read from their files, so that a typo costs no import of torch. No torch here.

`None` means that the files do not tell; whoever imports the class (`names`) knows.
"""

import ast
import functools
from collections.abc import Iterator, Mapping, Sequence

from lit_vision.experiment import definitions
from lit_vision.experiment.definitions import Definition

Parameters = Mapping[str, ast.expr | None]
"""Annotations by parameter, those that `**kwargs` passes on included."""


def parameters(path: str) -> Parameters | None:
    """The parameters of a class or function by its class path; None where its file does not tell."""
    found = definitions.find(path)
    return None if found is None else _of(found)


def ancestry(path: str) -> list[str]:
    """A class and its bases, the nearest first, as far as files tell."""
    found = definitions.find(path)
    return [] if found is None else [each.path for each in _lineage(found)]


def is_abstract(path: str) -> bool:
    """Whether a class leaves methods to its subclasses."""
    found = definitions.find(path)
    known: dict[str, bool] = {}
    for owner in _lineage(found) if found else ():
        for method in _methods(owner):
            known.setdefault(method.name, any("abstract" in ast.unparse(mark) for mark in method.decorator_list))
    return any(known.values())


def mapping_of(path: str, parameter: str) -> str | None:
    """The class of ours whose arguments a parameter takes as a mapping, `{low: 0.4}`; None for any other kind."""
    found = definitions.find(path)
    annotation = (parameters(path) or {}).get(parameter)
    if found is None or annotation is None:
        return None
    owner = next((each for each in _lineage(found) if _says(each, annotation)), found)
    meant = [found for kind in _kinds(annotation) if (found := owner.meant_by(kind)) and _is_class_of_ours(found)]
    return None if len(meant) != 1 or is_abstract(meant[0].path) else meant[0].path


def _says(owner: Definition, annotation: ast.expr) -> bool:
    return any(node is annotation for node in ast.walk(owner.node))


def _kinds(annotation: ast.expr) -> list[ast.expr]:
    """What a union may be, `A | B | None`, from left to right."""
    if isinstance(annotation, ast.BinOp):
        return [*_kinds(annotation.left), *_kinds(annotation.right)]
    return [annotation]


def _is_class_of_ours(found: Definition) -> bool:
    return isinstance(found.node, ast.ClassDef) and found.module.startswith("lit_vision.")


@functools.cache
def _of(definition: Definition) -> Parameters | None:
    if isinstance(definition.node, ast.FunctionDef):
        return _of_function(definition, definition.node)
    if isinstance(definition.node, ast.Assign):
        return _of_builder(definition)
    for owner in _lineage(definition):
        if _has_fields(owner):
            return _fields(owner)
        for method in _methods(owner):
            if method.name == "__init__":
                return _of_function(owner, method)
    return None


def _of_function(owner: Definition, function: ast.FunctionDef) -> Parameters | None:
    every = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
    is_method = function is not owner.node
    own: dict[str, ast.expr | None] = {each.arg: each.annotation for each in every[is_method:]}
    if function.args.kwarg is None:
        return own
    passed = _passed_on(owner, function, function.args.kwarg.arg)
    return None if passed is None else own | {name: value for name, value in passed.items() if name not in own}


def _of_builder(owner: Definition) -> Parameters | None:
    """What `partial(family, …)` leaves open, in an assignment of this package."""
    calls = (node for node in ast.walk(owner.node) if isinstance(node, ast.Call))
    made = next((call for call in calls if ast.unparse(call.func) == "partial"), None)
    family = owner.meant_by(made.args[0]) if made else None
    accepted = _of(family) if family else None
    return None if made is None or accepted is None else _without_given(accepted, made, made.args[1:])


def _without_given(accepted: Parameters, call: ast.Call, positional: Sequence[ast.expr]) -> Parameters:
    given = {*list(accepted)[: len(positional)], *(keyword.arg for keyword in call.keywords)}
    return {name: value for name, value in accepted.items() if name not in given}


def _passed_on(owner: Definition, function: ast.FunctionDef, kwargs: str) -> Parameters | None:
    """What `**kwargs` may hold: the parameters of whatever it is handed to, without those that are given there."""
    calls = [node for node in ast.walk(function) if isinstance(node, ast.Call) and _hands_on(node, kwargs)]
    uses = [node for node in ast.walk(function) if isinstance(node, ast.Name) and node.id == kwargs]
    if not calls or len(uses) != len(calls):  # it is looked into, too
        return None
    found: dict[str, ast.expr | None] = {}
    for call in calls:
        target = _called(owner, call)
        accepted = _of(target) if target else None
        if accepted is None:
            return None
        found |= _without_given(accepted, call, call.args)
    return found


def _hands_on(call: ast.Call, kwargs: str) -> bool:
    return any(
        keyword.arg is None and isinstance(keyword.value, ast.Name) and keyword.value.id == kwargs
        for keyword in call.keywords
    )


def _called(owner: Definition, call: ast.Call) -> Definition | None:
    if ast.unparse(call.func) == "super().__init__":
        return next(iter(list(_lineage(owner))[1:]), None)
    return owner.meant_by(call.func)


def _lineage(definition: Definition) -> Iterator[Definition]:
    """A class and its bases, depth first."""
    yield definition
    for base in definition.node.bases if isinstance(definition.node, ast.ClassDef) else ():
        if (found := definition.meant_by(base)) and isinstance(found.node, ast.ClassDef):
            yield from _lineage(found)


def _methods(owner: Definition) -> Iterator[ast.FunctionDef]:
    return (entry for entry in _body(owner) if isinstance(entry, ast.FunctionDef))


def _fields(definition: Definition) -> Parameters:
    """The fields of a dataclass or named tuple, those of its bases first; nothing for other classes."""
    found: dict[str, ast.expr | None] = {}
    for owner in reversed(list(_lineage(definition))):
        entries = [entry for entry in _body(owner) if isinstance(entry, ast.AnnAssign)] if _has_fields(owner) else []
        found |= {entry.target.id: entry.annotation for entry in entries if isinstance(entry.target, ast.Name)}
    return found


def _has_fields(owner: Definition) -> bool:
    if not isinstance(owner.node, ast.ClassDef):
        return False
    marks = [ast.unparse(mark) for mark in (*owner.node.decorator_list, *owner.node.bases)]
    return any(mark.startswith(("dataclass", "NamedTuple")) for mark in marks)


def _body(owner: Definition) -> list[ast.stmt]:
    return owner.node.body if isinstance(owner.node, ast.ClassDef) else []
