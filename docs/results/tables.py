"""What the pages of this folder are made of: the JSON lines beside them, tables, figures and intervals."""

import json
from pathlib import Path

HERE = Path(__file__).parent


def lines(name):
    return [json.loads(line) for line in (HERE / f"{name}.jsonl").read_text().splitlines()]


def table(head, rows):
    body = [[str(cell) for cell in row] for row in rows]
    return "\n".join(["| " + " | ".join(row) + " |" for row in [head, ["---"] * len(head), *body]])


def figure(entry, name):
    value = entry["figures"].get(name)
    return "-" if value is None else f"{value:.1f}"


def interval(values, form=".1f"):
    value, low, high = (format(each, form) for each in values)
    return f"{value} ({low} to {high})"
