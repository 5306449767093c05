"""Every `lit-vision` command on every page runs here, or at least resolves.

A command is found on its page and looked up below: how it is run is said for each, and one that is not listed fails.
"""

import itertools
import json
import re
import shlex
import shutil
from pathlib import Path

import pytest
import torch
import yaml

from lit_vision import cli
from lit_vision.experiment import claims, compose, recipes, yamlio
from lit_vision.experiment import names as check
from lit_vision.session import request, trial
from lit_vision.sweeps import agent, child
from tests.cli.conftest import Command
from tests.twins import coco, folders, planting

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]

# They train long, need data, several devices or weights from elsewhere: they are resolved with every option.
RESOLVED = """
fit --config quickstart/digits --trainer.accelerator cpu --trainer.devices 2 --trainer.strategy ddp
fit --config quickstart/digit_scenes --trainer.accelerator cpu --trainer.devices 2 --trainer.strategy ddp
fit --config quickstart/digit_scenes --seed_everything SEED
fit --config quickstart/digit_refinement --row "ensemble"
fit --config quickstart/digits --seed_everything SEED
fit --config resnet/cifar10 --row "resnet-20"
fit --config resnet/cifar10 --row "resnet-20" --data.num_workers 2
fit --config resnet/cifar10 --row resnet-20 --config overlays/gpu8
fit --config resnet/imagenet --row "resnet-50" --data.root DIR --config overlays/gpu1 --data.max_per_device 128
fit --config retinanet/r50_fpn_coco --row "scale 800" --config overlays/gpu1 --data.max_per_device 4
fit --config fpn/faster_rcnn_coco --row "R-50"
fit --config quickstart/own_classes --data.root DIR
fit --config quickstart/own_classes --data.root DIR --data.val_fraction 0.1
fit --config quickstart/own_boxes --data.root DIR
fit --config quickstart/own_boxes --data.root DIR --data.quarantine quarantine.txt
fit --config quickstart/own_boxes --row "coco format" --data.root DIR --data.train train.json --data.val val.json
fit --config quickstart/own_regions --data.root DIR
fit --config quickstart/own_regions --row "joint" --data.root DIR
fit --config retinanet/r50_fpn_coco --row "from scratch" --data lit_vision.data.voc.VocFormat --data.root DIR
fit --config fpn/faster_rcnn_coco --data lit_vision.data.coco.CocoFormat --data.root DIR --data.train train.json --data.val val.json
fit --config RECIPE --config overlays/gpu8 --trainer.num_nodes 2 --run DIR
fit --config quickstart/overfit_coco --row ROW --data.root $LIT_VISION_DATA/coco_tiny
test --config verify/imagenet --row "resnet-50" --data.root DIR
test --config verify/imagenet --row resnet-50 --data.root DIR
test --config verify/torchvision_detectors --row "retinanet"
test --config verify/torchvision_detectors --row retinanet --data.root DIR
test --config verify/cifar10 --row resnet-20 --model.network.weights FILE --data.root DIR
test --config resnet/cifar10 --row resnet-20 --model.network.weights FILE --model.network.backbone.pad both --model.network.normalise lit_vision.models.normalise.Normalise
fit --config quickstart/own_boxes --data.root $LIT_VISION_DATA/bccd --data.train trainval --data.val null --data.monitor test --data.bad skip
fit --config quickstart/own_regions --data.root $LIT_VISION_DATA/bccd --data.train trainval --data.val null --data.monitor test --data.bad skip --checkpoint.every 100
fit --config quickstart/own_regions --row "joint" --data.root $LIT_VISION_DATA/bccd --data.train trainval --data.val null --data.monitor test --data.bad skip
fit --config quickstart/own_boxes --data.root $LIT_VISION_DATA/bccd --data.train trainval --data.val null --data.monitor test --data.bad skip --trainer.max_steps 280 --model.schedule.steps 280 --model.network.head.depth 2 --trainer.val_check_interval 280 --model.network.pyramid.backbone "{class_path: lit_vision.models.backbones.resnet.imagenet_basic, init_args: {depths: [1, 1, 1, 1], residual: true}}"
test --config quickstart/own_regions --row "refined and voted" --run RUN
test --config quickstart/own_boxes --row "loss shares" --run RUN
test --config quickstart/own_regions --row "union"
fit --config resnet/imagenet --row "resnet-18" --data.train $LIT_VISION_DATA/imagenet_sample --data.val $LIT_VISION_DATA/imagenet_sample --data.batch_size 32 --data.num_workers 2 --trainer.max_steps 20
fit --config resnet/cifar10 --row ROW --config overlays/cpu --seed_everything SEED --data lit_vision.data.image_folder.ImageFolder --data.root DIR --data.batch_size 128 --data.monitor test --data.pipeline lit_vision.data.pipelines.small.SmallImages --data.pipeline.pad 4 --data.pipeline.flip true --data.pipeline.mean pixel --data.pipeline.std null --data.pipeline.fill black --model.schedule.milestones "[1000, 1300]" --trainer.max_steps 1500 --trainer.val_check_interval 250
fit --config resnet/cifar10 --row plain-20 --data lit_vision.data.digits.Digits --data.batch_size 64 --model.schedule.class_path torch.optim.lr_scheduler.MultiStepLR --model.schedule.milestones "[100, 130]" --model.schedule.gamma 0.1 --trainer.max_steps 150 --trainer.val_check_interval 10 --trainer.log_every_n_steps 5
test --config resnet/cifar10 --row "Figure 7"
fit --config quickstart/digit_scenes --trainer.max_steps 250 --model.schedule.steps 250
test --config quickstart/digit_scenes --row "loss shares" --run RUN
"""  # noqa: E501

# Cut down to a few steps, in a folder where three seeds of the quickstart and a sweep lie.
SHORTENED = """
fit --config quickstart/digits
fit --config quickstart/digits --row "ten crop"
test --config quickstart/digits --row "ten crop" --run RUN
test --config quickstart/digits --row "mean of three"
test --config quickstart/digits --row "mean of three" --members RUN RUN RUN
test --config quickstart/digits --row "responses" --run RUN
test --config quickstart/digits --row "curves"
test --config quickstart/digits --row "signals at the start"
"""

# A detector's training, seconds even when it is cut down.
SLOW = """
fit --config quickstart/digit_scenes
fit --config quickstart/digit_stages
predict --ckpt_path runs/…/checkpoints/last.ckpt --pictures out photographs/
"""

# As they stand, in the same folder; what they print.
AS_THEY_STAND = {
    "recipes ls": "resnet-20 on 45k",
    "recipes coverage": "The abstracts, claim by claim",
    'test --config resnet/costs --row "34 layers"': "3.6 (tolerance 0.1)  3.644  reproduced",
    'test --config rectifiers/variance --row "Figure 1"': "analysis/slope_below/PReLU  -         0.25  no number",
    'test --config rectifiers/variance --row "standard deviations"': "0.059 (tolerance 0.0005)  0.05893    reproduced",
    "data check DIR": "0 bad, ",
    "data check quickstart/own_boxes --data.root DIR": "against the recipe's anchors",
    "data check annotations/instances_val2017.json": "3 images, 3 objects, 1 crowds",
    "data check DIR --json findings.json --page findings.html --write-quarantine quarantine.txt": "0 bad, ",
    'test --config retinanet/r50_fpn_coco --row "Figure 1"': "100 (tolerance 0.5)  100    reproduced",
    "claims ls": "C00",
    "claims verdict --all": "C00",
    "claims verdict --all --jsonl": "",  # one line per run, and here are none
    "claims verdict --all --from docs/results/claims.jsonl --out docs/results/claims.md": "docs/results/claims.md",
    'recipes show resnet/cifar10 --row "resnet-110"': "# parameters: 1,727,962",
    'recipes show resnet/cifar10 --row "resnet-20"': "# schedule: 64,000 iterations of 128 images",
    "recipes cp resnet/cifar10 recipes/mine.yaml": "recipes/mine.yaml",
    "test --ckpt_path runs/…/checkpoints/last.ckpt": "test/error ",
    "predict --ckpt_path runs/…/checkpoints/last.ckpt picture.png folder/": '"file": "picture.png"',
    "report": "quickstart/digits",
    "report runs": "quickstart/digits",
    "compare runs/sweeps/digits/000 runs/sweeps/digits/001": "runs/sweeps/digits/001",
    "dashboard": "index.html",
    "dashboard runs": "index.html",
    "dashboard runs --no-serve": "index.html",
    "sync RUN": "wandb/sync/wandb/offline-run-",
    "sync RUN…": "wandb/sync/wandb/offline-run-",
    "sweep run digits --jobs 2": "12 of 12 done",
    "sweep run digits": "12 of 12 done",
    "sweep run digits &": "12 of 12 done",
    "sweep best digits": "again: lit-vision fit --config quickstart/digits",
    "sweep resume digits": "12 of 12 done",
    'slurm resnet/cifar10 --row "resnet-20" --config overlays/gpu8 > job.sbatch': "--config resnet/cifar10",
    "slurm resnet/cifar10 --row resnet-20 --config overlays/gpu8 > job.sbatch": "#SBATCH --ntasks-per-node=8",
    "slurm resnet/cifar10 --config overlays/gpu8 --time 48:00:00 > job.sbatch": "#SBATCH --time=48:00:00",
    'slurm retinanet/r50_fpn_coco --row "minival" --config overlays/nodes4x8 --data.batch_size 32 > job.sbatch': (
        "#SBATCH --nodes=4"
    ),
}

# Trials of minutes: which claim they would run, and which seeds beside the file's.
CLAIMS = {
    "claims run C00": ("C00", None),
    "claims run C00 --seeds 14,15": ("C00", [14, 15]),
    "claims run C50-mine.yaml": ("C50", None),
}

# They load gigabytes: `data where` says that the name is known.
DOWNLOADS = """
data get cifar10
data get coco2017
"""

# What stands for something of the reader's own.
OWN = {"RECIPE": "resnet/cifar10", "SEED": "2"}
ROWS = {"resnet/cifar10": "plain-20", "quickstart/overfit_coco": "retinanet"}
TINY = (
    *("--trainer.max_steps", "2", "--trainer.val_check_interval", "2", "--trainer.log_every_n_steps", "1"),
    *("--trainer.logger", "false", "--trainer.accelerator", "cpu"),
)
SCENES = (
    *(*TINY, "--data.size", "64", "--data.train", "16", "--data.val", "4", "--data.test", "4"),
    *("--data.batch_size", "4", "--data.eval_batch_size", "4"),
)


def listed(text):
    return text.strip().splitlines()


def words_of(command):
    """The arguments of a command as a shell would hand them on, redirections and `&` left out."""
    words = shlex.split(command)
    return words[: next((place for place, word in enumerate(words) if word in (">", "&")), len(words))]


def on_page(page):
    """The commands of a page: in fenced code, and in the text where they are more than a verb."""
    text = page.read_text()
    fenced = re.sub(r"\\\n\s*", "", "\n".join(re.findall(r"^```\w*\n(.*?)^```", text, re.M | re.S)))
    found = re.findall(r"^(?:torchrun .* )?lit[-_]vision (.*?)(?:\s+#.*)?$", fenced, re.M)
    inline = re.findall(
        r"`lit-vision (?!sweep best`)(\w+ [^`|]+)`", re.sub(r"^```.*?^```", "", text, flags=re.M | re.S)
    )
    return {re.sub(r"\s+", " ", command.strip()) for command in found + inline}


def test_every_command_of_every_page_is_listed_and_nothing_else():
    found = set().union(*map(on_page, PAGES))
    groups = [*map(listed, (RESOLVED, SHORTENED, SLOW, DOWNLOADS)), AS_THEY_STAND, CLAIMS]
    everything = [command for group in groups for command in group]
    assert len(everything) == len(set(everything)), "listed twice"
    assert sorted(found - set(everything)) == [], "say in tests/test_commands.py how they are run"
    assert sorted(set(everything) - found) == [], "no page has them any more"


def filled(words):
    """Words with a recipe, row and seed for what the reader chooses."""
    recipe = words[words.index("--config") + 1] if "--config" in words else ""
    return [ROWS[recipe] if word == "ROW" else OWN.get(word, word) for word in words]


@pytest.fixture
def command(capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    return Command(capsys)


@pytest.mark.parametrize("line", listed(RESOLVED))
def test_it_resolves_with_every_option(command, line):
    words = filled(words_of(line))
    got = yaml.safe_load(command(*words, "--print_config"))
    asked = {name[2:]: text for name, text in itertools.pairwise(words) if name.startswith("--")}
    resolved = compose.flatten({key: value for key, value in got.items() if key not in ("card", "origin")})
    assert got["origin"]["row"] == asked.pop("row", got["origin"]["row"])
    for name in ("config", "run"):
        asked.pop(name, None)
    for name, text in asked.items():
        value = yamlio.value(text)
        if isinstance(value, dict):
            parts = {name + key.removeprefix("it"): part for key, part in compose.flatten({"it": value}).items()}
            assert {key: resolved.get(key) for key in parts} == parts
            continue
        # Text with a dot may be a class path, which is flattened as one.
        assert resolved.get(name, resolved.get(f"{name}.class_path")) == value, name


def test_an_option_that_does_not_exist_does_not_resolve(command):
    assert "max_step" in command.error(
        "fit", "--config", "quickstart/digits", "--trainer.max_step", "1", "--print_config"
    )


@pytest.mark.parametrize("line", listed(DOWNLOADS))
def test_what_is_downloaded_is_known(command, line):
    verb, action, name = words_of(line)
    assert (verb, action) == ("data", "get")
    assert name in command("data", "where", name)


def copied(words, place, environment):
    """A trial of a sweep that copies a finished run instead of training one."""
    source = next(Path("runs/quickstart/digits/digits").glob("*/result.json")).parent
    return real_start(["sh", "-c", f"cp -r {shlex.quote(str(source.resolve()))}/. {place}/"], place, environment)


real_start = child.start


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A working folder with three seeds of the quickstart, a sweep, and pictures."""
    place = tmp_path_factory.mktemp("site")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        patch.setenv("WANDB_MODE", "offline")
        for seed in (1, 2, 3):
            fit = ("fit", "--config", "quickstart/digits", *TINY, "--seed_everything", str(seed))
            assert cli.main(fit) == 0
            patch.delenv("LIT_VISION_RUN")
        patch.setattr(agent, "TICK", 0.02)
        patch.setattr(agent.Settings.__init__, "__defaults__", (1, None, 120.0, copied))
        assert cli.main(["sweep", "run", "digits"]) == 0
        folders.photographs(place / "folder", splits={"": 1})
        shutil.copy(next(path for path in (place / "folder").rglob("*") if path.is_file()), place / "picture.png")
        planting.voc_folder(place / "voc", test=3)
        coco.write(place)
        (place / "recipes").mkdir()
        (place / "docs" / "results").mkdir(parents=True)
        shutil.copy(ROOT / "docs" / "results" / "claims.jsonl", place / "docs" / "results")
    return place


@pytest.fixture
def at_site(site, capsys, monkeypatch):
    monkeypatch.chdir(site)
    monkeypatch.setattr(agent, "TICK", 0.02)
    monkeypatch.setattr(agent.Settings.__init__, "__defaults__", (1, None, 120.0, copied))
    return Command(capsys)


def placed(words):
    """Words with runs of the working folder for what a page leaves open."""
    results = Path("runs/quickstart/digits/digits").glob("*/result.json")
    # By their ends, which are those of seeds 1, 2, 3: their names order them by second only.
    runs = [path.parent for path in sorted(results, key=lambda path: path.stat().st_mtime_ns)]
    found = iter(map(str, runs))
    words = [next(found) if word in ("RUN", "RUN…") else "voc" if word == "DIR" else word for word in words]
    return [str(runs[0] / "checkpoints" / "last.ckpt") if "…" in word else word for word in words]


@pytest.mark.parametrize("line", listed(SHORTENED))
def test_it_runs_cut_down(at_site, line):
    words = placed(words_of(line))
    before = set(Path("runs/quickstart").rglob("result.json"))
    at_site(*words, *TINY)
    row = words[words.index("--row") + 1] if "--row" in words else "digits"
    results = [json.loads(path.read_text()) for path in Path("runs/quickstart").rglob("result.json")]
    assert all(result["stand_in"] for result in results)
    assert any(result["row"] == row for result in results)
    if "fit" not in words:
        assert set(Path("runs/quickstart").rglob("result.json")) - before


@pytest.mark.parametrize(("line", "printed"), AS_THEY_STAND.items())
def test_it_runs_as_it_stands(at_site, line, printed):
    words = placed(words_of(line))
    if words[0] == "dashboard" and "--no-serve" not in words:
        words.append("--no-serve")
    assert printed in at_site(*words)


@pytest.mark.parametrize(("line", "asked"), CLAIMS.items())
def test_a_claim_would_run_its_seeds(command, monkeypatch, line, asked):
    shutil.copy(claims.files()[0], "C50-mine.yaml")
    begun = []
    monkeypatch.setattr(trial, "run", lambda claim, seeds, machine: begun.append((claim.id, list(seeds))) or 0)
    command(*words_of(line))
    name, seeds = asked
    assert begun == [(name, seeds or list(claims.load(claims.files()[0]).seeds))]


@pytest.mark.slow
def test_a_detector_trains_in_one_stage_and_two_and_predicts(command, tmp_path):
    scenes, stages, predict = (words_of(line) for line in listed(SLOW))
    torch.manual_seed(0)
    command(*scenes, *SCENES, "--run", "runs/scenes")
    command(*stages, *SCENES, "--run", "runs/stages")
    assert json.loads(Path("runs/stages/result.json").read_text())["row"] == "two stages"
    folders.photographs(tmp_path / "photographs", splits={"": 1})
    command(*(word.replace("runs/…", "runs/scenes") for word in predict))
    assert list(Path("out").iterdir())


HEADERS = [
    (name, line)
    for name in recipes.names()
    for line in re.findall(r"^#\s+lit-vision (.*)$", recipes.find(name).read_text(), re.M)
]


@pytest.mark.parametrize(("recipe", "line"), HEADERS)
def test_the_commands_in_a_recipe_s_head_resolve(recipe, line):
    words = words_of(line)
    values, options = cli._options(words[0], words[1:])
    experiment = request.resolve(request.Request(words[0], options=options, **values))
    check.names(experiment)
    assert experiment.name == recipe
