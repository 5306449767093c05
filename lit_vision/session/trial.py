"""Runs claims: each arm and seed as an ordinary run in a folder of its own. No torch until something must be run.

Everything that is done lies in the run folders. After `kill -9` the same command therefore skips what is finished,
continues what is not, and begins the rest; seeds may be added in later sittings.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lit_vision import launch
from lit_vision.errors import InputError
from lit_vision.experiment import claims, compose, figures, recipes
from lit_vision.experiment.claims import Arm, Claim, Tune
from lit_vision.experiment.evidence import Rounds
from lit_vision.runs import claim_runs
from lit_vision.runs import folder as runs
from lit_vision.runs.folder import RunFolder
from lit_vision.session import request
from lit_vision.session.request import Request

Options = list[tuple[str, Any]]

SEEDS = ("seed_everything", "data.seed")


@dataclass(frozen=True)
class Machine:
    """What may differ from machine to machine.

    Attributes:
        overlays: Further files.
        options: Dotted keys and values.
    """

    overlays: list[str] = field(default_factory=list)
    options: Options = field(default_factory=list)


def run(claim: Claim, seeds: Sequence[int], machine: Machine, root: Path = claim_runs.ROOT) -> int:
    """Runs what is missing of a claim, pair by pair.

    Args:
        claim: The claim.
        seeds: Seeds to run, those of the file or further ones.
        machine: What this machine sets beyond the claim.
        root: Where claims have their runs.

    Returns:
        0, or the exit code of the run that was stopped.

    Raises:
        InputError: If the claim was edited after its first run, an option would change it, or a run is refused.
    """
    if claim.tune and claim.tune.seed in seeds:
        raise InputError(f"--seeds {claim.tune.seed}: {claim.source} tunes on it; a pair needs a seed of its own")
    for arm in claim.arms:
        _refuse_other(claim, arm, machine)
    claim_runs.begin(claim, root)
    if claim.evidence.rounds:
        for seed in seeds:
            _measure(claim, claim.evidence.rounds, seed, machine, root)
        return 0
    trains = sorted(claim.arms, key=lambda name: bool(claim.arms[name].on))  # weights come before looks at them
    return next((code for seed in seeds for arm in trains if (code := _arm(claim, arm, seed, machine, root))), 0)


def _arm(claim: Claim, arm: str, seed: int, machine: Machine, root: Path) -> int:
    """One arm of one pair with what its kind of evidence draws."""
    place = claim_runs.place(claim, arm, seed, root)
    code = 0 if place.finished else _run_arm(claim, arm, seed, machine, root)
    if not code and claim.evidence.images and not claim_runs.finished(claim, arm, seed, root):
        from lit_vision.session import resampling

        resampling.note(place, claim.metric, claim.evidence.images.samples)
    return code


def _measure(claim: Claim, rounds: Rounds, seed: int, machine: Machine, root: Path) -> None:
    """All arms of one sitting in turn."""
    if all(claim_runs.finished(claim, arm, seed, root) for arm in claim.arms):
        return
    from lit_vision.session import quiet
    from lit_vision.session import rounds as interleaved

    quiet.calm()
    arms = {}
    for name, entry in claim.arms.items():
        options = [*entry.set.items(), *machine.options, ("seed_everything", seed), ("trainer.logger", False)]
        asked = Request("test", [entry.recipe, *machine.overlays], entry.row or None, options=options)
        arms[name] = interleaved.build(request.resolve(asked), claim_runs.place(claim, name, seed, root))
    interleaved.measure(arms, rounds, seed)


def _run_arm(claim: Claim, arm: str, seed: int, machine: Machine, root: Path) -> int:
    """One arm of one pair; first its grid, where it has one."""
    entry, place = claim.arms[arm], claim_runs.place(claim, arm, seed, root)
    if entry.shared:
        return _lent(claim, entry, seed, machine, root)
    if entry.on:
        weights = str(claim_runs.training(claim, arm, seed, root).path)
        return _run(Request("test", [entry.recipe, *machine.overlays], entry.row, weights, options=machine.options))
    tuned: Options = []
    if claim.tune:
        if code := _tune(claim, arm, claim.tune, machine, root):
            return code
        tuned = [(claim.tune.key, chosen(claim, arm, claim.tune, root))]
    return _train(claim, arm, seed, place, machine, tuned)


def _lent(claim: Claim, arm: Arm, seed: int, machine: Machine, root: Path) -> int:
    """One arm of one pair, as the other claim that has it would run it."""
    lender = claims.lender(claim, arm)
    claim_runs.begin(lender, root)
    return _arm(lender, arm.on.rpartition("/")[2], seed, machine, root)


def _tune(claim: Claim, arm: str, tune: Tune, machine: Machine, root: Path) -> int:
    """Runs the grid of an arm. Its test passes are made like any run's, but nothing reads them."""
    places = [(value, _trial(claim, arm, value, root)) for value in tune.values]
    waiting = [(value, place) for value, place in places if not place.finished]
    trials = (_train(claim, arm, tune.seed, place, machine, [(tune.key, value)]) for value, place in waiting)
    return next((code for code in trials if code), 0)


def _trial(claim: Claim, arm: str, value: Any, root: Path) -> RunFolder:
    return RunFolder(root / claim.id / arm / claim_runs.TUNE / runs.slug(str(value)))


def chosen(claim: Claim, arm: str, tune: Tune, root: Path = claim_runs.ROOT) -> Any:
    """The value whose trial was best on validation after its last step; of equals the first.

    Raises:
        InputError: If no trial logged the figure.
    """
    found: list[tuple[float, Any]] = []
    for value in tune.values:
        lines = runs.read_metrics(_trial(claim, arm, value, root).metrics)
        logged = [line[tune.by] for line in lines if line.get(tune.by) is not None]
        found += [(logged[-1], value)] if logged else []
    if not found:
        raise InputError(f"{claim.source}: claim.tune.by: no trial of arm {arm!r} logged {tune.by!r}")
    best = min if figures.better(tune.by) == "lower" else max
    return best(found, key=lambda entry: entry[0])[1]


def _train(claim: Claim, arm: str, seed: int, place: RunFolder, machine: Machine, tuned: Options) -> int:
    entry = claim.arms[arm]
    options = [*entry.set.items(), *machine.options, *tuned, ("seed_everything", seed)]
    asked = Request("fit", [entry.recipe, *machine.overlays], entry.row or None, str(place.path), options=options)
    if not recipes.learns(request.resolve(asked).config):
        asked.verb = "test"
    return _run(asked)


def _run(asked: Request) -> int:
    """One run by the same code as the command's own, in this process: it ends with it, whatever ends it."""
    experiment = request.resolve(asked)
    from lit_vision.session import session

    return session.main(asked, experiment)


def _refuse_other(claim: Claim, arm: str, machine: Machine) -> None:
    """Checks that overlays and options change nothing of the claim.

    Raises:
        InputError: Names the keys.
    """
    entry = claim.arms[arm]
    own, row = list(entry.set.items()), entry.row or None
    fixed = recipes.resolve([entry.recipe], row, own)
    asked = recipes.resolve([entry.recipe, *machine.overlays], row, [*own, *machine.options])
    differing = compose.differing(fixed.config, asked.config)
    if keys := [key for key in differing if key in SEEDS or not recipes.is_hardware(key)]:
        raise InputError(
            f"{claim.id}: {', '.join(keys)} would change what the claim has fixed;\n"
            "only what a machine may set goes with a claim, such as trainer.accelerator, and seeds by --seeds"
        )
    trainer = asked.config.get("trainer") or {}
    if launch.processes() > 1 or any(_several(trainer.get(key)) for key in ("devices", "num_nodes")):
        raise InputError(f"{claim.id}: claims run on one device, one run after the other; set trainer.devices to 1")


def _several(number: Any) -> bool:
    return isinstance(number, int) and number > 1
