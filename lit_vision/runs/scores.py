"""What evaluation servers said of what a run has found: `scores.json` in its folder. No torch here.

{"test-dev": {"figures": {"test/ap": 35.5}, "date": "2026-11-30", "source": "…"}}
"""

import dataclasses
from dataclasses import dataclass
from pathlib import Path

from lit_vision.experiment import typed
from lit_vision.runs import folder as runs
from lit_vision.runs import plain_json

NAME = "scores.json"


@dataclass(frozen=True)
class Score:
    """The answer of one server.

    Attributes:
        figures: In percent, by logged name.
        date: When it answered, `2026-11-30`.
        source: Where the answer can be read again; empty where none was given.
    """

    figures: dict[str, float]
    date: str
    source: str = ""


def read(folder: Path) -> dict[str, Score]:
    """The answers of all servers, by split; empty without.

    Raises:
        InputError: Names the file, and the field that is missing or of a wrong type.
    """
    file = folder / NAME
    if not file.is_file():
        return {}
    content = plain_json.read(file, "remove it and give the score again by lit-vision score")
    found: dict[str, Score] = typed.build(dict[str, Score], content, "", str(file))
    return found


def add(folder: Path, split: str, score: Score) -> None:
    """Notes a server's answer; figures that it gave before and are not among these stay."""
    known = read(folder)
    before = known[split].figures if split in known else {}
    known[split] = dataclasses.replace(score, figures=before | score.figures)
    runs.write_json(folder / NAME, {name: dataclasses.asdict(one) for name, one in known.items()})
