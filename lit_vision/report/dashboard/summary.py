"""What a page says of a run in words: names, facts, and answers to the questions that readers bring. No torch here."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from lit_vision.report import numbers
from lit_vision.report.collect import Run
from lit_vision.report.dashboard import calibration, learning, misses, naming, speed, states
from lit_vision.report.dashboard.points import Curve
from lit_vision.report.ledger import record


class Answer(NamedTuple):
    """A question, its answer in words, and the section that shows more.

    Attributes:
        id: Stable name, for tests and links.
        question: As a reader would ask it.
        text: The answer.
        section: Anchor of the section.
    """

    id: str
    question: str
    text: str
    section: str


def tone(text: str) -> str:
    """Colour of a verdict or a state: `good`, `bad`, `busy` or `plain`."""
    if text.startswith(("reproduced", "within", "holds")):
        return "good"
    if text.startswith(("missed", "does not", states.DIVERGED)):
        return "bad"
    return "busy" if text in (states.RUNNING, states.STOPPED) else "plain"


def tags(run: Run) -> list[str]:
    """Paper, table, whether it is a stand-in, and the sweep: the tags that the run has at W&B, and its sweep's name."""
    card = run.result.get("card") or run.config.get("card") or {}
    row = (card.get("rows") or {}).get(run.row) or {}
    changed = run.result.get("changed") or (run.config.get("origin") or {}).get("changed")
    sweep = record.sweep(run).get("name")
    found = [card.get("paper"), run.result.get("where") or row.get("where"), "stand-in" if changed else ""]
    return [str(tag) for tag in [*found, f"sweep {sweep}" if sweep else ""] if tag]


def facts(run: Run, curves: dict[str, Curve]) -> list[tuple[str, str]]:
    """What a run was, for the head of its page."""
    result, hardware = run.result, run.result.get("hardware") or {}
    found = speed.of_run(run, curves)
    pairs = [
        ("state", states.in_words(run)),
        ("recipe", run.recipe),
        ("row", run.row or ""),
        ("seed", "" if run.seed is None else str(run.seed)),
        ("steps", states.progress(run)),
        ("images seen", numbers.count(numbers.finite(result.get("samples_seen")))),
        ("duration", _hours(result.get("duration_s"))),
        ("speed", f"{found.images_per_s:,.0f} images/s" if found else ""),
        (
            "hardware",
            f"{hardware.get('devices')} × {hardware.get('device')}, {hardware.get('precision')}" if hardware else "",
        ),
        (
            "data",
            f"{(result.get('data') or {}).get('name', '')} {(result.get('data') or {}).get('fingerprint', '')}".strip(),
        ),
        ("code", str(result.get("code") or (run.config.get("origin") or {}).get("code") or "")),
        ("tags", ", ".join(tags(run))),
    ]
    return [(name, text) for name, text in pairs if text and text != numbers.NONE]


def _hours(seconds: Any) -> str:
    known = numbers.finite(seconds)
    return numbers.duration(None if known is None else known / 3600)


def answers(run: Run, curves: dict[str, Curve]) -> list[Answer]:
    """The questions that a run's own page answers at its head."""
    return [
        Answer("paper", f"How close to {bound(run)}?", against_expected(run), "paper"),
        Answer(
            "overfit",
            "When was it best, and did it overfit?",
            learning.in_words(learning.watched(run, curves)),
            "curves",
        ),
        *_of_diagnosis(run),
        Answer("wait", "How long did data make the device wait?", waiting(run, curves), "speed"),
        Answer("changed", "What was changed in the recipe?", changes(run), "configuration"),
    ]


def _of_diagnosis(run: Run) -> Iterator[Answer]:
    diagnosis = run.diagnosis
    if text := worst_class(run):
        yield Answer("class", "Which class is worst?", text, "classes")
    if found := misses.by_cost((diagnosis.get("errors") or {}).get("all") or {}):
        kind, cost, count = found[0]
        of_all = "objects" if kind == "unseen" else "boxes of any score"
        text = f"{kind} ({misses.MEANING[kind]}): {count:,} {of_all} cost {cost:.3g} points of AP50."
        yield Answer("errors", "Which kind of error costs most?", text, "errors")
    if confused := misses.confusions(diagnosis):
        truth, predicted, count = confused[0]
        yield Answer(
            "errors",
            "What is confused most?",
            f"{truth} taken for {predicted}, in {count} of {diagnosis.get('images')} images.",
            "errors",
        )
    for entry in (diagnosis.get("worst") or [])[:1]:
        least = misses.shown_score(diagnosis)
        counts = f"{entry.get('wrong')} wrong and {entry.get('missed')} missed"
        text = f"{entry.get('name')}: {counts} at scores from {least:g}."
        yield Answer("images", "Which image fails worst?", text, "pictures")
    if diagnosis.get("mistakes"):
        yield Answer("images", "Which images fail?", _mistakes(diagnosis), "pictures")
    if diagnosis.get("calibration_error") is not None:
        yield Answer("sure", "Can its scores be trusted?", calibration.in_words(diagnosis), "calibration")


def _mistakes(diagnosis: dict[str, Any]) -> str:
    first = diagnosis["mistakes"][0]
    wrong = sum(cell[2] for cell in diagnosis.get("confusion") or [] if cell[0] != cell[1])
    truth, guess = (misses.class_name(diagnosis, first.get(key)) for key in ("truth", "predicted"))
    surest = f"the surest mistake takes {truth} for {guess} (image {first.get('name')})"
    return f"{wrong} of {diagnosis.get('images')}; {surest}."


def against_expected(run: Run) -> str:
    """The judged figure beside the paper's or the recipe's own bound, as a sentence."""
    result = run.result
    if not result:
        return f"Not judged yet: {states.in_words(run)}, at step {states.progress(run)}."
    value, expected = numbers.finite(result.get("value")), numbers.finite(result.get("expected"))
    ours = f"{result['metric']} {numbers.figure(value)}"
    if value is None or expected is None or result["stand_in"]:
        return f"{ours}: {result.get('verdict')}.{states.of_loss(run)}"
    tolerance = numbers.printed(numbers.finite(result.get("tolerance")))
    difference = f"{numbers.signed(value - expected)}, tolerance {tolerance}"
    return f"{ours} against {bound(run)}, {expected:g} ({difference}): {result.get('verdict')}.{states.of_loss(run)}"


def bound(run: Run) -> str:
    """Whose figure the run is held against."""
    card = run.result.get("card") or run.config.get("card") or {}
    return "the paper's figure" if card.get("paper") else "the recipe's own bound"


def worst_class(run: Run) -> str:
    """The class with the lowest AP or the highest error; empty if nothing is known of classes."""
    entries = run.diagnosis.get("per_class") or []
    errors = [(entry["error"], entry) for entry in entries if numbers.finite(entry.get("error")) is not None]
    if errors:
        value, entry = max(errors, key=lambda pair: pair[0])
        return f"{entry['class']}: error {numbers.figure(value)} % of {entry.get('count')} images."
    found = {str(entry["class"]): numbers.finite(entry.get("ap")) for entry in entries}
    if not found:
        prefix = "test/ap/"
        figures = run.result.get("figures") or {}
        found = {name[len(prefix) :]: numbers.finite(figures[name]) for name in figures if name.startswith(prefix)}
    known = {name: value for name, value in found.items() if value is not None}
    if not known:
        return ""
    worst = min(known, key=known.__getitem__)
    return (
        f"{worst}: AP {numbers.figure(known[worst])}, where the best class has {numbers.figure(max(known.values()))}."
    )


def waiting(run: Run, curves: dict[str, Curve]) -> str:
    """How long the device waited for data, as a sentence."""
    found = speed.of_run(run, curves)
    if found is None or found.wait_s is None:
        return "Not logged."
    share = "" if found.wait_share is None else f"{found.wait_share:.2g} % of the training time, "
    seconds = f"{found.wait_s:.2g} s" if found.wait_s < 10 else numbers.duration(found.wait_s / 3600)
    return f"{share}{seconds} in all, at {found.images_per_s:,.0f} images/s."


def changes(run: Run) -> str:
    """What the run changed beyond the hardware."""
    told = ", ".join(f"{key} {numbers.plain(value)}" for key, value in naming.changed(run).items())
    return f"Changed: {told}." if told else "Nothing beyond the hardware."
