"""What an examination says: findings of all kinds, counts, and statistics. No torch here."""

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from lit_vision.data.quarantine import Entry

EXAMPLES = 3
REFUSED = "refused"
_WIDTH = 110


class Problem(NamedTuple):
    """One finding of a data set.

    Attributes:
        split: Where it was found; empty where it concerns no single split.
        kind: In the few words that counts are listed under.
        image: The data set's own name of the image; empty where it is about none.
        text: What was found and what it means.
        fatal: Whether training or evaluation refuses it, or a figure would be false.
        path: The image's file, for the page.
        box: xyxy in the image's pixels, for the page.
    """

    split: str
    kind: str
    image: str
    text: str
    fatal: bool = False
    path: Path | None = None
    box: tuple[float, float, float, float] | None = None


@dataclass
class Report:
    """All that was found.

    Attributes:
        name: What was examined.
        problems: Findings.
        splits: Images and objects of each split.
        statistics: Further figures, by title; each by name.
    """

    name: str
    problems: list[Problem] = field(default_factory=list)
    splits: dict[str, dict[str, int]] = field(default_factory=dict)
    statistics: dict[str, dict[str, str]] = field(default_factory=dict)

    @property
    def fatal(self) -> list[Problem]:
        """What must be mended or left out."""
        return [problem for problem in self.problems if problem.fatal]

    def add(self, problems: Iterable[Problem]) -> None:
        """Adds findings."""
        self.problems += problems

    def by_kind(self) -> dict[str, list[Problem]]:
        """Findings by kind: what is fatal first, then by their number."""
        counts = Counter((not problem.fatal, problem.kind) for problem in self.problems)
        order = sorted(counts, key=lambda key: (key[0], -counts[key], key[1]))
        found: dict[str, list[Problem]] = {kind: [] for _, kind in order}
        for problem in self.problems:
            found[problem.kind].append(problem)
        return found

    def quarantine(self) -> list[Entry]:
        """The images that cannot stay: of an image that is trained and tested on, the training's copy goes."""
        return [
            Entry(problem.split, problem.image, problem.kind)
            for problem in self.fatal
            if problem.image and problem.split
        ]

    def text(self) -> str:
        """The summary for a terminal."""
        lines = [f"{split}: {_counted(counts)}" for split, counts in self.splits.items()]
        for kind, problems in self.by_kind().items():
            mark = "bad " if problems[0].fatal else "note"
            lines.append(f"{mark}  {len(problems):>6,}  {kind}")
            lines += [f"              {line}" for problem in problems[:EXAMPLES] for line in _lines(problem)]
        for title, figures in self.statistics.items():
            lines += [f"{title}:", *(f"  {name}: {value}" for name, value in figures.items())]
        return "\n".join([self.name, *lines, self.counted()])

    def counted(self) -> str:
        """How many findings there are."""
        notes = len(self.problems) - len(self.fatal)
        return f"{len(self.fatal):,} bad, {notes:,} {'note' if notes == 1 else 'notes'}"

    def json(self) -> str:
        """Everything, for programs."""
        content = {
            "name": self.name,
            "splits": self.splits,
            "problems": [_plain(problem) for problem in self.problems],
            "statistics": self.statistics,
        }
        return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def _plain(problem: Problem) -> dict[str, Any]:
    return problem._asdict() | {"path": None if problem.path is None else str(problem.path)}


def _counted(counts: dict[str, int]) -> str:
    return ", ".join(f"{number:,} {name}" for name, number in counts.items())


def _told(problem: Problem) -> str:
    return ": ".join(part for part in (problem.split, problem.image, problem.text) if part)


def _lines(problem: Problem) -> list[str]:
    """What a terminal shows of one finding; of a refusal all, for its end says what to do."""
    told = _told(problem)
    return told.splitlines() if problem.kind == REFUSED else [_shortened(told)]


def _shortened(text: str) -> str:
    line = text.replace("\n", " ")
    return line if len(line) <= _WIDTH else f"{line[: _WIDTH - 1]}…"
