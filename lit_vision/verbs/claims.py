"""`lit-vision claims ls | run | verdict`: claims fixed beforehand, their runs, their verdicts. No torch but to run."""

import argparse
import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path

from lit_vision import terminal
from lit_vision.errors import InputError
from lit_vision.experiment import claims, yamlio
from lit_vision.experiment.claims import Claim
from lit_vision.report import claims_page, markdown
from lit_vision.report.document import Document, Section
from lit_vision.runs import claim_runs, claim_verdicts, durable
from lit_vision.runs.claim_runs import Line
from lit_vision.runs.claim_verdicts import Judged
from lit_vision.session import trial
from lit_vision.verbs.arguments import Parser


def run(argv: Sequence[str]) -> int:
    """Runs one of the three; returns the exit code."""
    arguments, options = _read(argv)
    if arguments.action == "ls":
        family = _judged(claims.every(), None)
        fixed = Section("Fixed beforehand", grids=[claims_page.listing(family)])
        page = Document("Claims", sections=[fixed, claims_page.beyond()])
        print(markdown.render(page), end="")
        return 0
    chosen = _chosen(arguments)
    if arguments.action == "verdict":
        if arguments.out:
            _write(chosen, arguments)
        else:
            print(_verdict(chosen, arguments), end="")
        return 0
    return _run(chosen, arguments, options)


def _run(chosen: list[Claim], arguments: argparse.Namespace, options: trial.Options) -> int:
    """Runs what is missing, and shows the verdicts; a run that was stopped ends it with its own exit code."""
    machine = trial.Machine(arguments.config, options)
    with terminal.outliving():
        for claim in chosen:
            if code := trial.run(claim, arguments.seeds or claim.seeds, machine):
                print(f"{claim.id} was stopped; the same command goes on with it")
                return code
        print(f"\n{_page(chosen, _judged(_family(chosen), None))}", end="")
    return 0


def _verdict(chosen: list[Claim], arguments: argparse.Namespace) -> str:
    kept = claim_runs.read(Path(arguments.kept)) if arguments.kept else None
    if arguments.jsonl:
        return claim_runs.dump(line for claim in chosen for line in _lines(claim, kept))
    family = _judged(_family(chosen), kept)
    if arguments.json:
        wanted = {claim.id for claim in chosen}
        content = [_as_json(one, claim_verdicts.corrected(family)) for one in family if one.claim.id in wanted]
        return json.dumps(content, indent=1, ensure_ascii=not terminal.takes_unicode()) + "\n"
    return _page(chosen, family)


def _page(chosen: list[Claim], family: list[Judged]) -> str:
    return markdown.render(claims_page.document(_wanted(chosen, family), family))


def _wanted(chosen: list[Claim], family: list[Judged]) -> list[Judged]:
    wanted = {claim.id for claim in chosen}
    return [one for one in family if one.claim.id in wanted]


def _write(chosen: list[Claim], arguments: argparse.Namespace) -> None:
    """The page as a file, and a plot of each claim in the folder of the page's name beside it."""
    out = Path(arguments.out)
    kept = claim_runs.read(Path(arguments.kept)) if arguments.kept else None
    family = _judged(_family(chosen), kept)
    plots, shown = out.with_suffix(""), _wanted(chosen, family)
    if plots == out:
        raise InputError(f"--out {out}: name a file such as {out}.md; the plots go to the folder {out}")
    text = markdown.render(claims_page.document(shown, family, plots), out.parent)
    plots.mkdir(parents=True, exist_ok=True)
    for one in shown:
        if one.differences:
            _plot(one, plots / f"{one.claim.id}.png")
    durable.write_text(out, text)
    print(out)


def _plot(one: Judged, path: Path) -> None:
    from lit_vision.report import claims_plot  # matplotlib takes half a second

    figure = claims_plot.draw(one)
    durable.put(durable.write(path, lambda file: figure.savefig(file, format="png", dpi=100), lambda _: None), path)


def _as_json(one: Judged, corrected: dict[str, float]) -> dict[str, object]:
    said = {"claim": one.claim.id, "statement": one.claim.statement, **dataclasses.asdict(one.judgement)}
    return said | {"p_holm": corrected.get(one.claim.id), "differences": one.differences, "remarks": one.remarks}


def _judged(family: list[Claim], kept: list[Line] | None) -> list[Judged]:
    return [claim_verdicts.judge(claim, _lines(claim, kept)) for claim in family]


def _lines(claim: Claim, kept: list[Line] | None) -> list[Line]:
    """Lines of a file where one is named, else those of the run folders."""
    if kept is None:
        return claim_runs.lines(claim)
    return [line for line in kept if line.claim == claim.id]


def _family(chosen: list[Claim]) -> list[Claim]:
    """All claims that Holm's correction counts: the suite's, and those of the user's own files."""
    return list({claim.id: claim for claim in [*claims.every(), *chosen]}.values())


def _chosen(arguments: argparse.Namespace) -> list[Claim]:
    if arguments.all == bool(arguments.claims):
        raise InputError(f"claims {arguments.action} needs the id of a claim, or its file, or else --all")
    return claims.every() if arguments.all else [claims.find(name) for name in arguments.claims]


def _read(argv: Sequence[str]) -> tuple[argparse.Namespace, trial.Options]:
    """This verb's own arguments, and the dotted keys that go to every run."""
    own: list[str] = []
    options: trial.Options = []
    rest = iter(argv)
    for argument in rest:
        name, equals, text = argument.partition("=")
        if not name.startswith("--") or "." not in name:
            own.append(argument)
            continue
        text = text if equals else next(rest, "")
        if not text or text.startswith("--"):
            raise InputError(f"{name} needs a value; write {name} VALUE or {name}=VALUE")
        options.append((name[2:], yamlio.value(text)))
    arguments = _parser().read(own)
    if options and arguments.action != "run":
        raise InputError(f"claims {arguments.action} takes no options of runs, got --{options[0][0]}")
    return arguments, options


def _parser() -> Parser:
    parser = Parser("lit-vision claims", description="Claims fixed before their runs, and what the runs say.")
    actions = parser.add_subparsers(dest="action", required=True)
    actions.add_parser("ls", help="all claims with their verdicts")
    start = actions.add_parser("run", help="runs what is missing; dotted keys of the machine go to every run")
    start.add_argument("--seeds", type=_seeds, help="these seeds instead of the file's, e.g. 3,4,5")
    start.add_argument("--config", action="append", default=[], help="an overlay of the machine, e.g. overlays/gpu1")
    verdict = actions.add_parser("verdict", help="the verdicts with their intervals")
    form = verdict.add_mutually_exclusive_group()
    form.add_argument("--out", metavar="FILE.md", help="as a page, with a plot of each claim in a folder beside it")
    form.add_argument("--json", action="store_true", help="as JSON")
    form.add_argument("--jsonl", action="store_true", help="the runs themselves as lines that can be kept")
    verdict.add_argument("--from", dest="kept", metavar="FILE", help="kept lines instead of the run folders")
    for action in (start, verdict):
        action.add_argument("claims", nargs="*", metavar="CLAIM", help="an id such as C01, or a claim's file")
        action.add_argument("--all", action="store_true", help="all claims of the suite")
    return parser


def _seeds(text: str) -> list[int]:
    parts = text.split(",")
    if not all(part.isdecimal() for part in parts):
        raise argparse.ArgumentTypeError(f"expected whole numbers as 3,4,5, got {text!r}")
    return list(dict.fromkeys(map(int, parts)))
