"""The recipe card: which table a recipe stands for, what each row should reach, and which claims join the rows.

`docs/architecture.md` explains its use. No torch here: listing two hundred rows must stay instant.
"""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from lit_vision import nearest
from lit_vision.errors import InputError
from lit_vision.experiment import figures, relations, typed
from lit_vision.experiment.figures import Better, Kind
from lit_vision.experiment.relations import Reference

PAPER = "paper"  # the source of a figure that the paper itself prints
DEFAULT_TOLERANCE = 0.5  # percentage points, where a paper gives no spread of its own

# Where a figure is measured. `minival` is the papers' name of COCO's val2017; servers hold the annotations of the last.
SPLITS_OF_SERVERS = ("test-dev", "test-std", "server")
SPLITS = ("train", "val", "test", "minival", *SPLITS_OF_SERVERS)

# What a row on the weights of another may set: how images are tested, never what was trained.
TESTED_KEYS = (
    *(
        "protocol",
        "data.test",
        "data.proposals.test",
        "data.pipeline.test",
        "data.pipeline.cap",
        "data.pipeline.short_side",
        "data.pipeline.test_crop",
        "data.pipeline.whole",
    ),
    *("model.metrics", "model.network.selection", "model.network.proposals.test", "model.network.proposals.leave_out"),
)


@dataclass(frozen=True)
class Printed:
    """What a paper prints of several runs of one row.

    Attributes:
        runs: How many runs; None where the paper does not say.
        best: The best of them.
        mean: Their mean.
        sd: Their standard deviation.
    """

    runs: int | None = None
    best: float | None = None
    mean: float | None = None
    sd: float | None = None

    def told(self) -> str:
        """As text: `best 6.43, mean 6.61, standard deviation 0.16 of 5 runs`."""
        named = {"best": self.best, "mean": self.mean, "standard deviation": self.sd}
        known = [f"{name} {value:g}" for name, value in named.items() if value is not None]
        return f"{', '.join(known)} of {self.runs or 'several'} runs"


@dataclass(frozen=True)
class Member:
    """One trained network of an ensemble.

    Attributes:
        row: Row that trained it.
        recipe: Its recipe; this one when left out.
        seed: Seed of its run; None takes the newest finished run.
    """

    row: str
    recipe: str = ""
    seed: int | None = None


@dataclass(frozen=True)
class Row:
    """One line of a paper's table.

    Attributes:
        where: Table and line, e.g. `Table 6, ResNet-20`; a list where one line stands in several tables.
        metric: Name of the judged figure; the card's when left out.
        value: The paper's figure; None where it prints none (then `claim` says what it does say).
        claim: The paper's statement in our words.
        also: Further figures of the same line, metric name to value; each is judged with the row's tolerance.
        by_class: The judged figure of each class, in the data's class order.
        printed: What the paper prints of several runs.
        tolerance: Accepted distance from `value`, in the metric's unit.
        split: Where it is measured; the card's when left out.
        source: `paper`, or the named release whose protocol this is.
        deviations: What this row does differently from its source, beside the card's.
        stand_in: True for rows that no table has: smaller data, no downloads.
        judged: False for figures that no other machine can repeat, such as milliseconds.
        hardware: What the paper measured this row on, where the card does not say it.
        default: True for the one row that a recipe stands for when no row is asked for.
        quoted: Why the figure is printed beside ours and never run, e.g. `other people's network`.
        weights_of: The row whose trained weights this one tests, `row` or `recipe: row`.
        starts_from: The row whose trained weights this training starts from, `row` or `recipe: row`; layers that depend
            on other classes start afresh.
        analysis: A class path with arguments: what is looked at in the weights of `weights_of`, in the runs of
            `members`, or, without either, in this recipe as it starts; then nothing is trained.
        members: The trained networks that are tested, or the runs that are looked at, together.
        until: The stage after which training ends.
        set: Dotted overrides that make the recipe this row.
    """

    where: str | list[str] = ""
    metric: str = ""
    value: float | None = None
    claim: str = ""
    also: dict[str, float] = field(default_factory=dict)
    by_class: list[float] = field(default_factory=list)
    printed: Printed | None = None
    tolerance: float = DEFAULT_TOLERANCE
    split: str = ""
    source: str = PAPER
    deviations: list[str] = field(default_factory=list)
    stand_in: bool = False
    judged: bool = True
    hardware: str = ""
    default: bool = False
    quoted: str = ""
    weights_of: str = ""
    starts_from: str = ""
    analysis: Any = None
    members: list[Member] = field(default_factory=list)
    until: str = ""
    set: dict[str, Any] = field(default_factory=dict)

    @property
    def places(self) -> tuple[str, ...]:
        """The lines of tables that this row is."""
        return (self.where,) if isinstance(self.where, str) else tuple(self.where)

    @property
    def place(self) -> str:
        """All places as one text."""
        return "; ".join(place for place in self.places if place)

    @property
    def parent(self) -> tuple[str, str]:
        """Recipe and row whose weights are tested; the recipe is empty where it is this one."""
        return _named(self.weights_of)

    @property
    def origin(self) -> tuple[str, str]:
        """Recipe and row whose weights the training starts from; both are empty where it is no other row's."""
        return _named(self.starts_from)

    @property
    def trains(self) -> bool:
        """Whether running this row trains something; else it tests, analyses or quotes."""
        return not (self.quoted or self.weights_of or self.members or self.analysis is not None)


def _named(text: str) -> tuple[str, str]:
    recipe, _, row = text.rpartition(": ")
    return recipe, row


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
        metric: Logged name of the judged figure: the test pass of the last checkpoint on `split`.
        split: Where it is measured.
        deviations: What differs from the paper for every row.
        differs_from: The sibling recipe this one was copied from, and the dotted keys that differ.
        rows: By name, in the order of the table.
        relations: Claims that join rows.
        figures: Figures of a metric that is not one of the suite's, by logged name.
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
    figures: dict[str, Kind] = field(default_factory=dict)

    def better(self, metric: str) -> Better | None:
        """Which way a figure is better; None if nothing declares it."""
        return figures.better(metric, self.figures)

    def printed(self, reference: Reference) -> float | None:
        """The paper's figure that a relation refers to; None if it prints none."""
        row = self.row(reference.row)
        return row.value if reference.metric in ("", row.metric) else row.also.get(reference.metric)

    def row(self, name: str, recipe: str = "this recipe") -> Row:
        """The named row with the card's metric and split filled in.

        Raises:
            InputError: If there is no such row; names the nearest.
        """
        if name not in self.rows:
            raise InputError(f"{recipe} has no row {name!r}; {nearest.hint(name, self.rows)}")
        row = self.rows[name]
        return dataclasses.replace(row, metric=row.metric or self.metric, split=row.split or self.split)

    @property
    def default(self) -> str | None:
        """Name of the row that the recipe stands for by itself."""
        return next((name for name, row in self.rows.items() if row.default), None)


def parse(content: Any, source: str) -> Card:
    """Builds a card from plain YAML values, refusing unknown keys and wrong types at every depth.

    Args:
        content: What stands under `card:`.
        source: File name for messages.

    Raises:
        InputError: Names file, key, what was expected and the nearest valid key.
    """
    card: Card = typed.build(Card, content, "card", source)
    if not isinstance(content.get("paper", ""), str):
        raise InputError(f"{source}: card.paper must be quoted, or YAML reads a float: got {content['paper']!r}")
    check_rows(card, source)
    seen: set[str] = set()
    for relation in card.relations:
        if relation.id in seen:
            raise InputError(f"{source}: card.relations has the id {relation.id!r} twice")
        seen.add(relation.id)
        for reference in relations.references(relation.expr, f"{source}: card.relations.{relation.id}"):
            if not reference.recipe:
                check_reference(reference, card, f"{source}: card.relations.{relation.id}")
    return card


def check_reference(reference: Reference, card: Card, where: str) -> None:
    """Checks that a relation names a row and a figure of this card, which runs or print it.

    Raises:
        InputError: Names the place and the nearest row or figure.
    """
    row = card.row(reference.row, f"{where}: the card")
    figures.check(reference.metric or row.metric, where, card.figures)
    if reference.printed and card.printed(reference) is None:
        raise InputError(f"{where}: no paper prints {reference.metric or row.metric} of {reference.row!r}")
    if row.quoted and not reference.printed:
        raise InputError(f"{where}: {reference.row!r} is quoted and never runs; write paper({reference.row!r})")


def check_classes(row: Row, class_names: Sequence[str], where: str) -> None:
    """Checks that a row gives a figure for each class of its data, or for none.

    Raises:
        InputError: Tells both numbers.
    """
    if row.by_class and len(row.by_class) != len(class_names):
        raise InputError(
            f"{where}.by_class has {len(row.by_class)} figures, but the data have {len(class_names)} classes"
        )


def check_rows(card: Card, source: str) -> None:
    """Checks what each row says, alone and beside the others.

    Raises:
        InputError: Names file, row and key.
    """
    if card.split not in SPLITS:
        raise InputError(f"{source}: card.split has no {card.split!r}; {nearest.hint(card.split, SPLITS)}")
    figures.check(card.metric, f"{source}: card.metric", card.figures)
    defaults = [name for name, row in card.rows.items() if row.default]
    if len(defaults) > 1:
        raise InputError(f"{source}: card.rows has several with default: true: {', '.join(defaults)}; keep one")
    for name, row in card.rows.items():
        _check_row(name, row, card, f"{source}: card.rows.{name}")


def _check_row(name: str, row: Row, card: Card, where: str) -> None:
    if row.value is None and not row.claim:
        raise InputError(f"{where} needs a value or, where the paper prints none, a claim")
    if row.tolerance <= 0:
        raise InputError(f"{where}.tolerance must be positive, got {row.tolerance}")
    if row.split and row.split not in SPLITS:
        raise InputError(f"{where}.split has no {row.split!r}; {nearest.hint(row.split, SPLITS)}")
    for metric in (*([row.metric] if row.metric else []), *row.also):
        figures.check(metric, where, card.figures)
    ways = [key for key in ("quoted", "weights_of", "members") if getattr(row, key)]
    if len(ways) > 1 or (row.default and ways):
        raise InputError(f"{where} is one of default, {', '.join(ways)}; it cannot be several at once")
    if row.quoted and row.analysis is not None:
        raise InputError(f"{where} is quoted and never runs; leave out analysis")
    if row.starts_from and not row.trains:
        raise InputError(f"{where} trains nothing that could start from {row.starts_from!r}; leave out starts_from")
    if not (row.default or ways or row.set or row.until or row.starts_from or row.analysis is not None):
        raise InputError(f"{where} says nothing that makes it this row: give `set`, or `default: true` to one row")
    if row.weights_of:
        _check_test(row, card, where)


def _check_test(row: Row, card: Card, where: str) -> None:
    """What a row on another's weights may name and set."""
    recipe, parent = row.parent
    if not recipe and parent not in card.rows:
        raise InputError(f"{where}.weights_of: there is no row {parent!r}; {nearest.hint(parent, card.rows)}")
    if not recipe and not card.rows[parent].trains:
        raise InputError(f"{where}.weights_of: {parent!r} trains nothing; name the row that does")
    for key in row.set:
        if not any(f"{key}.".startswith(f"{allowed}.") for allowed in TESTED_KEYS):
            raise InputError(
                f"{where}.set: {key} would change the training, but the row tests the weights of {parent!r};\n"
                f"it may set {', '.join(TESTED_KEYS)}"
            )
