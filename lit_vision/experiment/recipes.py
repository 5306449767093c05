"""Finding recipes by name and turning recipe, row, overlays and options into one configuration. No torch here."""

import copy
import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from lit_vision import files, nearest
from lit_vision.errors import InputError
from lit_vision.experiment import card as cards
from lit_vision.experiment import compose, kinds, named_files, relations, yamlio
from lit_vision.experiment.card import Card, Row
from lit_vision.experiment.compose import Config

OVERLAYS = "overlays"
CLAIMS = "claims"
EDITED = "config.yaml"  # the changed key of a saved configuration that was edited by hand: no other key says how

# What a machine may change without changing the experiment (`docs/architecture.md`, *Recipes*). Everything else that
# differs from recipe and row turns a run into a stand-in.
HARDWARE = (
    *(f"trainer.{name}" for name in ("accelerator", "devices", "num_nodes", "strategy", "precision", "benchmark")),
    *(f"trainer.{name}" for name in ("logger", "enable_progress_bar", "enable_model_summary", "log_every_n_steps")),
    *(f"trainer.{name}" for name in ("profiler", "default_root_dir", "deterministic", "plugins")),
    *(f"trainer.{name}" for name in ("val_check_interval", "num_sanity_val_steps", "accumulate_grad_batches")),
    *(f"data.{name}" for name in ("root", "download", "overlap")),
    *(f"data.{name}" for name in ("num_workers", "max_per_device", "eval_batch_size", "seed")),
    *("model.channels_last", "model.compile", "seed_everything", "checkpoint", "ckpt_path"),
)


@dataclass
class Experiment:
    """One resolved experiment: what will run, and what it stands for.

    Attributes:
        name: Recipe name (`resnet/cifar10`), or the stem of a user's own file.
        card: The recipe's card; an empty one for files without.
        row: Name of the row that applies, if any.
        config: Plain configuration for the command line, without card and origin.
        changed: Dotted keys that differ from recipe and row beyond the hardware.
        dropped: Arguments that went with a changed class, to be printed once.
        sources: Dotted key to the file or option that last set it, for messages.
        card_content: The card as the file has it.
        copy_of: The recipe that a user's own file was copied from.
    """

    name: str
    card: Card = field(default_factory=Card)
    row: str | None = None
    config: Config = field(default_factory=dict)
    changed: list[str] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)
    sources: dict[str, str] = field(default_factory=dict)
    card_content: Config = field(default_factory=dict)
    copy_of: str = ""

    def expected(self) -> Row | None:
        """The row with the card's metric and split filled in; None where no row applies."""
        return self.card.row(self.row, self.name) if self.row else None

    @property
    def training(self) -> tuple[str, str | None]:
        """Recipe and row whose training gives the weights that this experiment tests."""
        weights_of = self.card.rows[self.row].weights_of if self.row in self.card.rows else ""
        recipe, _, row = weights_of.rpartition(": ")
        return recipe or self.name, row or self.row

    def changes(self) -> Config:
        """What was changed, with the values."""
        values = compose.flatten(self.config)
        return {key: "edited by hand" if key == EDITED else values.get(key) for key in self.changed}

    def record(self, keys: Iterable[str], source: str) -> None:
        """Notes who set some dotted keys; later notes come last."""
        for key in keys:
            self.sources.pop(key, None)
            self.sources[key] = source

    def source_of(self, key: str) -> str:
        """The file or option that set `key`: the last one at or below it, else the nearest above it."""
        parts = [part for part in key.split(".") if part != "init_args"]
        for length in range(len(parts), 0, -1):
            above = ".".join(parts[:length])
            within = [source for name, source in self.sources.items() if f"{name}.".startswith(f"{above}.")]
            if within:
                return within[-1]
        return self.name


def folder() -> Path:
    """The recipes: of the checkout this package runs from, else the copy that the wheel carries."""
    package = Path(__file__).parents[1]
    checkout = package.parent / "recipes"
    return checkout if (package.parent / "pyproject.toml").is_file() and checkout.is_dir() else package / "recipes"


def names() -> list[str]:
    """All recipes by name, overlays and claims left out."""
    found = sorted(str(path.relative_to(folder()).with_suffix("")) for path in folder().glob("*/*.yaml"))
    return [name for name in found if not name.startswith((f"{OVERLAYS}/", f"{CLAIMS}/"))]


def find(name: str) -> Path:
    """The file of a path or a recipe's name.

    Raises:
        InputError: If there is neither; names the nearest recipe.
    """
    for path in (Path(name), folder() / name, folder() / f"{name}.yaml"):
        if files.is_there(path):
            return path
    overlays = [f"{OVERLAYS}/{path.stem}" for path in (folder() / OVERLAYS).glob("*.yaml")]
    raise InputError(f"no file and no recipe {name!r}; {nearest.hint(name, [*names(), *overlays])}")


def name_of(path: Path) -> str:
    """`resnet/cifar10` for a file of ours, the stem for any other."""
    inside = path.resolve()
    home = folder().resolve()
    return str(inside.relative_to(home).with_suffix("")) if inside.is_relative_to(home) else path.stem


def read_card(name: str) -> Card:
    """The card of a recipe."""
    path = find(name)
    return cards.parse(yamlio.load(path).get("card", {}), str(path))


def check_references(name: str) -> None:
    """Checks what a card says of other recipes: rows whose weights it takes or joins, and rows of its relations.

    Raises:
        InputError: Names the place, and the nearest recipe, row or figure.
    """
    card, source = read_card(name), str(find(name))
    for row, entry in card.rows.items():
        named = [(recipe or name, theirs) for recipe, theirs in (entry.parent, entry.origin) if theirs]
        for other, theirs in (*named, *((member.recipe or name, member.row) for member in entry.members)):
            if not read_card(other).row(theirs, other).trains:
                raise InputError(f"{source}: card.rows.{row}: {theirs!r} of {other} trains nothing")
    for relation in card.relations:
        where = f"{source}: card.relations.{relation.id}"
        for reference in relations.references(relation.expr, where):
            if reference.recipe:
                cards.check_reference(reference, read_card(reference.recipe), where)


def every_row() -> Iterator[tuple[str, Card, str, Row]]:
    """All rows of all recipes: recipe name, card, row name, completed row."""
    for name in names():
        card = read_card(name)
        for row in card.rows:
            yield name, card, row, card.row(row, name)


def resolve(
    configs: Sequence[str], row: str | None = None, options: Sequence[tuple[str, Any]] = (), base: Config | None = None
) -> Experiment:
    """Composes recipe, later files, row and options, in this order of precedence.

    Args:
        configs: Paths or recipe names; the first is the recipe, the others are overlays.
        row: Row whose `set` applies to the recipe before overlays and options.
        options: Dotted keys and plain values from the command line, applied last.
        base: A resolved configuration to start from when there are no files (that of a checkpoint).
    """
    experiment = _open(configs[0]) if configs else _from_content(base or {}, "the checkpoint")
    _apply_row(experiment, row)
    experiment.changed += _edited(experiment)
    _apply_all(experiment, configs[1:], options)
    return experiment


def on_weights(
    asked: Experiment, saved: Config, overlays: Sequence[str] = (), options: Sequence[tuple[str, Any]] = ()
) -> Experiment:
    """A row that trains nothing, on a trained run: that run's configuration with what the row sets.

    What the training changed stays changed: no test makes more of a stand-in than it is.

    Args:
        asked: The row with its recipe.
        saved: Content of the run's `config.yaml`.
        overlays: Later files.
        options: Dotted keys and plain values from the command line, applied last.
    """
    trained = _from_content(saved, "the run's config.yaml")
    assert asked.row is not None
    experiment = Experiment(
        name=asked.name,
        card=asked.card,
        row=asked.row,
        config=trained.config,
        changed=trained.changed,
        sources=trained.sources,
        card_content=asked.card_content,
    )
    _set(experiment, asked.row)
    _apply_all(experiment, overlays, options)
    return experiment


def _apply_all(experiment: Experiment, overlays: Sequence[str], options: Sequence[tuple[str, Any]]) -> None:
    """Applies overlays and options, and notes what they change beyond the hardware."""
    original = copy.deepcopy(experiment.config)
    for name in overlays:
        path = find(name)
        content = _asked(yamlio.load(path))
        if "card" in content:
            raise InputError(f"{path} is a recipe of its own; a second --config is an overlay and has no card")
        experiment.dropped += compose.merge(experiment.config, content, str(path))
        experiment.record(compose.flatten(content), str(path))
    for key, value in sorted(options, key=_depth):
        if _is_wandb(key):
            continue
        if key in ("data", "model"):
            kinds.refuse_no_class(key, value)
        if key in ("data", "data.class_path"):
            key, value = "data", kinds.carried(experiment.config.get("data"), value)
        experiment.dropped += compose.set_key(experiment.config, key, value, f"--{key}")
        experiment.record([key.replace(".init_args", "").rstrip("+")], f"--{key}")
    _pass_seed(experiment.config)
    found = _differing(original, experiment.config)
    experiment.changed += [key for key in found if key not in experiment.changed]


def _depth(option: tuple[str, Any]) -> int:
    """How far below a section an option is: a class comes before its arguments, in whatever order they were written."""
    return option[0].removesuffix(".class_path").count(".")


def _differing(original: Config, config: Config) -> list[str]:
    """Dotted keys that differ beyond the hardware, and beyond where files are."""
    places = named_files.places(compose.flatten(original), compose.flatten(config))
    return [key for key in compose.differing(original, config) if not is_hardware(key) and key not in places]


def _edited(experiment: Experiment) -> list[str]:
    """Where a copy (`recipes cp`) is not the recipe any more that it was copied from: it does not stand for its row.

    Raises:
        InputError: If there is no such recipe.
    """
    if not experiment.copy_of:
        return []
    original = _open(experiment.copy_of)
    _apply_row(original, experiment.row)
    keys = _differing(original.config, experiment.config)
    ours, theirs = experiment.expected(), original.expected()
    # How a file of its own says that it is this row does not matter.
    said = [row and replace(row, set={}, default=False) for row in (ours, theirs)]
    same = None in said or said[0] == said[1]
    return [key for key in keys if key not in experiment.changed] + ([] if same else ["card"])


def _open(name: str) -> Experiment:
    path = find(name)
    experiment = _from_content(yamlio.load(path), str(path))
    if not experiment.name:
        experiment.name = name_of(path)
    return experiment


def _from_content(content: Config, source: str) -> Experiment:
    """A recipe, or a saved configuration, whose `origin` names the recipe and row it came from."""
    content = copy.deepcopy(_asked(content))
    card_content = content.pop("card", None) or {}
    origin = content.pop("origin", None) or {}
    sources = dict.fromkeys(compose.flatten(content), source)
    changed = list(origin.get("changed", []))
    if "seal" in origin and origin["seal"] != seal(content, origin):
        changed += [key for key in _edited_by_hand(content, origin) if key not in changed]
    return Experiment(
        name=origin.get("recipe", ""),
        card=cards.parse(card_content, source),
        row=origin.get("row"),
        config=content,
        changed=changed,
        sources=sources,
        card_content=card_content,
        copy_of=origin.get("copy_of", ""),
    )


def learns(config: compose.Config) -> bool:
    """Whether the task has something to train; else it measures what it was built as."""
    return "optimizer" in (config["model"].get("init_args") or {})


def identity(config: Config) -> str:
    """Digest of a resolved configuration without hardware and seeds: runs with equal ones may be averaged."""
    leaves = compose.flatten({key: value for key, value in config.items() if key not in ("card", "origin")})
    kept = {key: value for key, value in leaves.items() if not is_hardware(key)}
    return _digest(kept)


def seal(config: Config, origin: Config) -> str:
    """Digest of a saved configuration and of what it says it is, so that a later edit is noticed."""
    return _digest([identity(config), *(origin.get(key) for key in ("recipe", "row", "changed"))])


def _digest(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()[:16]


def _edited_by_hand(config: Config, origin: Config) -> list[str]:
    """What an edited configuration changed: the keys that differ from the recipe's row as it stands."""
    recipe, row = origin.get("recipe"), origin.get("row")
    if recipe not in names():
        return [EDITED]
    ours = compose.flatten(resolve([recipe], row).config)
    theirs = compose.flatten(config)
    keys = [key for key, value in ours.items() if theirs.get(key) != value and not is_hardware(key)]
    return keys or [EDITED]


def _apply_row(experiment: Experiment, row: str | None) -> None:
    """Applies the `set` of the asked row, or of the recipe's default row."""
    card = experiment.card
    if experiment.row and row not in (None, experiment.row):
        raise InputError(
            f"--row {row}: this configuration is already resolved for row {experiment.row!r}; "
            f"start from --config {experiment.name} --row {row!r}"
        )
    if experiment.row or not card.rows:
        return
    if row is None and card.default is None:
        raise InputError(
            f"{experiment.name} has no default row; give --row with one of {', '.join(map(repr, card.rows))}"
        )
    name = row or card.default
    assert name is not None
    recipe, parent = card.row(name, experiment.name).parent
    if recipe:  # the network that another recipe trained: this one says only how it is tested
        trained = resolve([recipe], parent)
        experiment.config, experiment.sources = trained.config, trained.sources
    for ancestor in lineage(card, name, experiment.name):
        _set(experiment, ancestor)
    experiment.row = name


def _set(experiment: Experiment, row: str) -> None:
    """Applies what one row sets."""
    for key, value in experiment.card.rows[row].set.items():
        experiment.dropped += compose.set_key(experiment.config, key, value, f"row {row}")
        experiment.record([key], f"row {row!r} of {experiment.name}")


def lineage(card: Card, row: str, recipe: str) -> list[str]:
    """The rows whose `set` makes this one, in order: that of its weights first, then its own.

    Raises:
        InputError: There is no such row, or it is quoted and cannot run.
    """
    entry = card.row(row, recipe)
    if entry.quoted:
        raise InputError(
            f"{recipe}, row {row!r} is quoted ({entry.quoted}): its figure is printed beside ours, never run"
        )
    return [entry.weights_of, row] if entry.weights_of in card.rows else [row]


def _pass_seed(config: Config) -> None:
    """One seed for everything: the data module's is the run's unless it is given its own."""
    data = config.get("data")
    if compose.class_path(data) and isinstance(config.get("seed_everything"), int):
        part = compose.is_part(data) and (data.get("init_args") or {})
        if not part or "seed" not in part:
            compose.set_key(config, "data.seed", config["seed_everything"])


def _asked(content: Config) -> Config:
    """A file's content without what W&B wrote into it for itself."""
    return {key: value for key, value in content.items() if not _is_wandb(key)}


def _is_wandb(key: str) -> bool:
    """Whether a key is W&B's own: a sweep's agent may hand such keys on beside the parameters."""
    return key.partition(".")[0] in ("_wandb", "wandb_version")


def is_hardware(key: str) -> bool:
    """Whether a dotted key is what a machine may change without changing the experiment."""
    return any(key == allowed or key.startswith(f"{allowed}.") for allowed in HARDWARE)
