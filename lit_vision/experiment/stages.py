"""Several trainings in a row that hand weights and proposals on (Faster R-CNN paper, Section 3.2). No torch here.

    stages:
      - {name: rpn 1, set: {model.network: …, trainer.max_steps: 80000}}
      - {name: boxes 1, propose: rpn 1, splits: [train, test], limit: 2000}
      - {name: fast 2, proposals: boxes 1, start: {model.network.pyramid: rpn 1}, set: {model.network: …}}

A stage with `propose` trains nothing: the network of an earlier stage proposes regions. Every other stage is the
recipe with the stage's `set`, an ordinary run in `stages/` of the run's folder.
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
        limit: Regions of an image; as many as the network keeps in detection when left out.
    """

    name: str
    set: dict[str, Any] = field(default_factory=dict)
    start: dict[str, str] = field(default_factory=dict)
    proposals: str = ""
    propose: str = ""
    splits: list[str] = field(default_factory=list)
    limit: int | None = None

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
        if stage.proposals:
            _refuse_unknown(stage.proposals, proposing, f"{where}: proposals")
        if stage.trains:
            training.append(stage.name)
            continue
        _refuse_unknown(stage.propose, training, f"{where}: propose")
        if stage.set or stage.start or stage.proposals:
            raise InputError(f"{where} proposes and trains nothing: leave out set, start and proposals")
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
    for key, value in stage.set.items():
        compose.set_key(config, key, value, f"stage {stage.name}")
        of_stage.record([key], f"stage {stage.name!r} of {whole.name}")
    if not is_last:
        of_stage.card, of_stage.row, of_stage.card_content = Card(metric="train/loss"), None, {}
    return of_stage
