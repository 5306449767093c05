"""Whether a run's scores may be trusted, judged where they are used. No torch here."""

from typing import Any

from lit_vision.report.dashboard import figures, misses
from lit_vision.report.dashboard.figures import Figure
from lit_vision.report.dashboard.misses import Diagnosis


def figure(diagnosis: Diagnosis) -> Figure | None:
    """Share of right predictions by score; None without any."""
    bins = _bins(diagnosis)
    if not bins:
        return None
    hover = [f"{entry['count']:,} predictions with scores {entry['low']:g} to {entry['high']:g}" for entry in bins]
    scores, right = ([entry[key] for entry in bins] for key in ("score", "accuracy"))
    traces = [
        figures.trace("perfectly calibrated", [0, 1], [0, 1], role="quiet", dash=True),
        figures.trace("share that is right", scores, right, "val", mode="lines+markers", hover=hover),
    ]
    text = f"Share of right predictions by score. {in_words(diagnosis)}"
    return figures.lines("calibration", text, traces, "score", "right", x_range=[0, 1], y_range=[0, 1.02])


def _bins(diagnosis: Diagnosis) -> list[dict[str, Any]]:
    """The bins that hold predictions."""
    found = diagnosis.get("calibration") or []
    return [entry for entry in found if entry["count"] and entry["score"] is not None and entry["accuracy"] is not None]


def in_words(diagnosis: Diagnosis) -> str:
    """How far scores are from the truth where they are used: for a detector, from the score on that pictures show."""
    bins, least = _bins(diagnosis), misses.shown_score(diagnosis)
    used = [entry for entry in bins if entry["low"] >= least - 1e-9]
    if not bins:
        return "Nothing to measure."
    if not used:
        return f"No box reaches a score of {least:g}, from which on boxes are shown: none can be trusted."
    if alike := _alike(diagnosis, used):
        return alike
    shares = f"{_share(used, bins)} of all" if least else ""
    what = f"Of the boxes that are shown (score of {least:g} or more, {shares})" if least else "Of its answers"
    return f"{what}, {_lean(used)}; expected calibration error there {_expected_error(used):.3g} %."


def _alike(diagnosis: Diagnosis, bins: list[dict[str, Any]]) -> str:
    """What is to be said of scores that are all the same; empty for others."""
    answers = {cell[1] for cell in diagnosis.get("confusion") or [] if cell[2]}
    if len(answers) == 1:
        name = misses.class_name(diagnosis, answers.pop())
        return f"It answers {name} to every image: such scores tell nothing, however well calibrated."
    if diagnosis.get("task") == "classification" and len(bins) == 1 and bins[0]["high"] < 1:
        low, high = bins[0]["low"], bins[0]["high"]
        return f"All scores in use lie between {low:g} and {high:g}: they hardly tell right from wrong."
    return ""


def _lean(bins: list[dict[str, Any]]) -> str:
    """Share that is right beside the mean score."""
    score, right = (100 * _mean(bins, key) for key in ("score", "accuracy"))
    gap = right - score
    side = "about as sure as right" if abs(gap) < 1 else f"{abs(gap):.2g} points {'less sure' if gap > 0 else 'surer'}"
    than = "" if abs(gap) < 1 else " than right"
    return f"{right:.3g} % are right at a mean score of {score:.3g} %, {side}{than}"


def _mean(bins: list[dict[str, Any]], key: str) -> float:
    """Mean over predictions."""
    return float(sum(entry["count"] * entry[key] for entry in bins) / sum(entry["count"] for entry in bins))


def _expected_error(bins: list[dict[str, Any]]) -> float:
    """Of these bins alone, in percent."""
    gaps = sum(entry["count"] * abs(entry["accuracy"] - entry["score"]) for entry in bins)
    return float(100 * gaps / sum(entry["count"] for entry in bins))


def _share(part: list[dict[str, Any]], whole: list[dict[str, Any]]) -> str:
    return f"{100 * sum(entry['count'] for entry in part) / sum(entry['count'] for entry in whole):.3g} %"
