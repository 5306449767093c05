"""Rows that train nothing themselves: tests of another row's weights, ensembles, analyses.

A test or an analysis of one training goes below that run's folder, and the run's own result stays what its training
gave. An ensemble is of no single training and has a run folder of its own, and so has an analysis of several trainings
or of none.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from lit_vision import console
from lit_vision.errors import InputError
from lit_vision.experiment import names as check
from lit_vision.experiment import recipes, stages
from lit_vision.experiment.recipes import Experiment
from lit_vision.runs import folder as runs
from lit_vision.runs import trained
from lit_vision.runs.trained import Trained
from lit_vision.session import analysis, tested, weights
from lit_vision.session.analysis import Look
from lit_vision.session.request import Request
from lit_vision.session.tested import Test

MakeSession = Callable[[Request, Experiment], Any]


def stands_on_others(request: Request, experiment: Experiment) -> bool:
    """Whether a command is about a row that trains nothing: not where the user names a checkpoint file to test."""
    row = experiment.expected()
    if row is None or row.trains:
        return False
    by_file = request.ckpt_path is not None and request.verb != "fit"
    return not by_file or bool(row.members) or row.analysis is not None


def run(request: Request, experiment: Experiment, make_session: MakeSession) -> int:
    """Finds the trained weights, or trains them where the verb is `fit`, and tests or analyses them.

    Args:
        request: What the command line asks for.
        experiment: The row.
        make_session: Makes the session of a training.

    Returns:
        The exit code.
    """
    row = experiment.expected()
    assert row is not None
    # The folder that is named for several members is their own, that for a test the training's.
    asked = replace(request, run=None) if row.members else request
    train = partial(_training, asked, make_session, experiment) if request.verb == "fit" else None
    if request.members and not row.members:
        raise InputError(
            f"--members is for rows with members, and row {experiment.row!r} has none; name a run by --run"
        )
    if row.members:
        return _together(request, experiment, weights.members(experiment, request.members, train))
    if not row.weights_of:
        return analysis.run(Look(experiment, tested.new_folder(experiment, request.run)))
    parent = weights.parent(experiment, request.run, train)
    found = _on(request, experiment, parent)
    trusted = _trusted(request)
    if row.analysis is not None:
        return analysis.run(Look(found, parent.analysis(found.row or ""), (parent,), trusted))
    return tested.run(Test(request.verb, found, parent.test(found.row or ""), (parent,), trusted))


def _together(request: Request, experiment: Experiment, members: list[Trained]) -> int:
    first, *_ = members
    found = _on(request, experiment, first)
    folder = tested.new_folder(experiment, request.run)
    if found.card.rows[found.row or ""].analysis is not None:
        return analysis.run(Look(found, folder, tuple(members), _trusted(request)))
    return tested.run(Test(request.verb, found, folder, tuple(members), _trusted(request)))


def _trusted(request: Request) -> bool:
    """What `fit` trains or finds is of the configuration that the user gave."""
    return bool(request.trust_code or request.verb == "fit")


def _on(request: Request, experiment: Experiment, parent: Trained) -> Experiment:
    """The row on the configuration of a training; options that `fit` has given to the training are in it already."""
    options = [
        (key, value)
        for key, value in request.options
        if request.verb != "fit" or weights.is_of_test(key) or recipes.is_hardware(key)
    ]
    found = recipes.on_weights(experiment, parent.config, request.configs[1:], options)
    found.config.pop(stages.SECTION, None)  # how the weights came about; none is trained anew
    check.names(found)
    return found


def _training(
    request: Request, make_session: MakeSession, experiment: Experiment, recipe: str, row: str, seed: int | None
) -> Trained:
    """The newest finished run of exactly this configuration; trained now where there is none."""
    configs = request.configs if recipe == experiment.name else [recipe, *request.configs[1:]]
    asked = weights.of_training(request, configs, row, seed)
    wanted = recipes.resolve(asked.configs, row, asked.options)
    check.names(wanted)
    session = make_session(asked, wanted)
    if asked.run is None:
        for found in trained.find(recipe, row):
            if found.folder.state.get("digest") == runs.digest(session.config):
                console.say(f"trained already: {found.folder.path}")
                return found
    if code := session.run():
        raise SystemExit(code)
    return trained.of_run(session.folder.path, recipe, row)
