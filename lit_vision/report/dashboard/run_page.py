"""What stands on the page of one run. No torch here."""

from typing import Any

from lit_vision.experiment import yamlio
from lit_vision.report import numbers
from lit_vision.report.collect import Run
from lit_vision.report.dashboard import calibration, learning, misses, naming, pictures, speed, states, summary

Content = dict[str, Any]

FIRST_PICTURES = 8  # the others unfold


def content(run: Run, home: str | None = None) -> Content:
    """Everything that `templates/run.html` shows; `figures` is what its scripts draw.

    Args:
        run: The run.
        home: Link to the page of all runs, if there is one.
    """
    curves = learning.all_curves(run)
    learned = learning.learning_figures(run, curves)
    speeds = speed.speed_figures(run, curves)
    shown = list(learned)[:2]
    figures = {f"curve-{name}": figure for name, figure in learned.items()}
    figures |= {f"speed-{name}": figure for name, figure in speeds.items()}
    figures |= misses.miss_figures(run.diagnosis)
    if calibrated := calibration.figure(run.diagnosis):
        figures["calibration"] = calibrated
    if rate := learning.rate_figure(curves):
        figures["rate"] = rate
    return {
        "kind": "run",
        "title": naming.label(run),
        "recipe": run.recipe,
        "home": home,
        "status": states.label(run),
        "facts": summary.facts(run, curves),
        "answers": summary.answers(run, curves),
        "first_curves": shown,
        "more_curves": [name for name in learned if name not in shown],
        "speed_names": list(speeds),
        "paper": paper(run),
        "bound": "paper" if of_paper(run) else "own bound",
        "relations": sorted((run.result.get("relations") or {}).items()),
        "claim": run.result.get("claim") or "",
        "later": later(run),
        "plots": pictures.plots(run),
        "pictures": pictures.of_run(run),
        "first_pictures": FIRST_PICTURES,
        "classes": classes(run),
        "confusions": misses.confusions(run.diagnosis),
        "task": run.diagnosis.get("task") or "",
        "shown_score": misses.shown_score(run.diagnosis),
        "every_score": misses.EVERY_SCORE,
        "configuration": yamlio.dump(run.config) if run.config else "",
        "figures": figures,
    }


def paper(run: Run) -> list[dict[str, str]]:
    """The judged figure and the further ones of the same line, beside the paper's."""
    result = run.result
    if not result:
        return []
    stand_in = bool(result.get("stand_in"))
    judged = {result["metric"]: result.get("expected")} | (result.get("also") or {})
    own = result.get("figures") or {}
    lines = [_line(metric, expected, own.get(metric), stand_in) for metric, expected in judged.items()]
    bounded = not stand_in and result.get("expected") is not None
    lines[0]["tolerance"] = numbers.printed(numbers.finite(result.get("tolerance"))) if bounded else ""
    lines[0]["verdict"] = str(result.get("verdict") or "")
    return lines


def of_paper(run: Run) -> bool:
    """Whether a paper prints what the run is held against; else it is a bound of the recipe's own."""
    return bool((run.result.get("card") or run.config.get("card") or {}).get("paper"))


def later(run: Run) -> list[dict[str, str]]:
    """What later tests and analyses of the run's weights say: row, judged figure, verdict."""
    lines = []
    for other in run.later:
        result = other.result
        metric = str(result.get("metric") or "")
        found = _line(metric, result.get("expected"), result.get("value"), bool(result.get("stand_in")))
        lines.append(found | {"row": str(other.row or ""), "verdict": str(result.get("verdict") or "")})
    return lines


def _line(metric: str, expected: Any, ours: Any, stand_in: bool) -> dict[str, str]:
    paper, own = numbers.finite(expected), numbers.finite(ours)
    # A stand-in is not held against the paper.
    difference = None if stand_in or paper is None or own is None else own - paper
    return {
        "metric": metric,
        "paper": numbers.printed(paper),
        "ours": numbers.figure(own),
        "difference": numbers.signed(difference),
        "tolerance": "",
        "verdict": "",
    }


def classes(run: Run) -> list[dict[str, Any]]:
    """Classes, worst first: name, count, and what was measured."""
    by_class = (run.diagnosis.get("errors") or {}).get("by_class") or {}
    lines = []
    for entry in run.diagnosis.get("per_class") or []:
        line = {"class": str(entry["class"]), "count": entry.get("count")}
        line |= {key: numbers.finite(entry.get(key)) for key in ("error", "ap", "ap50") if key in entry}
        if found := misses.by_cost(by_class.get(entry["class"]) or {}):
            line["dearest"] = f"{found[0][0]} ({found[0][1]:.3g})"
        lines.append(line)
    return sorted(lines, key=_badness, reverse=True)


def _badness(line: dict[str, Any]) -> float:
    if "error" in line:
        return -1.0 if line["error"] is None else float(line["error"])
    return -1000.0 if line.get("ap") is None else -float(line["ap"])
