"""Claims: what a paper says, as a trial that is fixed before it is run (`recipes/claims/C00-….yaml`). No torch here."""

import dataclasses
import hashlib
import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from lit_vision import files as plain_files
from lit_vision import nearest
from lit_vision.errors import InputError
from lit_vision.experiment import contrasts, evidence, figures, recipes, typed, yamlio
from lit_vision.experiment.card import Row
from lit_vision.experiment.evidence import PAIRS, Evidence
from lit_vision.experiment.paired import Direction

_NAME = re.compile(r"(C\d{2,})-[\w-]+")
_KEY = "claim"
_BEYOND = "beyond.yaml"


@dataclass(frozen=True)
class Arm:
    """One side of the comparison: a training for each seed, or a look at the weights of one.

    Attributes:
        recipe: Its recipe.
        row: Row of the recipe; the default row when left out.
        set: Dotted keys that make it this arm.
        on: Arm whose trained run is looked at, `arm` or `C01/arm`, by a row that trains nothing; or, for a row that
            trains, arm of another claim that makes the same runs, `C01/arm`: each is then made once.
    """

    recipe: str
    row: str = ""
    set: dict[str, Any] = field(default_factory=dict)
    on: str = ""

    @property
    def trains(self) -> bool:
        """Whether its row is a training, its own or one that another claim makes."""
        rows = recipes.read_card(self.recipe).rows
        return rows[self.row].trains if self.row in rows else True

    @property
    def shared(self) -> bool:
        """Whether another claim's arm makes its runs."""
        return bool(self.on) and self.trains


@dataclass(frozen=True)
class Tune:
    """A small grid from which each training arm takes its value, by validation and with a seed of its own.

    Attributes:
        key: Dotted key, e.g. `model.optimizer.lr`.
        values: The grid, the same for all arms.
        seed: Seed of the trials; none of the claim's.
        by: Figure of validation, after the last step; its good values are the vocabulary's (`figures`).
    """

    key: str
    values: list[Any]
    seed: int
    by: str


@dataclass(frozen=True)
class Budget:
    """What the claim's runs may take.

    Attributes:
        words: Steps, data and machine.
        minutes: For one seed of all arms.
    """

    words: str
    minutes: float


@dataclass(frozen=True)
class Claim:
    """A claim with all that is fixed before its first run.

    Attributes:
        text: What is claimed, in our words.
        data: What it is tried on.
        arms: By name; a name is an identifier, as it stands in `difference`.
        metric: The one primary figure, of the last checkpoint.
        difference: Expression over all arms, for each pair.
        direction: `>`, `<` or `within`: the side of the margin that is claimed.
        margin: In the figure's unit.
        seeds: One pair for each.
        budget: What it may take.
        known: What had been seen before the file was written.
        paper: arXiv identifier; empty for a claim of our own.
        where: Table, figure or section that claims it.
        pairing: What the arms of a pair share.
        tune: How each arm gets its learning rate; as the recipe has it when left out.
        evidence: What decides; the paired differences when left out.
        told: Further figures that stand beside the verdict and decide nothing.
        id: `C00`, from the file's name.
        source: The file.
    """

    text: str
    data: str
    arms: dict[str, Arm]
    metric: str
    difference: str
    direction: Direction
    margin: float
    seeds: list[int]
    budget: Budget
    known: str
    paper: str = ""
    where: str = ""
    pairing: Literal["seed"] = "seed"
    tune: Tune | None = None
    evidence: Evidence = PAIRS
    told: list[str] = field(default_factory=list)
    id: str = ""
    source: str = ""

    @property
    def content(self) -> dict[str, Any]:
        """Everything that is fixed, as plain values; without keys that came later and that the file leaves out."""
        unsaid = {"evidence": dataclasses.asdict(PAIRS), "told": []}
        named = {key: value for key, value in dataclasses.asdict(self).items() if key not in ("id", "source")}
        return {key: value for key, value in named.items() if key not in unsaid or value != unsaid[key]}

    @property
    def digest(self) -> str:
        """Identity of what is fixed: comments and layout of the file do not count, every word does."""
        return hashlib.sha256(json.dumps(self.content, sort_keys=True, default=str).encode()).hexdigest()[:16]

    @property
    def statement(self) -> str:
        """As an inequality: `plain - momentum > 10`, `|ours - theirs| < 2`."""
        if self.direction == "within":
            return f"|{self.difference}| < {self.margin:g}"
        return f"{self.difference} {self.direction} {self.margin:g}"


@dataclass(frozen=True)
class Beyond:
    """What a paper says and no trial of this scale can decide.

    Attributes:
        paper: arXiv identifier.
        where: Table, figure or section.
        text: What it says, with its figures.
        because: Why not.
    """

    paper: str
    where: str
    text: str
    because: str


def folder() -> Path:
    """Where the suite's claims are."""
    return recipes.folder() / recipes.CLAIMS


def files() -> list[Path]:
    """The suite's claim files, in order."""
    return sorted(path for path in folder().glob("*.yaml") if path.name != _BEYOND)


def beyond() -> list[Beyond]:
    """What cannot be decided at this scale."""
    file = folder() / _BEYOND
    found: dict[str, list[Beyond]] = typed.build(dict[str, list[Beyond]], yamlio.load(file), "", str(file))
    return found["beyond"]


def every() -> list[Claim]:
    """All claims of the suite."""
    return [load(file) for file in files()]


def find(name: str) -> Claim:
    """The claim of a file or an id.

    Raises:
        InputError: If there is none; names the nearest.
    """
    known = {_identity(file): file for file in files()}
    path = known.get(name) or Path(name)
    if not plain_files.is_there(path):
        raise InputError(f"no file and no claim {name!r}; {nearest.hint(name, known)}")
    return load(path)


def lender(claim: Claim, arm: Arm) -> Claim:
    """The other claim that makes the runs of a shared arm: a file beside this one, or one of the suite's.

    Raises:
        InputError: If there is none.
    """
    home = arm.on.rpartition("/")[0]
    beside = sorted(Path(claim.source).parent.glob(f"{home}-*.yaml"))
    return load(beside[0]) if beside else find(home)


def load(path: Path) -> Claim:
    """Reads a claim.

    Raises:
        InputError: Names file and key, and what was expected.
    """
    return parse(yamlio.load(path), _identity(path), str(path))


def parse(content: Any, identity: str, source: str) -> Claim:
    """A claim from plain YAML values.

    Args:
        content: The file's content.
        identity: The claim's id.
        source: The file, for messages.

    Raises:
        InputError: Names file and key, and what was expected.
    """
    if set(content) != {_KEY}:
        raise InputError(f"{source}: a claim's file has the one key {_KEY!r}, got {', '.join(map(str, content))}")
    if isinstance(content[_KEY], dict) and {"id", "source"} & set(content[_KEY]):
        raise InputError(f"{source}: claim.id and claim.source are the file's own name; leave them out")
    if isinstance(content[_KEY], dict) and not isinstance(content[_KEY].get("paper", ""), str):
        raise InputError(f"{source}: claim.paper must be quoted, or YAML reads a float: {content[_KEY]['paper']!r}")
    read: Claim = typed.build(Claim, content[_KEY], _KEY, source)
    claim = dataclasses.replace(read, id=identity, source=source)
    _check(claim, f"{source}: {_KEY}")
    return claim


def _identity(path: Path) -> str:
    """`C01` of `C01-degradation.yaml`."""
    named = _NAME.fullmatch(path.stem)
    if named is None:
        raise InputError(f"{path}: a claim's file has a name as C01-degradation.yaml, which gives it its number")
    return named[1]


def _check(claim: Claim, where: str) -> None:
    """What no type says."""
    for name, arm in claim.arms.items():
        _check_arm(claim, name, arm, f"{where}.arms.{name}")
    contrasts.check(claim.difference, claim.arms, f"{where}.difference")
    evidence.check(claim.evidence, claim.metric, claim.difference, claim.margin, where)
    if claim.direction == "within" and claim.margin <= 0:
        raise InputError(f"{where}.margin: an equivalence needs a positive margin, got {claim.margin:g}")
    if not claim.seeds or len(set(claim.seeds)) < len(claim.seeds):
        raise InputError(f"{where}.seeds should name each seed once, got {claim.seeds}")
    if claim.paper and not claim.where:
        raise InputError(f"{where}.where: say where {claim.paper} claims it")
    if claim.tune and claim.tune.seed in claim.seeds:
        raise InputError(f"{where}.tune.seed: {claim.tune.seed} is one of the claim's seeds; tune on a seed of its own")
    if claim.tune and not claim.tune.by.startswith("val/"):
        raise InputError(f"{where}.tune.by should be a figure of validation, val/…, got {claim.tune.by!r}")
    if claim.tune and figures.better(claim.tune.by) not in ("lower", "higher"):
        raise InputError(f"{where}.tune.by: nobody says whether a low or a high {claim.tune.by} is good")


def _check_shared(claim: Claim, arm: Arm, where: str) -> None:
    """Two claims make the same runs: all that makes them must be the same in both files."""
    home, _, name = arm.on.rpartition("/")
    if not home:
        raise InputError(f"{where}: {arm.recipe} trains by itself; drop `on`, or name another claim's arm: C01/{name}")
    other = lender(claim, arm)
    theirs = other.arms.get(name)
    if theirs is None or theirs.on:
        raise InputError(f"{where}: {name!r} is no arm of {home} that trains; {nearest.hint(name, other.arms)}")
    if dataclasses.replace(arm, on="") != theirs or claim.tune != other.tune:
        raise InputError(f"{where}: recipe, row, set and tune must be those of {arm.on} ({other.source})")


def _check_arm(claim: Claim, name: str, arm: Arm, where: str) -> None:
    if not name.isidentifier():
        raise InputError(f"{where}: an arm's name stands in an expression; use letters, digits and _ only")
    row, card = row_of(arm, where), recipes.read_card(arm.recipe)
    for key, metric in [("metric", claim.metric), *(("told", one) for one in claim.told)]:
        figures.check(metric, f"{claim.source}: {_KEY}.{key}", card.figures)
    entry = card.row(row, f"{where}: {arm.recipe}") if row else Row()
    if entry.quoted or not (entry.trains or entry.weights_of):
        raise InputError(f"{where}: row {row!r} of {arm.recipe} is of no single training; name one that is")
    if arm.shared:
        return _check_shared(claim, arm, f"{where}.on")
    if not arm.on and not entry.trains:
        raise InputError(f"{where}: row {row!r} of {arm.recipe} trains nothing; say by `on` whose weights it looks at")
    if arm.on and arm.set:
        raise InputError(f"{where}.set: an arm on another's weights sets nothing; its row says how it looks at them")
    if arm.on and "/" not in arm.on and (arm.on not in claim.arms or claim.arms[arm.on].on):
        choices = [other for other, its in claim.arms.items() if not its.on]
        raise InputError(f"{where}.on: {arm.on!r} is no arm that trains; {nearest.hint(arm.on, choices)}")


def row_of(arm: Arm, where: str = "arm") -> str | None:
    """The row that an arm runs; None where its recipe has no rows.

    Raises:
        InputError: If the arm names none and its recipe has no default.
    """
    card = recipes.read_card(arm.recipe)
    if not arm.row and card.rows and card.default is None:
        raise InputError(f"{where}.row: {arm.recipe} has no default row; {nearest.hint('', card.rows)}")
    return arm.row or card.default
