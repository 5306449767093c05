"""Several trainings in a row that hand weights and proposals on (Faster R-CNN paper, Section 3.2). No torch here.

    stages:
      - {name: rpn 1, set: {model.network: …, trainer.max_steps: 80000}}
      - {name: boxes 1, propose: rpn 1, splits: [train, test], limit: 2000}
      - {name: fast 2, proposals: boxes 1, start: {model.network.pyramid: rpn 1}, set: {model.network: …}}

A stage with `propose` trains nothing: the network of an earlier stage proposes regions. Every other stage is the
recipe with the stage's `set`, an ordinary run in `stages/` of the run's folder. Where the recipe's network is the whole
that is trained part by part, a stage names its own `network` and the `parts` that it has in common with the whole, and
the last stage `joins` them:

      - {name: rpn, network: lit_vision.models.rpn.RPN, parts: [pyramid, proposals]}
      - {name: whole, joins: true, start: {model.network.pyramid: rpn, model.network.proposals: rpn}}

So what a row sets of a part, every stage with that part has.
"""

import copy
import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from lit_vision import nearest
from lit_vision.errors import InputError
from lit_vision.experiment import compose, typed
from lit_vision.experiment.card import Card
from lit_vision.experiment.recipes import Experiment

SECTION = "stages"
SPLITS = ("train", "val", "test")


@dataclass(frozen=True)
class Stage:
    """One of several trainings, or a pass that proposes regions for the next.

    Attributes:
        name: Unique in the recipe.
        set: Dotted overrides that make the recipe this stage.
        start: Dotted key of a part below `model`, and the stage whose trained weights it starts from.
        proposals: The stage that made the regions to train and test on.
        propose: The stage whose network proposes; then nothing else but `splits` and `limit` is given.
        splits: The splits to propose for; all that the data have when left out.
        limit: Regions of an image; when left out, as many as the network keeps in training of training images, and in
            detection of others.
        network: Class path of the stage's network, where it is not the recipe's.
        parts: Arguments that it takes over from the recipe's network.
        joins: Whether it takes no step, and only puts together the parts that `start` names.
    """

    name: str
    set: dict[str, Any] = field(default_factory=dict)
    start: dict[str, str] = field(default_factory=dict)
    proposals: str = ""
    propose: str = ""
    splits: list[str] = field(default_factory=list)
    limit: int | None = None
    network: str = ""
    parts: list[str] = field(default_factory=list)
    joins: bool = False

    @property
    def trains(self) -> bool:
        """Whether the stage trains, and does not propose."""
        return not self.propose


def of(experiment: Experiment) -> list[Stage]:
    """The stages of an experiment, up to the one that its row ends after; none for an ordinary training.

    Raises:
        InputError: Names file, stage and key.
    """
    content = experiment.config.get(SECTION)
    if not content:
        experiment.config.pop(SECTION, None)  # a row may set none: it is an ordinary training
        return []
    source = experiment.source_of(SECTION)
    found: list[Stage] = typed.build(list[Stage], content, SECTION, source)
    _check(found, source)
    row = experiment.expected()
    return _until(found, row.until, f"{experiment.name}, row {experiment.row!r}") if row and row.until else found


def _until(stages: Sequence[Stage], last: str, source: str) -> list[Stage]:
    names = [stage.name for stage in stages]
    if last not in names:
        raise InputError(f"{source}: until: there is no stage {last!r}; {nearest.hint(last, names)}")
    return list(stages[: names.index(last) + 1])


def _check(stages: Sequence[Stage], source: str) -> None:
    """Checks names, and that a stage uses only what comes before it."""
    training: list[str] = []
    proposing: list[str] = []
    for stage in stages:
        where = f"{source}: stage {stage.name!r}"
        if stage.name in training + proposing:
            raise InputError(f"{where} stands there twice; give each stage a name of its own")
        for key, wanted in stage.start.items():
            _refuse_unknown(wanted, training, f"{where}: start of {key}")
            if not key.startswith("model."):
                raise InputError(f"{where}: start names {key!r}; name a part of the model, e.g. model.network.pyramid")
        if bool(stage.network) != bool(stage.parts):
            raise InputError(f"{where}: network and parts belong together: name the class, and what it takes over")
        if stage.joins and not stage.start:
            raise InputError(f"{where} joins nothing: name parts and the stages that trained them under start")
        if stage.proposals:
            _refuse_unknown(stage.proposals, proposing, f"{where}: proposals")
        if stage.trains:
            training.append(stage.name)
            continue
        _refuse_unknown(stage.propose, training, f"{where}: propose")
        if stage.set or stage.start or stage.proposals or stage.network or stage.joins:
            raise InputError(f"{where} proposes and trains nothing: leave out set, start, proposals, network and joins")
        for split in stage.splits:
            if split not in SPLITS:
                raise InputError(f"{where}: splits has no {split!r}; {nearest.hint(split, SPLITS)}")
        proposing.append(stage.name)
    if stages and not stages[-1].trains:
        raise InputError(f"{source}: the last stage is the run's result, but {stages[-1].name!r} trains nothing")


def _refuse_unknown(name: str, earlier: Sequence[str], where: str) -> None:
    if name not in earlier:
        before = nearest.hint(name, earlier) if earlier else "there is none before it"
        raise InputError(f"{where}: no earlier stage {name!r} gives that; {before}")


def experiment_of(stage: Stage, whole: Experiment, is_last: bool) -> Experiment:
    """The ordinary experiment that a training stage is; the last one stands for the row, the others for none."""
    config = copy.deepcopy({key: value for key, value in whole.config.items() if key != SECTION})
    of_stage = dataclasses.replace(whole, config=config, dropped=[], sources=dict(whole.sources))
    if stage.network:
        arguments = config["model"]["init_args"]
        taken = {name: _part(arguments["network"], name, stage) for name in stage.parts}
        arguments["network"] = {"class_path": stage.network, "init_args": taken}
    if stage.joins:
        config["trainer"]["max_steps"] = 0
    for key, value in stage.set.items():
        if whole.sources.get(key, "").startswith("--"):
            continue  # what the command line says, all stages do
        compose.set_key(config, key, value, f"stage {stage.name}")
        of_stage.record([key], f"stage {stage.name!r} of {whole.name}")
    if not is_last:
        of_stage.card, of_stage.row, of_stage.card_content = Card(metric="train/loss"), None, {}
    return of_stage


def _part(network: Any, name: str, stage: Stage) -> Any:
    """An argument of the recipe's network."""
    there = (network.get("init_args") or {}) if isinstance(network, dict) else {}
    if name not in there:
        raise InputError(f"stage {stage.name!r}: parts: {name!r} is none of the network's; {nearest.hint(name, there)}")
    return there[name]
