"""What stands on the page of all runs. No torch here."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from lit_vision.experiment.card import DEFAULT_TOLERANCE
from lit_vision.report import activity, numbers
from lit_vision.report.collect import Run
from lit_vision.report.dashboard import learning, naming, points, speed, states, summary, sweeps
from lit_vision.report.dashboard.summary import Answer
from lit_vision.report.dashboard.sweeps import Sweep
from lit_vision.report.ledger import ledger, record
from lit_vision.report.ledger.ledger import Ledger
from lit_vision.report.ledger.record import Entry

Content = dict[str, Any]

POINTS = 60_000  # of all curves together; a run gets its share
WAITING = "waiting for data, %"  # name of the first rank's curve; `page.js` knows it
SHARE = (40, 300)  # points of one curve, at least and at most


class Line(NamedTuple):
    """One run in the list; `key` tells it from all others.

    Attributes:
        key: Its folder, relative to the runs' folder.
        href: Link to its page.
        run: The run, for the tables of papers and sweeps.
        cells: What the list shows, by column.
        curves: Thinned, by name: `[steps, values]`.
        best: Step and value of the best validation, by figure without split.
        overfits: From which step on; None if it does not.
        wait_share: Percent of its time.
    """

    key: str
    href: str
    run: Run
    cells: dict[str, Any]
    curves: dict[str, list[list[float]]]
    best: dict[str, list[float]]
    overfits: float | None
    wait_share: float | None


def line(run: Run, key: str, href: str, of: int) -> Line:
    """Reads what the page says of one run; `of` is the number of runs that share the page."""
    curves = learning.all_curves(run)
    found, watched = speed.of_run(run, curves), learning.watched(run, curves)
    figures = {name: learning.best(curves, name) for name in dict.fromkeys(("loss", learning.judged(run)))}
    names = [f"{split}/{name}" for name in figures for split in ("train", "val")] + ["lr", "rank0/images_per_s"]
    kept = {name: curves[name] for name in names if name in curves}
    if waits := speed.wait_shares(run, curves):
        kept[WAITING] = next(iter(waits.values()))
    limit = min(max(POINTS // max(of, 1) // 6, SHARE[0]), SHARE[1])
    return Line(
        key=key,
        href=href,
        run=run,
        cells=_cells(run, found, watched),
        curves={name: [[*xs], [*ys]] for name, curve in kept.items() for xs, ys in [points.thin(*curve, limit)]},
        best={name: [best.step, points.short(best.value)] for name, best in figures.items() if best},
        overfits=watched[0].step if watched and watched[0].overfits else None,
        wait_share=found.wait_share if found else None,
    )


def _cells(run: Run, found: speed.Speed | None, watched: Sequence[learning.Best]) -> dict[str, Any]:
    value = numbers.finite(run.result.get("value"))
    # A stand-in is not held against the paper.
    expected = None if run.result.get("stand_in") else numbers.finite(run.result.get("expected"))
    return {
        "label": naming.label(run),
        "recipe": run.recipe,
        "row": run.row or "",
        "tags": summary.tags(run),
        "status": states.label(run),
        "metric": str(run.result.get("metric") or ""),
        "value": value,
        "expected": expected,
        "difference": None if value is None or expected is None else value - expected,
        "step": run.result.get("steps") or activity.of(run).step,
        "best_step": watched[0].step if watched else None,
        "seconds": numbers.finite(run.result.get("duration_s")),
        "images_per_s": found.images_per_s if found else None,
        "wait_share": found.wait_share if found else None,
    }


def content(lines: Sequence[Line], left_out: Sequence[str] = ()) -> Content:
    """Everything that `templates/project.html` shows; `runs` is what its scripts draw.

    Args:
        lines: The runs.
        left_out: A line for each run that cannot be read.
    """
    lines = _named_apart(lines)
    runs = [line.run for line in lines]
    book = ledger.build(runs)
    found = sweeps.of_runs(runs)
    hrefs = {id(line.run): line.href for line in lines}
    words = {sweep.name: sweeps.in_words(sweep) for sweep in found}
    shown = list(enumerate((table for table in book.tables if table.ran), 1))
    judged = [relation for relation in book.relations if relation.verdict != "not run"]
    return {
        "kind": "project",
        "title": "Runs",
        "lines": lines,
        "left_out": left_out,
        "hrefs": hrefs,
        "papers": [(number, table) for number, table in shown if table.paper],
        "own": [(number, table) for number, table in shown if not table.paper],
        "relations": judged,
        "waiting": len(book.relations) - len(judged),
        "sweeps": found,
        "sweep_words": words,
        "answers": answers(lines, book, words),
        "axes": {sweep.name: _parallel(sweep, words[sweep.name]) for sweep in found if len(sweep.finished) > 1},
        "runs": [
            {"id": line.key, "label": line.cells["label"], "curves": line.curves, "best": line.best} for line in lines
        ],
    }


def _named_apart(lines: Sequence[Line]) -> list[Line]:
    """The lines with labels that tell each run from all others."""
    labels = naming.apart([line.cells["label"] for line in lines], [line.run.path.name for line in lines])
    return [line._replace(cells=line.cells | {"label": label}) for line, label in zip(lines, labels, strict=True)]


def _parallel(sweep: Sweep, text: str) -> Content:
    trials = [f"trial {trial.number}: {numbers.figure(trial.value)}" for trial in sweep.finished]
    return {"axes": sweeps.axes(sweep), "trials": trials, "text": text, "lower": sweep.lower}


def answers(lines: Sequence[Line], book: Ledger, sweep_words: dict[str, str]) -> list[Answer]:
    """The questions that the page of all runs answers at its head; what is said of each sweep is known already."""
    entries = [entry for entry in book.entries if entry.runs]
    counts = ", ".join(f"{count} {verdict}" for verdict, count in Counter(str(e.verdict) for e in entries).items())
    return [
        Answer("verdicts", "What was reproduced?", f"Rows: {counts}." if counts else "No run is finished.", "papers"),
        Answer("missed", "Which row missed most, and by how much?", furthest(entries), "papers"),
        Answer("relations", "Do the papers' claims hold?", _claims(book), "relations"),
        *(
            Answer("sweep", f"What did the best trial of {name} change, and did it matter?", text, "sweeps")
            for name, text in sweep_words.items()
        ),
        Answer("overfit", "Which runs overfit?", _overfitting(lines), "curves"),
        Answer("wait", "Which run waited most for data?", _waiting(lines), "runs"),
        *_unfinished(lines),
    ]


def furthest(entries: Sequence[Entry]) -> str:
    """The row furthest from its paper in units of its tolerance, as metrics differ; those that missed go first."""
    full = [entry for entry in entries if entry.card.paper and not entry.stand_in and entry.difference is not None]
    if not full:
        return "No row that ran at full scale has a paper's number to meet."
    missed = [entry for entry in full if str(entry.verdict).startswith("missed")]
    worst = max(missed or full, key=_tolerances)
    name = f"{worst.row} of {worst.recipe}: {worst.metric} {numbers.figure(worst.mean)} against {worst.expected:g}"
    far = f"{numbers.signed(worst.difference)}, {_tolerances(worst):.2g} times its tolerance"
    told = f"{name} ({far}), {worst.verdict}."
    return told if missed else f"None missed. Furthest off is {told}"


def _tolerances(entry: Entry) -> float:
    return abs(entry.difference or 0.0) / (entry.tolerance or DEFAULT_TOLERANCE)


def _claims(book: Ledger) -> str:
    decided = [relation for relation in book.relations if relation.verdict != "not run"]
    if not decided:
        return "No claim has all the runs that it needs."
    wrong = [relation.id for relation in decided if relation.verdict.startswith("does not")]
    told = f"{len(decided) - len(wrong)} of {len(decided)} decided claims hold"
    return f"{told}; not {', '.join(wrong)}." if wrong else f"{told}."


def _overfitting(lines: Sequence[Line]) -> str:
    found = [line for line in lines if line.overfits is not None]
    if not found:
        return "None shows it clearly."
    named = "; ".join(f"{line.cells['label']} from step {line.overfits:g} on" for line in found[:3])
    return f"{len(found)} of {len(lines)}: {named}{'; …' if len(found) > 3 else ''}."


def _waiting(lines: Sequence[Line]) -> str:
    known = [line for line in lines if line.wait_share is not None]
    if not known:
        return "Not logged."
    worst = max(known, key=lambda line: line.wait_share or 0.0)
    return f"{worst.cells['label']} of {worst.cells['recipe']}: {worst.wait_share:.2g} % of its training time."


def _unfinished(lines: Sequence[Line]) -> Iterator[Answer]:
    open_runs = [line for line in lines if not line.run.finished]
    if open_runs:
        named = "; ".join(
            f"{line.cells['label']} at step {states.progress(line.run)}: {states.in_words(line.run)}"
            for line in open_runs[:3]
        )
        text = f"{len(open_runs)}: {named}{'; …' if len(open_runs) > 3 else ''}."
        yield Answer("unfinished", "What is unfinished?", text, "runs")


def link(entry: Entry, hrefs: dict[int, str]) -> list[tuple[str, str]]:
    """Seeds of a table's line with the links to their pages; says which run of a seed it is where there are several."""
    return [(_which(entry, run), hrefs[id(run)]) for run in entry.counted if id(run) in hrefs]


def _which(entry: Entry, run: Run) -> str:
    times = sum(other.seed == run.seed for other in entry.runs)
    trial = f"trial {record.sweep(run).get('trial')} of {sweep_of(run)}" if record.sweep(run) else ""
    several = f"newest of {times}" if times > 1 else ""
    told = ", ".join(text for text in (several, trial if several else "") if text)
    return f"seed {run.seed} ({told})" if told else f"seed {run.seed}"


def sweep_of(run: Run) -> str:
    """Name of the sweep that a run belongs to; empty without."""
    return str(record.sweep(run).get("name") or "")
