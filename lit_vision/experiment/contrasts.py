"""Arithmetic over named figures, as `(plain56 - plain20) - (residual56 - residual20)`: parsed, never run as Python.

Grammar: names, numbers, `+ - * /`, a minus sign in front, and brackets. No torch here.
"""

import ast
import operator
from collections.abc import Callable, Iterator, Mapping

from lit_vision import nearest
from lit_vision.errors import InputError

_ARITHMETIC: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: lambda a, b: a / b if b else float("nan"),  # a ratio to nothing is no figure
}


def check(expr: str, names: Mapping[str, object], source: str) -> None:
    """Checks that an expression is within the grammar and names all of what it may name, and nothing else.

    Args:
        expr: The expression.
        names: What it must name.
        source: File and key for messages.

    Raises:
        InputError: Names the place, and the nearest name.
    """
    found = dict.fromkeys(_names(_parse(expr, source), expr, source))
    for name in found:
        if name not in names:
            raise InputError(f"{source}: there is no {name!r}; {nearest.hint(name, names)}")
    if unused := [name for name in names if name not in found]:
        raise InputError(f"{source}: {expr!r} leaves out {', '.join(unused)}; name it there, or drop it")


def value(expr: str, figures: Mapping[str, float]) -> float:
    """The expression's value; NaN where it divides by zero.

    Args:
        expr: An expression that `check` let pass.
        figures: Figures by name.
    """
    return _value(_parse(expr, "expression"), figures)


def names(expr: str) -> list[str]:
    """The names of an expression that `check` let pass, in the order in which they first stand there."""
    return list(dict.fromkeys(_names(_parse(expr, "expression"), expr, "expression")))


def is_difference_of_two(expr: str) -> bool:
    """Whether an expression is one name minus another."""
    match _parse(expr, "expression"):
        case ast.BinOp(left=ast.Name(), op=ast.Sub(), right=ast.Name()):
            return True
    return False


def _parse(expr: str, source: str) -> ast.expr:
    try:
        return ast.parse(expr.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise InputError(f"{source}: {expr!r:.80} cannot be read ({getattr(error, 'msg', 'too deep')})") from None


def _names(node: ast.expr, expr: str, source: str) -> Iterator[str]:
    """Names below `node`, refusing everything outside the grammar."""
    match node:
        case ast.Name(id=name):
            yield name
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _ARITHMETIC:
            yield from _names(left, expr, source)
            yield from _names(right, expr, source)
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            yield from _names(operand, expr, source)
        case ast.Constant(value=int() | float() as number) if not isinstance(number, bool):
            pass
        case _:
            part = ast.get_source_segment(expr.strip(), node) or expr
            raise InputError(f"{source}: {part!r} is not allowed here; use arms, numbers, + - * / and brackets")


def _value(node: ast.expr, figures: Mapping[str, float]) -> float:
    match node:
        case ast.Name(id=name):
            return figures[name]
        case ast.BinOp(left=left, op=op, right=right):
            return _ARITHMETIC[type(op)](_value(left, figures), _value(right, figures))
        case ast.UnaryOp(operand=operand):
            return -_value(operand, figures)
        case _:
            return float(ast.literal_eval(node))  # `check` lets nothing else pass
