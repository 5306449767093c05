"""Derives `rows.json` (counts of every row) and `recipes/evidence.json` (marks of every row) from the repository.

python tests/golden/derive.py rows        builds every row on the meta device and counts
python tests/golden/derive.py marks       from rows.json, the twins' losses, the parity test and docs/results

`docs/evidence.md` tells what each mark means. A mark keeps its date and code version while what it stands on is the
same. What `docs/results` holds stands on the row's counts and first losses too: when these pins change, it expires.
"""

import ast
import datetime
import json
import sys
from pathlib import Path

from lit_vision.experiment import card as cards
from lit_vision.experiment import claims as fixed
from lit_vision.experiment import compose, recipes, relations, verdicts
from lit_vision.experiment.paired import Word
from lit_vision.runs import claim_runs, claim_verdicts, versions
from lit_vision.session import shapes

ROOT = Path(__file__).parents[2]
ROWS = Path(__file__).parent / "rows.json"
LOSSES = Path(__file__).parent / "losses.json"
EVIDENCE = ROOT / "recipes" / "evidence.json"
PARITY = ROOT / "tests" / "models" / "weights" / "test_classifiers.py"
BACKBONES = "lit_vision.models.backbones.resnet"
CLASSIFIER = "lit_vision.models.classifier.Classifier"

# Recipes that know their classes from a user's own files are counted on the embedded data.
SCENES = [("data", "lit_vision.data.digit_scenes.DigitScenes")]
OWN_DATA = {
    "quickstart/own_boxes": SCENES,
    "quickstart/own_regions": SCENES,
    "quickstart/own_classes": [("data", "lit_vision.data.digits.Digits")],
}

# Options of a backbone that do not change what it computes from given weights.
OF_TRAINING = ("weights", "zero_init", "frozen_levels")

# What a twin cannot show: rows that differ in nothing but these keys may share a pin, and the mark says why.
SCALES = ("data.pipeline.train", "data.pipeline.test", "data.test")
LENGTHS = ("model.schedule.milestones", "trainer.max_steps")
CANNOT_SHOW = {
    ("data.test",): "the tested images are met after the pinned loss",
    SCALES: "every scale is cut to the twin's 64 pixels",
    (*SCALES, *LENGTHS): "every scale is cut to the twin's 64 pixels, every training to two iterations",
    ("data.pipeline.train", "protocol"): "the scale is cut to the twin's 96 pixels, and a protocol changes tests alone",
    ("trainer.max_steps", "model.schedule", "model.schedule.milestones"): "a schedule acts after the pinned loss",
    ("model.network.objective.mining",): "an image of the twin leaves fewer hard examples than any mini-batch holds",
    ("model.network.activation",): "slopes start alike, one per layer or one per channel",
    ("model.network.init",): "thirty layers pass no signal on by Xavier, whichever fan it has",
}

FROM_RESULTS = ("scored", "claim", "trial", "full")


def rows():
    """Counts of every row that can be built: {recipe: {row: {parameters, multiply_adds}}}."""
    found = {}
    for recipe, _, row, entry in recipes.every_row():
        if not entry.quoted:
            counted = shapes.of(recipes.resolve([recipe], row, OWN_DATA.get(recipe, ())))
            found.setdefault(recipe, {})[row] = counted._asdict()
    return found


def marks():
    """What each mark of each row stands on: {recipe: {row: {mark: basis}}}."""
    counted, trained = read(ROWS), read(LOSSES)
    entries, networks = results(), parity()
    claims, trials = decided(entries), tried()
    found = {}
    for recipe, card, row, entry in recipes.every_row():
        printed = entry.claim if entry.value is None else entry.value
        here = {"own": entry.source} if is_own(card, entry) else {"quoted": printed}
        if row in counted.get(recipe, {}):
            here["counts"] = counted[recipe][row]
        if (pin := steps(trained, recipe, card, row)) is not None:
            here["steps"] = pin
        if not entry.quoted and (public := public_network(recipes.resolve([recipe], row).config, networks)):
            here["parity"] = public
        whole = [e for e in entries if (e["recipe"], e["row"]) == (recipe, row) and not e["changed"]]
        here |= of_results(entry, whole, claims.get((recipe, row)))
        if (recipe, row) in trials:
            here["trial"] = trials[recipe, row]
        found.setdefault(recipe, {})[row] = here
    return found


def of_results(entry, whole, claims):
    """The marks that runs in docs/results give."""
    found = {}
    if reached := [e["figures"][entry.metric] for e in whole if e["steps"] == 0 and is_reached(entry, e)]:
        found["scored"] = reached
    if claims:
        found["claim"] = claims
    if trained := [e["figures"][entry.metric] for e in whole if e["steps"] > 0]:
        found["full"] = trained
    return found


def is_own(card, entry):
    """Whether no paper prints the row."""
    return not card.paper or entry.stand_in or (entry.source != cards.PAPER and not entry.quoted)


def is_reached(entry, result):
    """Whether a test of public weights is within the row's tolerance."""
    told = verdicts.of_figure(entry.value, entry.tolerance, [result["figures"].get(entry.metric)], None)
    return told is verdicts.Verdict.REPRODUCED


def steps(trained, recipe, card, row):
    """The pinned first loss; None where another row, which says less, has the same one and nothing explains it."""
    pins = trained.get(recipe, {})
    if row not in pins:
        return None
    namesakes = [name for name, pin in pins.items() if pin == pins[row] and name in card.rows]
    first = min(namesakes, key=lambda name: len(card.rows[name].set))
    if row == first:
        return {"loss": pins[row]}
    here, there = card.rows[row].set, card.rows[first].set
    differing = {key for key in here.keys() | there.keys() if here.get(key) != there.get(key)}
    why = next((text for keys, text in CANNOT_SHOW.items() if differing <= set(keys)), None)
    return why and {"loss": pins[row], "as": first, "because": why}


def read(file):
    return json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}


def results(folder=ROOT / "docs" / "results"):
    """The runs of recipes that the results pages are rendered from."""
    lines = [line for file in sorted(folder.glob("*.jsonl")) for line in file.read_text().splitlines()]
    return [entry for entry in map(json.loads, lines) if "recipe" in entry]


def parity():
    """Builder and options of the networks in the parity test, all options spelt out."""
    for node in ast.parse(PARITY.read_text()).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "PARITY":
            networks = ast.literal_eval(node.value)
            return {name: options_of(f"{BACKBONES}.{name}", given) for name, given in networks.items()}
    raise SystemExit(f"{PARITY} has no literal PARITY")


def options_of(builder, given):
    """A builder's options that change what the network computes, with their defaults."""
    from jsonargparse._parameter_resolvers import get_signature_parameters

    from lit_vision.experiment import names as check

    defaults = {option.name: option.default for option in get_signature_parameters(check.load(builder), None)}
    return {name: value for name, value in (defaults | given).items() if name not in OF_TRAINING}


def public_network(config, networks):
    """Name of the backbone of the parity test that the row's classifier has, options included; None without."""
    net = (config["model"].get("init_args") or {}).get("network") or {}
    if compose.class_path(net) != CLASSIFIER:
        return None
    backbone = net["init_args"]["backbone"]
    builder = compose.class_path(backbone)
    module, _, name = builder.rpartition(".")
    if module != BACKBONES or name not in networks:
        return None
    given = backbone.get("init_args") or {} if compose.is_part(backbone) else {}
    return name if options_of(builder, given) == networks[name] else None


def decided(entries):
    """Verdicts on relations by row that they name; only runs that changed the same keys to the same values meet."""
    found = {}
    for recipe in recipes.names():
        card = recipes.read_card(recipe)
        for changed in {json.dumps(entry["changed"], sort_keys=True): entry["changed"] for entry in entries}.values():
            alike = [entry for entry in entries if entry["changed"] == changed]
            for relation in card.relations:
                judged = relations.judge(relation.expr, figures_in(alike, recipe, card))
                if judged.word == "not run" or not any(not reference.printed for reference in judged.figures):
                    continue
                for reference in judged.figures:
                    row = (reference.recipe or recipe, reference.row)
                    found.setdefault(row, {})[relation.id] = judged.told(bool(changed))
    return found


def tried():
    """Verdicts of claims by row that one of their arms is; those without a run have none."""
    kept = claim_runs.read(ROOT / "docs" / "results" / "claims.jsonl")
    judged = [claim_verdicts.judge(claim, kept) for claim in fixed.every()]
    return claim_verdicts.by_row(one for one in judged if one.judgement.word is not Word.NOT_RUN)


def figures_in(entries, recipe, card):
    """Looks a reference up in some runs, by seed; a printed one in its card."""

    def lookup(reference):
        home = reference.recipe or recipe
        theirs = card if home == recipe else recipes.read_card(home)
        if reference.printed:
            return {None: theirs.printed(reference)}
        metric = reference.metric or theirs.row(reference.row).metric
        of_row = [entry for entry in entries if (entry["recipe"], entry["row"]) == (home, reference.row)]
        return {entry["seed"]: entry["figures"][metric] for entry in of_row if metric in entry["figures"]}

    return lookup


def dated(derived, before, today, code):
    """Marks with date and code version: those of before while a mark stands on the same, else of now.

    What docs/results holds expires when the row's pins have changed since it was marked; new runs mark it anew.
    """
    found = {}
    for recipe, of_row in derived.items():
        for row, here in of_row.items():
            pins = {name: here[name] for name in ("counts", "steps") if name in here}
            known = before.get(recipe, {}).get(row, {})
            kept = {}
            for name, basis in here.items():
                mark = {"basis": basis} | ({"pins": pins} if name in FROM_RESULTS else {})
                old = known.get(name, {})
                if name in FROM_RESULTS and old.get("basis") == basis and old.get("pins") != pins:
                    # The same runs, but the code under them trains or builds something else by now.
                    kept[name] = {"expired": today} | old
                    continue
                same = {key: old.get(key) for key in mark} == mark
                kept[name] = mark | {key: old[key] if same else now for key, now in (("date", today), ("code", code))}
            found.setdefault(recipe, {})[row] = kept
    return found


def write(path, content):
    """Recipes and rows on lines of their own, with what they hold: a mark, or counts."""
    lines = json.dumps(content, indent=1, ensure_ascii=False).splitlines()
    depth = 3 if path == EVIDENCE else 2
    text = ""
    for line in lines:
        indent = len(line) - len(line.lstrip())
        inside = indent > depth or (indent == depth and line.lstrip().startswith("}"))
        text += line.lstrip() + " " * line.endswith((",", ":")) if inside else f"\n{line}"
    path.write_text("\n".join(line.rstrip() for line in text.strip().splitlines()) + "\n", encoding="utf-8")


if __name__ == "__main__":
    if sys.argv[1] == "rows":
        write(ROWS, rows())
    else:
        write(EVIDENCE, dated(marks(), read(EVIDENCE), datetime.date.today().isoformat(), versions.code()))
