"""Messages that a user would see for a slip: short, with file or option, key and nearest choice."""

import logging

import pytest

from lit_vision.data.coco import CocoFormat
from lit_vision.errors import InputError
from lit_vision.session import quiet, session
from tests.twins import coco

DIGITS = ("--config", "quickstart/digits")
MINE = """\
model: {class_path: lit_vision.tasks.signal.SignalPropagation}
data:
  class_path: lit_vision.data.digits.Digits
"""


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["fti", *DIGITS], "unknown verb 'fti'; did you mean 'fit'?"),
        (["fit"], "fit needs --config RECIPE; lit-vision recipes ls shows them"),
        (
            ["fit", "--config", "quickstart/digit"],
            "no file and no recipe 'quickstart/digit'; did you mean 'quickstart/digits'?",
        ),
        (["fit", "--config", "overlay/cpu"], "no file and no recipe 'overlay/cpu'; did you mean 'overlays/cpu'?"),
        (["fit", *DIGITS, "--row", "digit"], "quickstart/digits has no row 'digit'; did you mean 'digits'?"),
        (["fit", *DIGITS, "--row"], "--row needs a value; write --row VALUE or --row=VALUE"),
        (["fit", *DIGITS, "stray"], "fit takes only options, got 'stray'"),
        (["fit", *DIGITS, "--datta.batch_size", "3"], "--datta.batch_size: unknown key 'datta'; did you mean 'data'?"),
        (
            ["fit", *DIGITS, "--data.batchsize", "3"],
            "--data.batchsize: unknown key data.batchsize; Digits takes no 'batchsize'; did you mean 'batch_size'?",
        ),
        (
            ["fit", *DIGITS, "--trainer.max_step", "3"],
            "--trainer.max_step: unknown key trainer.max_step; Trainer takes no 'max_step'; did you mean 'max_steps'?",
        ),
        (
            ["fit", *DIGITS, "--model.network.backbone.norms", "gn"],
            "--model.network.backbone.norms: unknown key model.network.backbone.norms; resnet20 takes no 'norms'; "
            "did you mean 'norm'?",
        ),
        (
            ["fit", *DIGITS, "--model.network.backbone", "lit_vision.models.backbones.resnet.resnet_20"],
            "lit_vision.models.backbones.resnet has no 'resnet_20'; did you mean 'resnet20'?",
        ),
        (
            ["fit", *DIGITS, "--data", "lit_vision.data.digit.Digits"],
            "there is no module 'lit_vision.data.digit'; did you mean 'lit_vision.data.digits'?",
        ),
        (["fit", *DIGITS, "--trainer.max_steps", "many"], "--trainer.max_steps should be a whole number, got 'many'"),
        (["fit", *DIGITS, "--data.batch_size", "1.5"], "--data.batch_size should be a whole number, got '1.5'"),
        (
            ["fit", *DIGITS, "--model.channels_last", "maybe"],
            "--model.channels_last should be true or false, got 'maybe'",
        ),
        (["fit", *DIGITS, "--model.optimizer.lr", "fast"], "--model.optimizer.lr should be a number, got 'fast'"),
        (
            ["fit", *DIGITS, "--model.schedule.steps", "[1, 2"],
            "--model.schedule.steps should be a whole number, got '[1, 2'",
        ),
        (
            ["fit", *DIGITS, "--model.network.backbone.norm", "layer"],
            "--model.network.backbone.norm should be one of bn, sync, frozen, gn, got 'layer'",
        ),
        (
            ["fit", *DIGITS, "--trainer.precision", "bf17"],
            "--trainer.precision should be a whole number or one of transformer-engine, ",
        ),
        (["fit", *DIGITS, "--trainer.precision", "bf17"], ", …, got 'bf17'; did you mean 'bf16'?"),
        (
            ["fit", *DIGITS, "--model.optimizer", "torch.optim.SDG"],
            "--model.optimizer: torch.optim has no 'SDG'; did you mean 'SGD'?",
        ),
        (["fit", *DIGITS, "--model.network", "3"], "--model.network: Not a valid subclass of Classifier, got '3'"),
        (
            ["fit", *DIGITS, "--data.pipeline.pad", "2"],
            "data.pipeline has no class of its own to take this option; name one first, by its class path",
        ),
        (["fit", *DIGITS, "--trainer.max_steps.x", "1"], "trainer.max_steps is 400, which has no keys"),
        (
            ["fit", *DIGITS, "--model.network.num_classes", "7"],
            "model.network.num_classes is 7, but Digits has 10 classes",
        ),
        (
            ["fit", *DIGITS, "--ckpt_path", "last"],
            "there is no unfinished run in runs/quickstart/digits/digits to continue",
        ),
        (
            ["fit", *DIGITS, "--config", "verify/imagenet"],
            "imagenet.yaml is a recipe of its own; a second --config is an overlay",
        ),
        (["test", "--ckpt_path", "no.ckpt"], "--ckpt_path no.ckpt: there is no such file"),
        (["recipes", "show", "resnet/cifar"], "no file and no recipe 'resnet/cifar'; did you mean 'resnet/cifar10'?"),
        (["recipes"], "lit-vision recipes needs one of: ls, coverage, show, cp"),
        (["recipes", "shw", "resnet/cifar10"], "lit-vision recipes shw: unknown; did you mean 'show'?"),
        (["recipes", "--json"], "lit-vision recipes: unknown option --json; choose from: --help"),
        (["recipes", "ls", "--jsn"], "lit-vision recipes ls: unknown option --jsn; did you mean '--json'?"),
        (["recipes", "ls", "--paper"], "lit-vision recipes ls: argument --paper: expected one argument"),
        (
            ["recipes", "show", "resnet/cifar10", "--rwo=resnet-20"],
            "lit-vision recipes show: unknown option --rwo; did you mean '--row'?",
        ),
        (["recipes", "show"], "lit-vision recipes show: the following arguments are required: recipe"),
        (["recipes", "show", "resnet/cifar10", "resnet-20"], "lit-vision recipes: unrecognized arguments: resnet-20"),
        (["recipes", "cp", "resnet/cifar10"], "lit-vision recipes cp: the following arguments are required: file"),
        (["predict"], "lit-vision predict: the following arguments are required: paths, --ckpt_path"),
        (["predict", "cat.png"], "lit-vision predict: the following arguments are required: --ckpt_path"),
        (["predict", "--ckpt_path", "last.ckpt"], "lit-vision predict: the following arguments are required: paths"),
        (
            ["predict", "--chpt_path", "last.ckpt", "cat.png"],
            "lit-vision predict: unknown option --chpt_path; did you mean '--ckpt_path'?",
        ),
        (
            ["predict", "--ckpt_path", "last.ckpt", "cat.png", "--trust_code"],
            "lit-vision predict: unknown option --trust_code; did you mean '--trust-code'?",
        ),
        (
            ["predict", "--ckpt_path", "last.ckpt", "cat.png", "--top", "0"],
            "lit-vision predict: argument --top: expected a whole number of at least 1, got '0'",
        ),
        (["predict", "--ckpt_path", "last.ckpt", "cat.png"], "last.ckpt: there is no such file"),
        (["fit", *DIGITS, "--run", "a", "--run=b"], "--run is given twice, a and b; leave one out"),
        (
            ["fit", "--config", "quickstart/digit_stages", "--stages.0.trainer.max_steps", "4"],
            "--stages.0.trainer.max_steps: stages.0.trainer.max_steps cannot be set: stages is a list of 3, "
            "which has no keys",
        ),
        (
            ["validate", *DIGITS],
            "validate of quickstart/digits needs trained weights: name a finished run",
        ),
        (["predict", "cat.png"], "--ckpt_path;\nwrite lit-vision predict [-h] --ckpt_path CKPT_PATH"),
        (
            ["recipes", "cp", "quickstart/digits", "--row", "ten crop", "x.yaml"],
            "--row ten crop: it tests the weights of another row (weights_of), so it cannot stand alone",
        ),
        (["fit", "--config", "quickstart/own_boxes", "--data.ignore", "x"], "--data.ignore should be a list, got 'x'"),
        (["fit", *DIGITS, "--seed", "1"], "unknown option --seed; did you mean '--seed_everything'?"),
        (
            ["fit", *DIGITS, "--optimiser.lr", "1"],
            "--optimiser.lr: unknown key 'optimiser'; did you mean 'model.optimizer'?",
        ),
        (
            ["fit", *DIGITS, "--checkpoint.monitr", "x"],
            "--checkpoint.monitr: unknown key checkpoint.monitr; Keep takes no 'monitr'; did you mean 'monitor'?",
        ),
        (
            ["fit", *DIGITS, "--data", "Digitss"],
            "--data is 'Digitss', which is no class path; write lit_vision.data.digits.Digits",
        ),
        (
            ["fit", *DIGITS, "--data", "lit_vision.data.digits.Digit"],
            "error: --data: lit_vision.data.digits has no 'Digit'; did you mean 'Digits'?",
        ),
        (["fit", *DIGITS, "--trainer.callbacks", "x"], "--trainer.callbacks should be a list, got 'x'"),
        (["recipes", "ls", "--paper", "vgg"], "--paper vgg: no recipe belongs to it; choose from: "),
    ],
    ids=lambda value: " ".join(value)[:60] if isinstance(value, list) else "",
)
def test_slip(command, arguments, expected):
    assert expected in command.error(*arguments)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "mine.yaml is empty; expected a mapping"),
        ("data: 1\ndata: 2\n", "mine.yaml, line 2: key 'data' is given twice"),
        ("data: [1\n", "mine.yaml, line 2: "),
        ("trainer: {max_steps: 1}\n", "mine: data needs a class_path; see lit-vision recipes ls for examples"),
        ("dat: {}\n", "mine.yaml: unknown key 'dat'; did you mean 'data'?"),
        (MINE + "  init_args: {batch_size: many}\n", "mine.yaml: data.batch_size should be a whole number, got 'many'"),
        (
            MINE + "  init_args: {monitor: tset}\n",
            "data.monitor should be one of val, test, got 'tset'; did you mean 'test'?",
        ),
        ("card: {metrik: x}\n", "mine.yaml: card has no key 'metrik'; did you mean 'metric'?"),
    ],
)
def test_bad_file(command, tmp_path, text, expected):
    (tmp_path / "mine.yaml").write_text(text)
    assert expected in command.error("fit", "--config", "mine.yaml")


def test_a_number_is_a_number_everywhere(command):
    shown = command("recipes", "show", "quickstart/digits")
    assert "weight_decay: 0.0001" in shown


def test_no_arguments_and_help(command):
    assert "lit-vision fit --config RECIPE" in command("--help")
    command(code=2)


@pytest.mark.parametrize("verb", [("recipes", "show", "quickstart/digits"), ("fit", *DIGITS, "--print_config")])
def test_what_only_shows_a_recipe_advertises_nothing(command, verb):
    logger = logging.getLogger("lightning.pytorch.utilities.rank_zero")
    logger.removeFilter(quiet._FILTER)  # other commands of this process have set it
    command(*verb)
    assert quiet._FILTER in logger.filters


def of_rank(monkeypatch, rank):
    """This process as one of two that torchrun starts on this machine."""
    for name, value in {"TORCHELASTIC_RUN_ID": "x", "RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": "2"}.items():
        monkeypatch.setenv(name, str(value))


@pytest.mark.parametrize(
    "slip",
    [
        ("--config", "quickstart/digit"),
        (*DIGITS, "--trainer.max_step", "3"),  # found by parsing
        (*DIGITS, "--data", "lit_vision.data.digit.Digits"),  # by importing
        (*DIGITS, "--trainer.max_steps", "0"),  # by its value
        (*DIGITS, "--data.batch_size", "many"),  # by its type
        ("--config", "quickstart/own_boxes", "--data.root", "nowhere", "--run", "run"),  # when data are built
    ],
)
def test_an_early_error_is_told_once_by_two_processes(command, monkeypatch, slip):
    of_rank(monkeypatch, 0)
    first = command.error("fit", *slip)
    of_rank(monkeypatch, 1)
    command("fit", *slip, code=2)
    assert first
    assert "error" not in command.err


def test_what_one_process_meets_alone_is_told_by_it(command, monkeypatch):
    def alone(*_):
        raise InputError("out of memory in training")

    monkeypatch.setattr(session, "main", alone)
    of_rank(monkeypatch, 1)
    assert command.error("fit", *DIGITS) == "error: out of memory in training"


def test_annotations_are_read_alike_by_all_processes(tmp_path):
    coco.write(tmp_path, {"train": 2, "val": 1}, [(1, "bolt")])
    data = CocoFormat(str(tmp_path), "annotations/instances_train.json", "annotations/instances_val.json")
    next((tmp_path / "train").glob("*.jpg")).unlink()
    with pytest.raises(InputError, match="which is not in") as caught:
        data.setup()
    assert caught.value.alike
    assert not InputError("of one batch").alike


@pytest.mark.parametrize("slip", ["--model.hlp", "--data.hepl", "--trainer.h"])
def test_help_of_a_section_misspelt(command, slip):
    section = slip.partition(".")[0]
    assert f"{slip} needs a value; did you mean {section}.help?" in command.error("fit", *DIGITS, slip)


def test_half_precision_without_a_gpu_is_told_in_one_voice(command):
    command.error("fit", *DIGITS, "--trainer.precision", "16", "--trainer.accelerator", "cpu")
    assert command.err == (
        "error: trainer.precision is 16, which needs a GPU; give --trainer.precision bf16-mixed or 32-true\n"
    )


def test_a_start_that_is_refused_names_no_folder(command, tmp_path):
    coco.write(tmp_path / "own", {"train": 2, "val": 1}, [(1, "bolt"), (2, "nut")], used=(1, 2))
    (tmp_path / "own" / "train" / "000000000101.jpg").write_bytes(b"no image")
    files = ("--data.train", "annotations/instances_train.json", "--data.val", "annotations/instances_val.json")
    own = ("--config", "quickstart/own_boxes", "--row", "coco format", "--data.root", tmp_path / "own", *files)
    message = command.error("fit", *own, "--trainer.accelerator", "cpu", "--trainer.logger", "false")
    assert "1 bad annotation(s)" in message
    assert "run:" not in command.out + command.err
    assert not (tmp_path / "runs").exists() or not list((tmp_path / "runs").rglob("run.json"))
