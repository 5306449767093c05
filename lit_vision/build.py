"""One object from its plain configuration, outside the command line: how a checkpoint rebuilds its network."""

import copy
from argparse import ArgumentError
from typing import Any

from jsonargparse import ArgumentParser

from lit_vision.errors import InputError
from lit_vision.experiment import compose


def part(kind: Any, config: Any, **arguments: Any) -> Any:
    """Builds `{class_path, init_args}`, or a bare class path, with everything nested in it.

    Args:
        kind: What the object must be.
        config: Its plain configuration.
        arguments: Further arguments, for what a recipe leaves to the data.

    Raises:
        InputError: If the configuration does not build such an object.
    """
    path = compose.class_path(config)
    given = copy.deepcopy((config.get("init_args") or {}) if compose.is_part(config) else {})  # parsing changes lists
    parser = ArgumentParser(exit_on_error=False)
    parser.add_argument("part", type=kind)
    try:
        parsed = parser.parse_object({"part": {"class_path": path, "init_args": given | arguments}})
    except (ArgumentError, TypeError, ValueError) as error:
        last = str(error).strip().splitlines()[-1].strip()
        raise InputError(f"{path} cannot be built from its stored configuration: {last}") from None
    return parser.instantiate_classes(parsed)["part"]
