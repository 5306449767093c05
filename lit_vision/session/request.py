"""What the command line asks for, and the experiment that it names. No torch until a checkpoint must be read."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lit_vision.errors import InputError
from lit_vision.experiment import keys, recipes, sections
from lit_vision.experiment.recipes import Experiment
from lit_vision.runs import ownership
from lit_vision.runs.folder import RunFolder

LAST = "last"


@dataclass
class Request:
    """What the command line asks for.

    Attributes:
        verb: `fit`, `validate` or `test`.
        configs: Recipe and overlays.
        row: Row of the recipe.
        run: Folder named by the user.
        ckpt_path: A checkpoint file, or `last`.
        trust_code: Whether a checkpoint, or a folder that is not the user's own, may name classes of any package.
        members: Run folders of an ensemble's members.
        options: Dotted keys and values, in order.
    """

    verb: str
    configs: list[str] = field(default_factory=list)
    row: str | None = None
    run: str | None = None
    ckpt_path: str | None = None
    trust_code: bool = False
    members: list[str] = field(default_factory=list)
    options: list[tuple[str, Any]] = field(default_factory=list)

    @property
    def file(self) -> str | None:
        """The checkpoint file that is named, None for none and for `last`."""
        return None if self.ckpt_path == LAST else self.ckpt_path


def resolve(request: Request) -> Experiment:
    """Resolves configuration files, or the run folder's or the checkpoint's own configuration.

    Raises:
        InputError: If nothing names an experiment, or what is named does not resolve.
    """
    sections.refuse_unknown_options([name for name, _ in request.options])
    configs, base = list(request.configs), None
    if not configs and request.run and (run := RunFolder(Path(request.run))).config.is_file():
        if not request.trust_code:
            ownership.refuse_foreign(run)
        configs = [str(run.config)]
    if not configs and request.file:
        from lit_vision.runs import checkpoints

        base = checkpoints.configuration(checkpoints.read(request.file), request.file, request.trust_code)
    if not configs and base is None:
        raise InputError(f"{request.verb} needs --config RECIPE; lit-vision recipes ls shows them")
    experiment = recipes.resolve(configs, request.row, request.options, base)
    sections.refuse_unknown(experiment)
    keys.refuse_unknown(experiment)
    return experiment
