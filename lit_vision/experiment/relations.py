"""Relations between rows: parsed and judged, never evaluated as Python.

Grammar: `row('name', metric='test/error', recipe='resnet/cifar10')` is our figure and `paper('name', …)` the printed
one, both with metric and recipe optional; numbers, `abs(…)`, `+ - * /`, comparisons (chained ones too) and `and`.
No torch here.
"""

import ast
import operator
import statistics
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal, NamedTuple

from lit_vision.errors import InputError
from lit_vision.experiment import intervals

Word = Literal["holds", "does not hold", "undecided", "not run"]
Seeds = Mapping[int | None, float]


class Reference(NamedTuple):
    """A figure that a relation needs; empty `metric` and `recipe` mean the card's own.

    `printed` is the paper's figure instead of ours.
    """

    row: str
    metric: str = ""
    recipe: str = ""
    printed: bool = False


class Judgement(NamedTuple):
    """What may be said of a relation.

    Attributes:
        word: `holds`, `does not hold`, `undecided`, or `not run` while a figure is missing.
        seeds: Fewest seeds of a row that it names.
        figures: Our means and the printed figures, by reference.
        left: Left side by the means; None while a figure is missing, and where several things are compared.
        interval: 95 % interval of left minus right side; None with fewer than three seeds of a row, and as above.
    """

    word: Word
    seeds: int
    figures: dict[Reference, float | None]
    left: float | None = None
    interval: tuple[float, float] | None = None

    def told(self, stand_in: bool = False) -> str:
        """The verdict as text: with the number of seeds where they are too few, and said to be of stand-ins."""
        if self.word == "not run":
            return self.word
        few = 0 < self.seeds < intervals.FEWEST
        remarks = [f"{self.seeds} seed{'s' * (self.seeds > 1)}"] * few + ["stand-in"] * stand_in
        return f"{self.word} ({', '.join(remarks)})" if remarks else self.word


_ARITHMETIC: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: lambda a, b: a / b if b else float("nan"),  # a ratio to nothing compares with nothing
}
_COMPARISON: dict[type[ast.cmpop], Callable[[float, float], bool]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}

Figures = Mapping[Reference, float]
Pair = tuple[ast.expr, ast.cmpop, ast.expr]


def references(expr: str, source: str) -> list[Reference]:
    """All rows an expression names, in order, each once; this also checks its grammar.

    Raises:
        InputError: If the expression is outside the grammar.
    """
    return list(dict.fromkeys(_walk(_parse(expr, source), expr, source)))


def judge(expr: str, lookup: Callable[[Reference], Seeds], source: str = "relation") -> Judgement:
    """Judges a relation; the only function that does.

    Each comparison is judged by its left side minus its right side. With three seeds or more of every row that it
    names, the 95 % interval of that difference decides (Student's t over the seeds that all of them ran, if these are
    three; else Welch's, by the means and their standard errors); a difference whose interval holds zero is undecided.
    With fewer seeds the means decide. The relation holds if all its comparisons do.

    Args:
        expr: The relation.
        lookup: Gives the figure of a reference by seed, empty if it was not run; a printed figure has the seed None.
        source: File and key for messages.

    Raises:
        InputError: If the expression is outside the grammar.
    """
    tree = _parse(expr, source)
    named = references(expr, source)
    found = {reference: dict(lookup(reference)) for reference in named}
    means = {reference: statistics.fmean(values.values()) if values else None for reference, values in found.items()}
    seeds = min((len(values) for reference, values in found.items() if not reference.printed), default=0)
    if not all(found.values()):
        return Judgement("not run", seeds, means)
    pairs = list(_pairs(tree))
    parts = [_compare(pair, found) for pair in pairs]
    words = [word for word, _ in parts]
    word: Word = "holds" if set(words) == {"holds"} else "does not hold" if "does not hold" in words else "undecided"
    if len(pairs) > 1:
        return Judgement(word, seeds, means)
    return Judgement(word, seeds, means, _value(pairs[0][0], _known(means)), parts[0][1])


def _known(means: Mapping[Reference, float | None]) -> Figures:
    return {reference: mean for reference, mean in means.items() if mean is not None}


def _compare(pair: Pair, found: Mapping[Reference, Seeds]) -> tuple[Word, tuple[float, float] | None]:
    """Word and interval of one comparison."""
    left, op, right = pair
    compares = _COMPARISON[type(op)]
    concerned = {reference: found[reference] for side in (left, right) for reference in _walk(side, "", "")}
    ours = {reference: values for reference, values in concerned.items() if not reference.printed}
    means = {reference: statistics.fmean(values.values()) for reference, values in concerned.items()}

    def difference(figures: Figures) -> float:
        return _value(left, figures) - _value(right, figures)

    if not ours or min(map(len, ours.values())) < intervals.FEWEST:
        return ("holds" if compares(difference(means), 0) else "does not hold"), None
    value, half = _interval(difference, means, ours)
    low, high = value - half, value + half
    outcomes = {compares(low, 0), compares(high, 0)}
    word: Word = "undecided" if len(outcomes) > 1 else "holds" if outcomes == {True} else "does not hold"
    return word, (low, high)


def _interval(
    difference: Callable[[Figures], float], means: Figures, ours: Mapping[Reference, Seeds]
) -> tuple[float, float]:
    """The difference and how far its 95 % interval reaches: paired by the seeds that all rows share, else Welch."""
    shared = set.intersection(*(set(values) for values in ours.values()))
    if len(shared) >= intervals.FEWEST:
        each = [difference({**means, **{one: seeds[seed] for one, seeds in ours.items()}}) for seed in shared]
        return statistics.fmean(each), intervals.half_width(each)
    squares, weighted = [], []
    for reference, values in ours.items():
        error = statistics.stdev(values.values()) / len(values) ** 0.5
        step = 1e-3 * max(1.0, abs(means[reference]))  # exact for sums; for products and ratios close to the tangent
        up, down = (difference({**means, reference: means[reference] + sign * step}) for sign in (1, -1))
        squares.append(((up - down) / (2 * step) * error) ** 2)
        weighted.append(squares[-1] ** 2 / (len(values) - 1))
    total = sum(squares)
    return difference(means), intervals.reach(total**0.5, total**2 / sum(weighted)) if total else 0.0


def _parse(expr: str, source: str) -> ast.expr:
    try:
        tree = ast.parse(expr.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise InputError(f"{source}: {expr!r:.80} is no relation ({getattr(error, 'msg', 'too deep')})") from None
    parts = tree.values if isinstance(tree, ast.BoolOp) and isinstance(tree.op, ast.And) else [tree]
    if not all(isinstance(part, ast.Compare) for part in parts):
        raise InputError(f"{source}: {expr!r} compares nothing; write e.g. row('a') - row('b') > 0")
    return tree


def _pairs(tree: ast.expr) -> Iterator[Pair]:
    """The comparisons of a relation, a chain as one for each of its links."""
    for part in tree.values if isinstance(tree, ast.BoolOp) else [tree]:
        assert isinstance(part, ast.Compare)
        sides = [part.left, *part.comparators]
        yield from zip(sides[:-1], part.ops, sides[1:], strict=True)


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
        case ast.Call(func=ast.Name(id="abs"), args=[inside], keywords=[]):
            children = [inside]
        case ast.Call(func=ast.Name(id="row" | "paper")):
            yield _reference(node, source)
            children = []
        case _:
            part = ast.get_source_segment(expr, node) or expr
            raise InputError(
                f"{source}: {part!r} is not allowed in a relation; "
                "use row('name', metric=, recipe=), paper('name', …), numbers, abs, + - * /, comparisons, and"
            )
    for child in children:
        yield from _walk(child, expr, source)


def _reference(call: ast.Call, source: str) -> Reference:
    assert isinstance(call.func, ast.Name)
    named = {keyword.arg: keyword.value for keyword in call.keywords}
    texts = [node.value for node in [*call.args, *named.values()] if isinstance(node, ast.Constant)]
    complete = len(texts) == len(call.args) + len(named) and all(isinstance(text, str) for text in texts)
    if len(call.args) != 1 or not complete or not set(named) <= {"metric", "recipe"}:
        raise InputError(f"{source}: {ast.unparse(call)!r} should read {call.func.id}('name', metric='…', recipe='…')")
    keywords: dict[str, Any] = {str(name): node.value for name, node in named.items() if isinstance(node, ast.Constant)}
    return Reference(str(texts[0]), printed=call.func.id == "paper", **keywords)


def _value(node: ast.expr, figures: Figures) -> float:
    match node:
        case ast.BinOp(left=left, op=op, right=right):
            return _ARITHMETIC[type(op)](_value(left, figures), _value(right, figures))
        case ast.UnaryOp(operand=operand):
            return -_value(operand, figures)
        case ast.Constant(value=int() | float() as number):
            return number
        case ast.Call(func=ast.Name(id="abs"), args=[inside]):
            return abs(_value(inside, figures))
        case _:
            assert isinstance(node, ast.Call)
            return figures[_reference(node, "")]
