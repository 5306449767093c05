"""The trained runs that a row without a training of its own stands on: named, found, or trained first."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import nn

from lit_vision import console, inference
from lit_vision.errors import InputError
from lit_vision.experiment.card import TESTED_KEYS, Member
from lit_vision.experiment.recipes import Experiment
from lit_vision.runs import folder as runs
from lit_vision.runs import trained
from lit_vision.runs.trained import Trained
from lit_vision.session.request import Request

Train = Callable[[str, str, int | None], Trained]
"""Finds or makes the training of a recipe, a row and a seed."""


def parent(experiment: Experiment, named: str | None, train: Train | None) -> Trained:
    """The training whose weights a row tests or analyses.

    Args:
        experiment: The row.
        named: Folder of the run, where the user names one that is finished.
        train: For `fit`: finds or makes the training. None refuses to.

    Raises:
        InputError: If there is none, or the named one is of another row.
    """
    row = experiment.expected()
    assert row is not None
    recipe, name = row.parent
    recipe = recipe or experiment.name
    if train:
        return train(recipe, name, None)
    if named is None:
        raise InputError(
            f"row {experiment.row!r} tests the weights of {name!r}: name a run of it by --run RUN,\n"
            f"or let lit-vision fit --config {experiment.name} --row {experiment.row!r} find or train one"
        )
    return trained.of_run(Path(named), recipe, name)


def members(experiment: Experiment, named: list[str], train: Train | None) -> list[Trained]:
    """The trainings that are tested together, in the order of the row.

    Args:
        experiment: The row.
        named: Folders of their runs, one for each member in the row's order; empty to find them below `runs/`.
        train: See `parent`.

    Raises:
        InputError: If one is missing, is of another row or seed, or their number is wrong.
    """
    row = experiment.expected()
    assert row is not None
    if named and len(named) != len(row.members):
        raise InputError(
            f"--members names {len(named)} run(s), but row {experiment.row!r} has {len(row.members)} members"
        )
    if named:
        return [_named(experiment, *pair) for pair in zip(row.members, named, strict=True)]
    if train:
        return [train(member.recipe or experiment.name, member.row, member.seed) for member in row.members]
    return [_found(experiment, member) for member in row.members]


def _named(experiment: Experiment, member: Member, path: str) -> Trained:
    found = trained.of_run(Path(path), member.recipe or experiment.name, member.row, "--members")
    if member.seed not in (None, found.seed):
        raise InputError(f"--members {path} has the seed {found.seed}, but the member is that of seed {member.seed}")
    return found


def origin(experiment: Experiment, begun_from: str | None = None) -> Trained | None:
    """The training whose weights a row starts from; None for a row that starts from no other row's.

    Args:
        experiment: The row.
        begun_from: Folder of the run that its earlier stages have started from, where it has begun; otherwise the
            newest finished one below `runs/` is taken.

    Raises:
        InputError: There is none, and how to train it.
    """
    row = experiment.expected()
    if row is None or not row.starts_from:
        return None
    recipe, name = row.origin
    if begun_from:
        return trained.of_run(Path(begun_from), recipe or experiment.name, name, "starts_from")
    return _found(experiment, Member(name, recipe), "starts from")


def _found(experiment: Experiment, member: Member, role: str = "member") -> Trained:
    recipe = member.recipe or experiment.name
    for found in trained.find(recipe, member.row):
        if member.seed in (None, found.seed):
            console.say(f"{role}: {found.folder.path}")
            return found
    seed = "" if member.seed is None else f" with seed {member.seed}"
    option = "" if member.seed is None else f" --seed_everything {member.seed}"
    remedy = "" if experiment.card.row(experiment.row or "").trains else ", or name runs by --members"
    raise InputError(
        f"there is no finished run of {recipe}, row {member.row!r}{seed}, below {runs.ROOT}; train it with\n"
        f"lit-vision fit --config {recipe} --row {member.row!r}{option}{remedy}"
    )


def network(of: Trained, trust_code: bool) -> nn.Module:
    """The trained network, in evaluation mode; raises what `inference.load` does."""
    return inference.load(of.folder.last, trust_code=trust_code).net


def changed(experiment: Experiment, parents: Sequence[Trained]) -> dict[str, Any]:
    """What trainings and the row that stands on them changed beyond the hardware; the first training's values first."""
    theirs = {key: value for parent in reversed(parents) for key, value in parent.changed.items()}
    return theirs | experiment.changes()


def is_of_test(key: str) -> bool:
    """Whether an option says how images are tested, and not what is trained."""
    return any(f"{key.rstrip('+')}.".startswith(f"{allowed}.") for allowed in TESTED_KEYS)


def of_training(request: Request, configs: list[str], row: str, seed: int | None) -> Request:
    """The request that trains what another one tests."""
    options = [option for option in request.options if not is_of_test(option[0])]
    if seed is not None:
        options.append(("seed_everything", seed))
    return replace(request, verb="fit", configs=configs, row=row, options=options)
