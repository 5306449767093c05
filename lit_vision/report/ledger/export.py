"""The ledger for other programs: CSV and JSON. No torch here.

JSON, version 1 (numbers are null where there is none; figures are in the unit of their metric, mostly percent):

    {"version": 1,
     "tables": [{"paper": arXiv id or "", "table": heading, "stand_in": bool, "changed_keys": [dotted key, …],
                 "entries": [ENTRY, …]}, …],
     "relations": [{"recipe", "paper", "id", "where", "claim", "expr", "expected": the paper's left side,
                    "value": ours, "interval": 95 % of left minus right side, "figures": {row: mean}, "verdict",
                    "stand_in", "changed": {key: value}}, …],
     "unfinished": [{"recipe", "row", "seed", "step", "time": seconds since 1970, "sweep", "run"}, …]}
    ENTRY = {"recipe", "row", "where", "metric", "expected", "values": [{"seed", "value"}, …], "mean", "spread", "n",
             "difference", "verdict", "tolerance", "claim", "evidence": names of marks, "stand_in", "changed",
             "also": [{"metric", "expected", "values", "mean", "spread", "n", "difference", "verdict"}, …],
             "cost": {"hours": of one run, "devices": [n, …], "hardware": [name, …], "images_seen"},
             "by_class": [{"class", "expected", "mean"}, …], empty where the paper prints none,
             "notes": [text, …], "known": whether the recipe is one of this suite,
             "runs": [{"run": folder or address, "seed", "value", "counted": bool, "code", "sweep"}, …]}

Keys may be added; none changes its meaning without a new version. CSV holds one line for each ENTRY, so a row that ran
at full scale and with changes has two, and stand-ins have columns of their own (`stand_in_mean` …). `also` figures,
claims and relations are in JSON only.
"""

import csv
import io
import json
from collections.abc import Iterable, Sequence
from typing import Any

from lit_vision.report import numbers
from lit_vision.report.ledger import class_tables, record
from lit_vision.report.ledger.ledger import Ledger
from lit_vision.report.ledger.record import Entry, Figure, JudgedRelation, Table, Unfinished

VERSION = 1
COLUMNS = (
    *("paper", "table", "recipe", "row", "where", "metric", "expected", "mean", "spread", "n", "difference"),
    *("tolerance", "verdict", "evidence", "stand_in", "changed", "stand_in_mean", "stand_in_spread", "stand_in_n"),
    *("hours", "devices", "hardware", "images_seen", "code", "sweep", "runs", "notes"),
)


def as_json(ledger: Ledger, every_row: bool = False) -> str:
    """The ledger as one JSON object; the schema is this module's docstring.

    Args:
        ledger: What to write.
        every_row: Writes tables without a run too.
    """
    content = {
        "version": VERSION,
        "tables": [_table(table) for table in _shown(ledger, every_row)],
        "relations": [_relation(relation) for relation in ledger.relations],
        "unfinished": [_unfinished(item) for item in ledger.unfinished],
    }
    return json.dumps(content, indent=1, ensure_ascii=False, default=str) + "\n"


def as_csv(ledger: Ledger, every_row: bool = False) -> str:
    """One line for each row and way of changing it."""
    file = io.StringIO()
    writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for table in _shown(ledger, every_row):
        writer.writerows({key: _cell(value) for key, value in _line(table, entry).items()} for entry in table.entries)
    return file.getvalue()


def _shown(ledger: Ledger, every_row: bool) -> Sequence[Table]:
    return [table for table in ledger.tables if table.ran or every_row]


def _table(table: Table) -> dict[str, Any]:
    return {
        "paper": table.paper,
        "table": table.heading,
        "stand_in": table.stand_in,
        "changed_keys": list(table.keys),
        "entries": [_entry(entry) for entry in table.entries],
    }


def _entry(entry: Entry) -> dict[str, Any]:
    cost = entry.cost
    return {
        "recipe": entry.recipe,
        "row": entry.row,
        "where": entry.where,
        **_figure(entry.judged),
        "tolerance": entry.tolerance,
        "claim": entry.claim,
        "evidence": entry.evidence,
        "stand_in": entry.stand_in,
        "changed": entry.changed,
        "also": [_figure(figure) for figure in entry.also],
        "cost": {
            "hours": cost.hours,
            "devices": list(cost.devices),
            "hardware": list(cost.hardware),
            "images_seen": cost.images,
        },
        "by_class": [{"class": name, "expected": value, "mean": mean} for name, value, mean in class_tables.of(entry)],
        "notes": list(entry.notes),
        "known": entry.known,
        "runs": [_run(entry, index) for index in range(len(entry.runs))],
    }


def _figure(figure: Figure) -> dict[str, Any]:
    return {
        "metric": figure.metric,
        "expected": figure.expected,
        "values": [{"seed": seed, "value": value} for seed, value in figure.values.items()],
        "mean": figure.mean,
        "spread": figure.spread,
        "n": len(figure.values),
        "difference": figure.difference,
        "verdict": str(figure.verdict),
    }


def _run(entry: Entry, index: int) -> dict[str, Any]:
    run = entry.runs[index]
    return {
        "run": record.link(run),
        "seed": run.result["seed"],
        "value": numbers.finite(run.figures_on(entry.line.split).get(entry.metric)),
        "counted": any(run is counted for counted in entry.counted),
        "code": run.result.get("code"),
        "sweep": dict(record.sweep(run)) or None,
    }


def _relation(relation: JudgedRelation) -> dict[str, Any]:
    return {name: getattr(relation, name) for name in relation.__dataclass_fields__}


def _unfinished(item: Unfinished) -> dict[str, Any]:
    return {
        "recipe": item.run.recipe,
        "row": item.run.row,
        "seed": item.run.seed,
        "step": item.activity.step,
        "time": item.activity.time or None,
        "sweep": dict(record.sweep(item.run)) or None,
        "run": record.link(item.run),
    }


def _line(table: Table, entry: Entry) -> dict[str, Any]:
    cost = entry.cost
    # Columns of their own: nobody shall average a stand-in with a full-scale run by mistake.
    prefix = "stand_in_" if entry.stand_in else ""
    full = None if entry.stand_in else entry
    return {
        "paper": table.paper,
        "table": table.heading,
        "recipe": entry.recipe,
        "row": entry.row,
        "where": entry.where,
        "stand_in": str(entry.stand_in).lower(),
        "changed": json.dumps(entry.changed, default=str) if entry.changed else "",
        "metric": entry.metric,
        "expected": entry.expected,
        f"{prefix}mean": entry.mean,
        f"{prefix}spread": entry.spread,
        f"{prefix}n": len(entry.values),
        "difference": full and full.difference,
        "tolerance": full and full.tolerance,
        "verdict": str(entry.verdict),
        "evidence": entry.evidence,
        "hours": cost.hours,
        "devices": _several(cost.devices),
        "hardware": _several(cost.hardware),
        "images_seen": cost.images,
        "code": _several(dict.fromkeys(run.result.get("code") for run in entry.counted)),
        "sweep": _several(dict.fromkeys(record.sweep(run).get("name") for run in entry.counted)),
        "runs": _several(record.link(run) for run in entry.counted),
        "notes": _several(entry.notes),
    }


def _several(values: Iterable[Any]) -> str:
    return "; ".join(str(value) for value in values if value not in (None, ""))


def _cell(value: Any) -> Any:
    # A spreadsheet would run text that begins like a formula.
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r") else value
