"""What an experiment will do, without doing it: parameters, multiply-adds, schedule, images seen."""

import dataclasses
from typing import Any

from lit_vision.experiment import card as cards
from lit_vision.experiment import names as check
from lit_vision.experiment import stages
from lit_vision.experiment.recipes import Experiment
from lit_vision.models import counts
from lit_vision.runs import checkpoints
from lit_vision.session.assembler import assemble


def facts(experiment: Experiment) -> dict[str, str]:
    """Label and text of everything that can be said before a run; builds the model, reads no data."""
    if listed := stages.of(experiment):  # the run's result is the last stage's
        experiment = stages.experiment_of(listed[-1], experiment, True)
    check.names(experiment)
    # The shape of a network needs no download.
    shown = dataclasses.replace(experiment, config=checkpoints.without_downloads(experiment.config))
    assembler = assemble(shown, [])
    assembler.build()
    model: Any = assembler.model
    data: Any = assembler.datamodule
    network = getattr(model, "network", model)
    row = experiment.expected()
    if row:
        cards.check_classes(row, data.class_names, f"{experiment.name}: card.rows.{experiment.row}")
    found = {"recipe": experiment.name, "row": experiment.row or "-"}
    if row and row.value is not None:
        where = row.place or row.source
        found["expected"] = f"{row.metric} {row.value:g}, tolerance {row.tolerance:g}, on {row.split} ({where})"
    if row and row.by_class:
        named = zip(data.class_names, row.by_class, strict=True)
        found["by class"] = ", ".join(f"{name} {value:g}" for name, value in named)
    if row and row.printed:
        found["printed"] = row.printed.told()
    found["parameters"] = f"{counts.parameters(network):,}"
    size = getattr(data.pipeline, "input_size", None)
    if size and network is not model:
        cost = counts.multiply_adds(network, size)
        found["multiply-adds"] = f"{cost:,} per image of {size[0]} x {size[1]}"
    steps = assembler.trainer.max_steps
    if steps > 0:
        epoch = max(1, data.num_train // data.batch_size)
        found["schedule"] = f"{steps:,} iterations of {data.batch_size} images, {steps / epoch:.1f} epochs of {epoch:,}"
        found["images seen"] = f"{steps * data.batch_size:,}"
    return found
