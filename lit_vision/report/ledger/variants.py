"""Finished runs grouped into variants: same recipe, row and configuration, so that only the seed differs. No torch."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from lit_vision.experiment import card as cards
from lit_vision.experiment.card import Card, Row
from lit_vision.report import activity, identity
from lit_vision.report.collect import Run


@dataclass(frozen=True)
class Variant:
    """Runs whose figures may be averaged: same recipe, row, changes and resolved configuration.

    Attributes:
        recipe: Name of the recipe, or the stem of a user's own file.
        row: Name of the row; empty where none applies.
        changed: Dotted keys and values beyond the hardware; empty at full scale.
        digest: Identity of the resolved configuration; empty where the runs do not tell it.
        runs: All its runs, oldest first.
    """

    recipe: str
    row: str
    changed: dict[str, Any]
    digest: str
    runs: tuple[Run, ...]

    @property
    def stand_in(self) -> bool:
        """Whether any of its runs says that it is a stand-in."""
        return bool(self.changed) or any(run.result["stand_in"] for run in self.runs)

    @property
    def counted(self) -> tuple[Run, ...]:
        """The newest run of each seed, but a training's own test before any later one; by seed."""
        newest = {run.result["seed"]: run for run in sorted(self.runs, key=is_later_test, reverse=True)}
        return tuple(newest[seed] for seed in sorted(newest, key=lambda seed: (seed is None, seed)))

    @property
    def own_card(self) -> Card:
        """The card that the newest run was judged by."""
        newest = self.runs[-1]
        return cards.parse(newest.result.get("card") or {}, str(newest.folder.result))

    def own_row(self, card: Card) -> Row:
        """The variant's row in a card; what the newest run says of itself where the card has none."""
        if self.row in card.rows:
            return card.row(self.row, self.recipe)
        result = self.runs[-1].result
        return Row(
            where=result.get("where") or "",
            metric=result["metric"],
            value=result.get("expected"),
            claim=result.get("claim") or "",
            also=result.get("also") or {},
            tolerance=result.get("tolerance") or cards.DEFAULT_TOLERANCE,
            split=result.get("split") or "",
            stand_in=bool(result["stand_in"] and not result["changed"]),
        )


def group(runs: Iterable[Run]) -> list[Variant]:
    """Variants of the finished runs, in the order of recipe and row, with the fewest changes first.

    Names are not enough: two files may be called the same, and a recipe may have been edited between two runs. Of such
    variants the one with the newest run comes last.
    """
    found: dict[tuple[str, str, str, str], list[Run]] = {}
    for run in runs:
        if run.finished:
            result = run.result
            # The digest of result and the saved configuration tell the same; older runs have the latter alone.
            which = result.get("digest") or identity.spelled(run)
            key = (result["recipe"], result["row"] or "", spelled(result["changed"]), which)
            found.setdefault(key, []).append(run)
    variants = [
        Variant(
            recipe,
            row,
            members[0].result["changed"],
            members[0].result.get("digest") or "",
            tuple(sorted(members, key=_age)),
        )
        for (recipe, row, _, _), members in found.items()
    ]
    return sorted(variants, key=_order)


def _digest(members: list[Run]) -> str:
    return str(members[0].result.get("digest") or "")


def _order(variant: Variant) -> tuple[Any, ...]:
    text = spelled(variant.changed)
    return (variant.recipe, variant.row, len(text), text, _age(variant.runs[-1]))


def spelled(changed: dict[str, Any]) -> str:
    """Changes as text that is equal for equal changes, whatever their order."""
    return json.dumps(changed, sort_keys=True, default=str)


def _age(run: Run) -> tuple[float, str]:
    return activity.of(run).time, str(run.path)


def is_later_test(run: Run) -> bool:
    """See `results.is_later_test`; what is passed over there is passed over here."""
    trained = run.result.get("trained") or {}
    return bool(trained) and (trained.get("recipe"), trained.get("row")) == (run.result["recipe"], run.result["row"])
