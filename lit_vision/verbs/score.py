"""`lit-vision score`: what an evaluation server said of what a run has found. Imports no torch."""

import math
from collections.abc import Sequence
from datetime import date
from pathlib import Path

from lit_vision import nearest
from lit_vision.errors import InputError
from lit_vision.experiment import card as cards
from lit_vision.experiment import figures
from lit_vision.report import collect
from lit_vision.report.ledger import ledger
from lit_vision.runs import scores
from lit_vision.verbs.arguments import Parser


def run(argv: Sequence[str]) -> int:
    """Writes the score into the run's folder and prints the verdicts; returns the exit code."""
    arguments = _parser().read(argv)
    folder = Path(arguments.run)
    scored = collect.read(folder)
    if not scored.finished:
        raise InputError(f"{folder} has no result yet; a server scores what a finished test pass has found")
    card = cards.parse(scored.result.get("card") or {}, f"{folder}/result.json")
    told = dict(_figure(text, card) for text in arguments.figures)
    if arguments.server not in cards.SPLITS_OF_SERVERS:
        hint = nearest.hint(arguments.server, cards.SPLITS_OF_SERVERS)
        raise InputError(f"--server {arguments.server}: no server holds this split; {hint}")
    scores.add(folder, arguments.server, scores.Score(told, _date(arguments.on), arguments.source))
    print(_told(folder, arguments.server))
    return 0


def _parser() -> Parser:
    parser = Parser("lit-vision score", description="Notes what an evaluation server said of what a run has found.")
    parser.add_argument("run", metavar="RUN", help="the run's folder")
    parser.add_argument("figures", nargs="+", metavar="METRIC=VALUE", help="for example test/ap=35.5, in percent")
    parser.add_argument("--server", required=True, help=" or ".join(cards.SPLITS_OF_SERVERS))
    parser.add_argument("--on", required=True, metavar="DATE", help="the day of the answer, as 2026-11-30")
    parser.add_argument("--source", default="", help="where the answer can be read again")
    return parser


def _figure(text: str, card: cards.Card) -> tuple[str, float]:
    name, equals, number = text.partition("=")
    figures.check(name, text, card.figures)
    try:
        value = float(number)
    except ValueError:
        value = math.nan
    if not equals or not math.isfinite(value):
        raise InputError(f"{text}: expected METRIC=VALUE, for example {name}=35.5")
    return name, value


def _date(text: str) -> str:
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        raise InputError(f"--on {text}: expected a date as 2026-11-30") from None


def _told(folder: Path, server: str) -> str:
    """The verdicts on the row's figures, now that the server has spoken."""
    book = ledger.build([collect.read(folder)])
    (entry,) = [entry for entry in book.entries if any(run.path == folder for run in entry.runs)]
    lines = [f"{folder / scores.NAME}: {server}"]
    for figure in (entry.judged, *entry.also):
        ours = "-" if figure.mean is None else f"{figure.mean:g}"
        paper = "-" if figure.expected is None else f"{figure.expected:g}"
        lines.append(f"{figure.metric}  paper {paper}  server {ours}  {figure.verdict}")
    return "\n".join(lines)
