"""What the ledger consists of: figures, lines, tables, relations. No torch here."""

import statistics
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from lit_vision.experiment.card import Card, Row
from lit_vision.experiment.verdicts import COMPARED, Verdict
from lit_vision.report import numbers
from lit_vision.report.activity import Activity
from lit_vision.report.collect import Run


@dataclass(frozen=True)
class Figure:
    """One figure of a line: the paper's and ours.

    Attributes:
        metric: Logged name, e.g. `test/ap50`.
        expected: The paper's figure; None where it prints none.
        values: Ours by seed.
        verdict: What may be said of it.
    """

    metric: str
    expected: float | None = None
    values: dict[int | None, float] = field(default_factory=dict)
    verdict: Verdict = Verdict.NOT_RUN

    @property
    def mean(self) -> float | None:
        """Mean over the seeds."""
        return statistics.fmean(self.values.values()) if self.values else None

    @property
    def spread(self) -> float | None:
        """Standard deviation over the seeds (n - 1 below the line); None for fewer than two."""
        return statistics.stdev(self.values.values()) if len(self.values) > 1 else None

    @property
    def difference(self) -> float | None:
        """Ours minus the paper's; None where the two may not be compared."""
        known = self.mean is not None and self.expected is not None and self.verdict in COMPARED
        return self.mean - self.expected if known else None  # type: ignore[operator]


@dataclass(frozen=True)
class Cost:
    """What one run of a line takes, on average.

    Attributes:
        hours: Wall-clock hours.
        devices: Number of devices, smallest and largest.
        hardware: Names of the devices.
        images: Training images seen.
    """

    hours: float | None
    devices: tuple[int, ...]
    hardware: tuple[str, ...]
    images: float | None


@dataclass(frozen=True)
class Entry:
    """One line of a table: a row of a recipe, at full scale or changed in one way.

    Attributes:
        recipe: Name of the recipe.
        row: Name of the row; empty where none applies.
        where: Table and line in the paper.
        judged: The figure that the verdict is about.
        also: Further figures that the paper prints on the same line.
        tolerance: Accepted distance; None where the paper prints no figure.
        claim: What the paper says in words.
        verdict: What may be said of the row.
        line: What the card says of the row.
        evidence: Names of the row's marks; empty for recipes that are not ours.
        stand_in: Whether this line may not be held against the paper.
        changed: Dotted keys and values beyond the hardware; empty at full scale.
        runs: All its finished runs, oldest first.
        counted: The newest of each seed: those that `judged` averages.
        notes: What a reader should know: seeds that ran twice, differing data, an edited recipe.
        card: The card that it is judged by.
        known: Whether the recipe is one of ours; False for a user's own file and for rows that are gone.
    """

    recipe: str
    row: str
    where: str
    judged: Figure
    also: tuple[Figure, ...] = ()
    tolerance: float | None = None
    claim: str = ""
    verdict: Verdict = Verdict.NOT_RUN
    line: Row = field(default_factory=Row, repr=False)
    evidence: str = ""
    stand_in: bool = False
    changed: dict[str, Any] = field(default_factory=dict)
    runs: tuple[Run, ...] = ()
    counted: tuple[Run, ...] = ()
    notes: tuple[str, ...] = ()
    card: Card = field(default_factory=Card, repr=False)
    known: bool = True

    @property
    def metric(self) -> str:
        """Name of the judged figure."""
        return self.judged.metric

    @property
    def expected(self) -> float | None:
        """The paper's value."""
        return self.judged.expected

    @property
    def values(self) -> dict[int | None, float]:
        """Ours by seed."""
        return self.judged.values

    @property
    def mean(self) -> float | None:
        """Ours, mean over the seeds."""
        return self.judged.mean

    @property
    def spread(self) -> float | None:
        """Standard deviation over the seeds; None for fewer than two."""
        return self.judged.spread

    @property
    def difference(self) -> float | None:
        """Ours minus the paper's."""
        return self.judged.difference

    @cached_property
    def cost(self) -> Cost:
        """What a run took, mean over the counted runs."""
        results = [run.result for run in self.counted]
        hardware = [result.get("hardware") or {} for result in results]
        seconds = _mean(result.get("duration_s") for result in results)
        devices = sorted({int(entry["devices"]) for entry in hardware if entry.get("devices")})
        return Cost(
            hours=None if seconds is None else seconds / 3600,
            devices=tuple(devices),
            hardware=tuple(sorted({str(entry["device"]) for entry in hardware if entry.get("device")})),
            images=_mean(result.get("samples_seen") for result in results),
        )


@dataclass(frozen=True)
class Table:
    """One table of one paper at one scale.

    Attributes:
        paper: arXiv identifier; empty for recipes of no paper.
        heading: `Table 6`, or the title of the recipe where its rows name no table.
        stand_in: Whether its lines are stand-ins.
        keys: What all its lines changed, beyond the hardware; empty at full scale.
        entries: The lines, in the order of the recipe.
    """

    paper: str
    heading: str
    stand_in: bool
    keys: tuple[str, ...]
    entries: tuple[Entry, ...]

    @property
    def ran(self) -> bool:
        """Whether any line has a run."""
        return any(entry.runs for entry in self.entries)

    @property
    def common(self) -> dict[str, Any]:
        """Changes that all its lines share."""
        first = self.entries[0].changed
        return {key: first[key] for key in self.keys if all(e.changed[key] == first[key] for e in self.entries)}

    @property
    def varying(self) -> tuple[str, ...]:
        """Changed keys whose values differ between its lines."""
        common = self.common
        return tuple(key for key in self.keys if key not in common)


@dataclass(frozen=True)
class JudgedRelation:
    """A claim that joins rows, judged by runs of one scale.

    Attributes:
        recipe: The recipe whose card claims it.
        paper: arXiv identifier.
        id: Short name.
        where: Table, figure or section.
        claim: The claim in words; may be empty.
        expr: The inequality.
        expected: The paper's figure for the left side, where it prints one.
        value: Ours for the left side; None where several things are compared.
        interval: 95 % interval of left minus right side; None with fewer than three seeds.
        figures: Mean of each row that it names, None where not run; `recipe: row` for rows of other recipes.
        verdict: `holds`, `does not hold`, `undecided`, `not run`; with the seeds where they are too few for an
            interval, and said to be of stand-ins where any row is one.
        stand_in: Whether stand-ins decided it.
        changed: What those runs changed.
    """

    recipe: str
    paper: str
    id: str
    where: str
    claim: str
    expr: str
    expected: float | None
    value: float | None
    interval: tuple[float, float] | None
    figures: dict[str, float | None]
    verdict: str
    stand_in: bool
    changed: dict[str, Any]


@dataclass(frozen=True)
class Unfinished:
    """A run without a result.

    Attributes:
        run: The run.
        activity: Its last step and when that was.
    """

    run: Run
    activity: Activity


def link(run: Run) -> str:
    """Where a run is: its folder, or its address at W&B."""
    address = str(run.state.get("url") or "")
    return address if address.startswith(("https://", "http://")) else str(run.path)


def sweep(run: Run) -> Mapping[str, Any]:
    """Name, trial and parameters of the sweep that a run belongs to; empty without."""
    found = run.state.get("sweep") or run.result.get("sweep") or {}
    return found if isinstance(found, Mapping) else {}


def _mean(values: Iterable[Any]) -> float | None:
    known = [number for value in values if (number := numbers.finite(value)) is not None]
    return statistics.fmean(known) if known else None
