"""What the agents of a sweep must agree on, kept with the study: sweep file, seeds, options, folder. No torch here."""

from typing import Any, Literal

import optuna
from optuna.storages import BaseStorage

from lit_vision.errors import InputError

_PLAN = "lit_vision"  # the study's entry


def create(
    storage: BaseStorage, name: str, goal: Literal["minimize", "maximize"], plan: dict[str, Any]
) -> dict[str, Any]:
    """Makes the study, or finds it.

    Args:
        storage: Where it is kept.
        name: Name of the study.
        goal: `minimize` or `maximize`.
        plan: What the agents of the sweep must agree on.

    Returns:
        The plan that stands in the study: of whoever was first.
    """
    study = optuna.create_study(storage=storage, study_name=name, direction=goal, load_if_exists=True)
    if _PLAN not in study.user_attrs:
        study.set_user_attr(_PLAN, plan)
    stored: dict[str, Any] = study.user_attrs[_PLAN]
    return stored


def change(storage: BaseStorage, name: str, plan: dict[str, Any]) -> dict[str, Any]:
    """Puts another plan in the study; agents at work keep the one that they began with."""
    optuna.load_study(study_name=name, storage=storage).set_user_attr(_PLAN, plan)
    return plan


def stored_plan(storage: BaseStorage, name: str, place: str) -> dict[str, Any]:
    """The plan of a study that exists.

    Raises:
        InputError: If there is none of this name; lists those that are there.
    """
    known = optuna.get_all_study_names(storage)
    if name not in known:
        held = (
            f"{place} holds no sweep {name!r}, but {', '.join(sorted(known))}" if known else f"{place} holds no sweep"
        )
        raise InputError(f"{held}; start one with lit-vision sweep run, or name another storage")
    plan: dict[str, Any] | None = optuna.load_study(study_name=name, storage=storage).user_attrs.get(_PLAN)
    if plan is None:
        raise InputError(f"{place}: the study {name!r} was not made by lit-vision sweep run; name another")
    return plan
