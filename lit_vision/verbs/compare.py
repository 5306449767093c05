"""`lit-vision compare`: two runs, or two groups of runs, side by side. Imports no torch."""

from collections.abc import Sequence
from pathlib import Path

from lit_vision.report import markdown
from lit_vision.report.comparison import compare, comparison_json, comparison_page
from lit_vision.verbs.arguments import Parser


def run(argv: Sequence[str]) -> int:
    """Prints the comparison; returns the exit code."""
    arguments = _parser().read(argv)
    a, b = Path(arguments.a), Path(arguments.b)
    found = compare.compare(*compare.read(a, b))
    text = comparison_json.render(found) if arguments.json else markdown.render(comparison_page.document(found, a, b))
    print(text, end="")
    return 0


def _parser() -> Parser:
    parser = Parser("lit-vision compare", description="Two runs, or two groups of runs, side by side.")
    parser.add_argument("a", metavar="A", help="a run's folder, or one that holds several: seeds of a row, a sweep")
    parser.add_argument("b", metavar="B", help="the other; differences are B - A")
    parser.add_argument("--json", action="store_true", help="all of it as one JSON object")
    return parser
