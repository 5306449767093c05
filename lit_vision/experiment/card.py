"""The recipe card: which table a recipe stands for, what each row should reach, and which claims join the rows.

The schema is architecture §5. No torch here: listing two hundred rows must stay instant.
"""

import dataclasses
import types
import typing
from dataclasses import dataclass, field
from typing import Any

from lit_vision import nearest
from lit_vision.errors import InputError
from lit_vision.experiment import relations

DEFAULT_TOLERANCE = 0.5  # percentage points, where a paper gives no spread of its own
SPLITS_OF_SERVERS = ("test-dev", "server")


@dataclass(frozen=True)
class Row:
    """One line of a paper's table.

    Attributes:
        where: Table and line, e.g. `Table 6, ResNet-20`.
        metric: Name of the judged figure; the card's when left out.
        value: The paper's figure; None where it prints none (then `claim` says what it does say).
        claim: The paper's statement in our words.
        also: Further figures of the same line, metric name to value.
        tolerance: Accepted distance from `value`, in the metric's unit.
        split: Where it is measured; the card's when left out.
        source: `paper`, or the named release whose protocol this is.
        deviations: What this row does differently from its source, beside the card's.
        stand_in: True for rows that no table has: smaller data, no downloads.
        set: Dotted overrides that make the recipe this row.
    """

    where: str = ""
    metric: str = ""
    value: float | None = None
    claim: str = ""
    also: dict[str, float] = field(default_factory=dict)
    tolerance: float = DEFAULT_TOLERANCE
    split: str = ""
    source: str = "paper"
    deviations: list[str] = field(default_factory=list)
    stand_in: bool = False
    set: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Relation:
    """A claim of the paper as an inequality between rows; grammar in `relations.py`.

    Attributes:
        id: Short name, unique in the card.
        expr: For example `row('resnet-20') - row('resnet-32') > 0`.
        where: Table, figure or section that claims it.
        paper: The paper's own figure for the left side, where it prints one.
        claim: The claim in our words.
    """

    id: str
    expr: str
    where: str = ""
    paper: float | None = None
    claim: str = ""


@dataclass(frozen=True)
class Card:
    """What a recipe stands for.

    Attributes:
        paper: arXiv identifier; empty for recipes of no paper.
        title: One line for listings.
        hardware: What the paper used, or what the recipe assumes.
        metric: Logged name of the judged figure, in percent: the test pass of the last checkpoint on `split`.
        split: Where it is measured.
        deviations: What differs from the paper for every row.
        differs_from: The sibling recipe this one was copied from, and the dotted keys that differ.
        rows: By name, in the order of the table.
        relations: Claims that join rows.
    """

    paper: str = ""
    title: str = ""
    hardware: str = ""
    metric: str = "test/error"
    split: str = "test"
    deviations: list[str] = field(default_factory=list)
    differs_from: dict[str, list[str]] = field(default_factory=dict)
    rows: dict[str, Row] = field(default_factory=dict)
    relations: list[Relation] = field(default_factory=list)

    def row(self, name: str, recipe: str = "this recipe") -> Row:
        """The named row with the card's metric and split filled in.

        Raises:
            InputError: If there is no such row; names the nearest.
        """
        if name not in self.rows:
            raise InputError(f"{recipe} has no row {name!r}; {nearest.hint(name, self.rows)}")
        row = self.rows[name]
        return dataclasses.replace(row, metric=row.metric or self.metric, split=row.split or self.split)


def parse(content: Any, source: str) -> Card:
    """Builds a card from plain YAML values, refusing unknown keys and wrong types at every depth.

    Args:
        content: What stands under `card:`.
        source: File name for messages.

    Raises:
        InputError: Names file, key, what was expected and the nearest valid key.
    """
    card: Card = _build(Card, content, "card", source)
    if not isinstance(content.get("paper", ""), str):
        raise InputError(f"{source}: card.paper must be quoted, or YAML reads a float: got {content['paper']!r}")
    for name, row in card.rows.items():
        if row.value is None and not row.claim:
            raise InputError(f"{source}: card.rows.{name} needs a value or, where the paper prints none, a claim")
        if row.tolerance <= 0:
            raise InputError(f"{source}: card.rows.{name}.tolerance must be positive, got {row.tolerance}")
    seen: set[str] = set()
    for relation in card.relations:
        if relation.id in seen:
            raise InputError(f"{source}: card.relations has the id {relation.id!r} twice")
        seen.add(relation.id)
        for reference in relations.references(relation.expr, f"{source}: card.relations.{relation.id}"):
            if not reference.recipe:
                card.row(reference.row, f"{source}: card.relations.{relation.id}: the card")
    return card


def _build(kind: Any, content: Any, key: str, source: str) -> Any:
    """One value of type `kind`: a dataclass, a container of such, or a scalar."""
    if dataclasses.is_dataclass(kind):
        return _build_dataclass(kind, content, key, source)
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is dict and isinstance(content, dict):
        return {str(name): _build(arguments[1], value, f"{key}.{name}", source) for name, value in content.items()}
    if origin is list and isinstance(content, list):
        return [_build(arguments[0], value, f"{key}[{index}]", source) for index, value in enumerate(content)]
    if origin is types.UnionType:
        return None if content is None else _build(arguments[0], content, key, source)
    if kind is Any or (isinstance(kind, type) and isinstance(content, kind) and (kind is bool or content is not True)):
        return content
    if kind is float and isinstance(content, int) and not isinstance(content, bool):
        return float(content)
    expected = getattr(origin or kind, "__name__", str(kind))
    raise InputError(f"{source}: {key} should be a {expected}, got {content!r}")


def _build_dataclass(kind: Any, content: Any, key: str, source: str) -> Any:
    if not isinstance(content, dict):
        raise InputError(f"{source}: {key} should be a mapping, got {content!r}")
    hints = typing.get_type_hints(kind)
    for name in content:
        if name not in hints:
            raise InputError(f"{source}: {key} has no key {name!r}; {nearest.hint(str(name), hints)}")
    for entry in dataclasses.fields(kind):
        required = entry.default is dataclasses.MISSING and entry.default_factory is dataclasses.MISSING
        if required and entry.name not in content:
            raise InputError(f"{source}: {key} needs the key {entry.name!r}")
    return kind(**{name: _build(hints[name], value, f"{key}.{name}", source) for name, value in content.items()})
