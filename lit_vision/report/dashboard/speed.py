"""How fast a run trained, and how long its devices waited for data. No torch here."""

import re
import statistics
from typing import NamedTuple

from lit_vision.experiment import compose
from lit_vision.report.collect import Run
from lit_vision.report.dashboard import figures
from lit_vision.report.dashboard.figures import Figure
from lit_vision.report.dashboard.points import Curve


class Speed(NamedTuple):
    """Of the whole run, from what each rank logged.

    Attributes:
        images_per_s: Training images a second, all ranks together; the median over the run.
        wait_share: Percent of the training time that the device waited for data, mean over ranks and time; None if
            the number of images a step is unknown.
        wait_s: Seconds of waiting in all, on the average rank.
        memory_mib: Highest memory of any rank.
    """

    images_per_s: float
    wait_share: float | None
    wait_s: float | None
    memory_mib: float


def ranks(curves: dict[str, Curve]) -> list[str]:
    """Names of the ranks that logged, `rank0` first."""
    found = {match[0] for name in curves if (match := re.match(r"rank\d+(?=/images_per_s$)", name))}
    return sorted(found, key=lambda name: int(name[4:]))


def of_run(run: Run, curves: dict[str, Curve]) -> Speed | None:
    """Speed of a run; None if it was not logged."""
    names = ranks(curves)
    if not names:
        return None
    rates = [statistics.median(curves[f"{rank}/images_per_s"][1]) for rank in names]
    waits = [curves[f"{rank}/data_wait_s"][1] for rank in names if f"{rank}/data_wait_s" in curves]
    shares = [share for _, (_, values) in wait_shares(run, curves).items() for share in values]
    memory = [max(curves[name][1]) for rank in names if (name := f"{rank}/memory_mib") in curves]
    steps = max(curves[f"{names[0]}/images_per_s"][0])
    return Speed(
        images_per_s=sum(rates),
        wait_share=statistics.fmean(shares) if shares else None,
        wait_s=statistics.fmean(map(statistics.fmean, waits)) * steps if waits else None,
        memory_mib=max(memory, default=0.0),
    )


def wait_shares(run: Run, curves: dict[str, Curve]) -> dict[str, Curve]:
    """Percent of its time that each rank waited for data, over the run.

    A rank logs its images a second and the seconds a step waited; a step lasts as long as its images take.
    """
    names = ranks(curves)
    images = _images_a_step(run)
    if images is None:
        return {}
    each = images / len(names) if names else images
    shares = {}
    for rank in names:
        steps, rates = curves[f"{rank}/images_per_s"]
        waits = curves.get(f"{rank}/data_wait_s", ([], []))[1]
        if waits:
            percent = [100 * wait * rate / each for wait, rate in zip(waits, rates, strict=False)]
            shares[rank] = (steps[: len(percent)], [min(share, 100.0) for share in percent])
    return shares


def _images_a_step(run: Run) -> float | None:
    """Images of an optimiser step on all devices: what was counted, else the configured batch."""
    if run.result.get("steps") and run.result.get("samples_seen"):
        return float(run.result["samples_seen"]) / float(run.result["steps"])
    batch = compose.flatten(run.config.get("data") or {}).get("batch_size")
    return float(batch) if isinstance(batch, int | float) and batch > 0 else None


def speed_figures(run: Run, curves: dict[str, Curve]) -> dict[str, Figure]:
    """Images a second, share of waiting and memory, by rank."""
    names = ranks(curves)
    found = {
        "images": _by_rank("images/s", "images per second", {r: curves[f"{r}/images_per_s"] for r in names}),
        "wait": _by_rank("waiting for data, % of training time", "% of time", wait_shares(run, curves)),
        "memory": _by_rank(
            "highest memory so far, MiB", "MiB", {r: c for r in names if (c := curves.get(f"{r}/memory_mib"))}
        ),
    }
    return {name: figure for name, figure in found.items() if figure}


def _by_rank(title: str, label: str, curves: dict[str, Curve]) -> Figure | None:
    if not curves:
        return None
    ends = "; ".join(f"{rank}: median {statistics.median(values):.4g}" for rank, (_, values) in curves.items())
    traces = [figures.curve(rank, curve, role="train" if len(curves) == 1 else "") for rank, curve in curves.items()]
    return figures.lines(title, f"{title} by optimiser step. {ends}.", traces, "optimiser step", label, from_zero=True)
