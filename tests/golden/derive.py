"""Derives `rows.json` (parameters of every row) and `recipes/evidence.json` from files in the repository.

python tests/golden/derive.py rows        builds every row and counts its parameters
python tests/golden/derive.py evidence    levels from rows.json, the twins' losses, the parity test and docs/results

Evidence levels (architecture §5); a row has the highest whose condition it meets:

E0  quoted from the paper
E1  its parameters are pinned in rows.json
E2  its first losses on its data set's twin are pinned in losses.json, beside a test pass
E3  its network is one whose outputs are compared with torchvision's (PARITY in
    tests/models/weights/test_classifiers.py), or docs/results holds a test pass of it with public weights,
    where nothing but the hardware was changed
E4  a relation of its card that names it was decided, either way, by runs in docs/results that all changed the same
E5  docs/results holds a training of it that changed nothing but the hardware
"""

import ast
import json
import statistics
import sys
from pathlib import Path

from lit_vision.experiment import compose, recipes, relations
from lit_vision.session import describe

ROOT = Path(__file__).parents[2]
ROWS = Path(__file__).parent / "rows.json"
LOSSES = Path(__file__).parent / "losses.json"
PARITY = ROOT / "tests" / "models" / "weights" / "test_classifiers.py"
BACKBONES = "lit_vision.models.backbones.resnet"
CLASSIFIER = "lit_vision.models.classifier.Classifier"

# Recipes that know their classes from a user's own files are counted on the embedded data.
SCENES = [("data", "lit_vision.data.digit_scenes.DigitScenes")]
OWN_DATA = {
    "quickstart/own_boxes": SCENES,
    "quickstart/own_classes": [("data", "lit_vision.data.digits.Digits")],
}

# Options of a backbone that do not change what it computes from given weights.
OF_TRAINING = ("weights", "zero_init", "frozen_levels")


def rows():
    """Parameters of every row of every recipe: {recipe: {row: count}}."""
    found = {}
    for recipe, _, row, _ in recipes.every_row():
        text = describe.facts(recipes.resolve([recipe], row, OWN_DATA.get(recipe, ())))["parameters"]
        found.setdefault(recipe, {})[row] = int(text.replace(",", ""))
    return found


def evidence():
    """Evidence level by recipe and row, as told above."""
    counted, trained = (json.loads(file.read_text()) if file.is_file() else {} for file in (ROWS, LOSSES))
    entries, networks = results(), parity()
    proved = decided(entries)
    found = {}
    for recipe, _, row, _ in recipes.every_row():
        config = recipes.resolve([recipe], row).config
        whole = [
            entry for entry in entries if (entry["recipe"], entry["row"]) == (recipe, row) and not entry["changed"]
        ]
        met = {
            "E0": True,
            "E1": row in counted.get(recipe, {}),
            "E2": row in trained.get(recipe, {}),
            "E3": equals_a_public_network(config, networks)
            or any(entry["steps"] == 0 and has_weights(config) for entry in whole),
            "E4": (recipe, row) in proved,
            "E5": any(entry["steps"] > 0 for entry in whole),
        }
        found.setdefault(recipe, {})[row] = max(level for level, is_met in met.items() if is_met)
    return found


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


def equals_a_public_network(config, networks):
    """Whether the row's classifier has a backbone of the parity test, options included."""
    net = (config["model"].get("init_args") or {}).get("network") or {}
    if compose.class_path(net) != CLASSIFIER:
        return False
    backbone = net["init_args"]["backbone"]
    builder = compose.class_path(backbone)
    module, _, name = builder.rpartition(".")
    if module != BACKBONES or name not in networks:
        return False
    given = backbone.get("init_args") or {} if compose.is_part(backbone) else {}
    return options_of(builder, given) == networks[name]


def has_weights(config):
    return any(key.endswith(".weights") and value for key, value in compose.flatten(config["model"], "model.").items())


def decided(entries):
    """Rows of relations that runs decide; only runs that changed the same keys to the same values meet."""
    found = set()
    for recipe in recipes.names():
        card = recipes.read_card(recipe)
        for changed in {json.dumps(entry["changed"], sort_keys=True): entry["changed"] for entry in entries}.values():
            alike = [entry for entry in entries if entry["changed"] == changed]
            for relation in card.relations:
                if relations.holds(relation.expr, figures_in(alike, recipe, card)) is not None:
                    named = relations.references(relation.expr, recipe)
                    found |= {(reference.recipe or recipe, reference.row) for reference in named}
    return found


def figures_in(entries, recipe, card):
    """Looks a reference up in some runs: the mean over its seeds, None where it was not run."""

    def lookup(reference):
        home = reference.recipe or recipe
        metric = reference.metric or (card if home == recipe else recipes.read_card(home)).row(reference.row).metric
        of_row = [entry for entry in entries if (entry["recipe"], entry["row"]) == (home, reference.row)]
        by_seed = {entry["seed"]: entry["figures"][metric] for entry in of_row if metric in entry["figures"]}
        return statistics.fmean(by_seed.values()) if by_seed else None

    return lookup


def write(path, content):
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    if sys.argv[1] == "rows":
        write(ROWS, rows())
    else:
        write(ROOT / "recipes" / "evidence.json", evidence())
