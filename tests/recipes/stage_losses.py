"""Losses of runs in stages."""

from lit_vision.runs import folder as runs


def first_two(run):
    """Losses of the first two steps, summed over the stages: what any of them does differently shows."""
    logs = [runs.read_metrics(file) for file in [run / "metrics.jsonl", *run.glob("stages/*/metrics.jsonl")]]
    found = [[line["train/loss"] for line in log if "train/loss" in line] for log in logs]
    return [sum(losses[step] for losses in found if losses) for step in (0, 1)]
