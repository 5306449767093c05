"""Relations between rows: parsed, never evaluated as Python.

Grammar: `row('name', metric='test/error', recipe='resnet/cifar10')` with the last two optional, numbers, `+ - * /`,
comparisons (chained ones too) and `and`. No torch here.
"""

import ast
import operator
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from lit_vision.errors import InputError


class Reference(NamedTuple):
    """A figure that a relation needs; empty `metric` and `recipe` mean the card's own."""

    row: str
    metric: str = ""
    recipe: str = ""


Lookup = Callable[[Reference], float | None]

_ARITHMETIC: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
_COMPARISON: dict[type[ast.cmpop], Callable[[float, float], bool]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}


def references(expr: str, source: str) -> list[Reference]:
    """All rows an expression names, in order, each once; this also checks its grammar.

    Raises:
        InputError: If the expression is outside the grammar.
    """
    return list(dict.fromkeys(_walk(_parse(expr, source), expr, source)))


def holds(expr: str, lookup: Lookup, source: str = "relation") -> bool | None:
    """Whether the relation holds; None while a figure is missing.

    Args:
        expr: The relation.
        lookup: Gives the figure of a reference, or None if it was not run.
        source: File and key for messages.
    """
    tree = _parse(expr, source)
    figures = {reference: lookup(reference) for reference in _walk(tree, expr, source)}
    if any(figure is None for figure in figures.values()):
        return None
    return bool(_value(tree, figures))


def _parse(expr: str, source: str) -> ast.expr:
    try:
        tree = ast.parse(expr, mode="eval").body
    except SyntaxError as error:
        raise InputError(f"{source}: {expr!r} is no relation ({error.msg})") from None
    parts = tree.values if isinstance(tree, ast.BoolOp) and isinstance(tree.op, ast.And) else [tree]
    if not all(isinstance(part, ast.Compare) for part in parts):
        raise InputError(f"{source}: {expr!r} compares nothing; write e.g. row('a') - row('b') > 0")
    return tree


def _walk(node: ast.expr, expr: str, source: str) -> Iterator[Reference]:
    """Yields the references below `node`, refusing everything outside the grammar."""
    match node:
        case ast.BoolOp(op=ast.And(), values=values):
            children = values
        case ast.Compare(left=left, ops=ops, comparators=rest) if all(type(op) in _COMPARISON for op in ops):
            children = [left, *rest]
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _ARITHMETIC:
            children = [left, right]
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            children = [operand]
        case ast.Constant(value=int() | float() as number) if not isinstance(number, bool):
            children = []
        case ast.Call(func=ast.Name(id="row")):
            yield _reference(node, expr, source)
            children = []
        case _:
            part = ast.get_source_segment(expr, node) or expr
            raise InputError(
                f"{source}: {part!r} is not allowed in a relation; "
                "use row('name', metric=, recipe=), numbers, + - * /, comparisons, and"
            )
    for child in children:
        yield from _walk(child, expr, source)


def _reference(call: ast.Call, expr: str, source: str) -> Reference:
    named = {keyword.arg: keyword.value for keyword in call.keywords}
    texts = [node.value for node in [*call.args, *named.values()] if isinstance(node, ast.Constant)]
    complete = len(texts) == len(call.args) + len(named) and all(isinstance(text, str) for text in texts)
    if len(call.args) != 1 or not complete or not set(named) <= {"metric", "recipe"}:
        raise InputError(f"{source}: {ast.unparse(call)!r} should read row('name', metric='…', recipe='…')")
    keywords: dict[str, Any] = {str(name): node.value for name, node in named.items() if isinstance(node, ast.Constant)}
    return Reference(str(texts[0]), **keywords)


def _value(node: ast.expr, figures: dict[Reference, float | None]) -> float | bool:
    match node:
        case ast.BoolOp(values=values):
            return all(_value(value, figures) for value in values)
        case ast.Compare(left=left, ops=ops, comparators=rest):
            numbers = [_value(part, figures) for part in [left, *rest]]
            return all(_COMPARISON[type(op)](a, b) for op, a, b in zip(ops, numbers[:-1], numbers[1:], strict=True))
        case ast.BinOp(left=left, op=op, right=right):
            return _ARITHMETIC[type(op)](_value(left, figures), _value(right, figures))
        case ast.UnaryOp(operand=operand):
            return -_value(operand, figures)
        case ast.Constant(value=int() | float() as number):
            return number
        case _:
            assert isinstance(node, ast.Call)
            figure = figures[_reference(node, "", "")]
            assert figure is not None
            return figure
