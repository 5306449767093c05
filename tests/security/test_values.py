"""Values in a run's files that are sound JSON or YAML and yet would fell whoever computes with them or shows them."""

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from lit_vision import cli
from lit_vision.data.formats import proposals
from lit_vision.data.pipelines import decode
from lit_vision.errors import InputError
from lit_vision.experiment import yamlio
from lit_vision.runs import folder as runs
from lit_vision.runs import plain_json, scores
from lit_vision.runs.folder import RunFolder
from lit_vision.sweeps import definition
from tests.cli.conftest import Command
from tests.report import dashboard_runs as made

WIDE, HUGE = "1" + "0" * 400, "9" * 5000  # no float holds the first, Python does not read the second
DEEP = "[" * 100_000


@pytest.fixture
def seeds(tmp_path, monkeypatch):
    """Three seeds of a row; the last is the one that is attacked."""
    monkeypatch.chdir(tmp_path)
    return made.classifier(Path("runs"))


@pytest.mark.parametrize("text", [WIDE, f"-{WIDE}", HUGE, DEEP, '"\\ud800"', '{"a": "\\udfff"}', "9223372036854775808"])
def test_what_no_reader_could_use_is_no_json(text):
    with pytest.raises(ValueError, match=r"whole number|too deeply|surrogates|digits"):
        plain_json.parse(text.encode())


def test_what_is_sound_is_read():
    content = {"text": "😀 é", "number": 2**63 - 1, "least": -(2**63 - 1), "real": 1e300, "empty": None}
    assert plain_json.parse(json.dumps(content).encode()) == content  # the first character as a pair of halves
    assert plain_json.parse(json.dumps(content, ensure_ascii=False).encode()) == content


@pytest.mark.parametrize("content", ["1.5", '"/etc/passwd"', '["x"]', "null", "true", HUGE, DEEP, "\xff"])
@pytest.mark.parametrize("verb", ["fit", "test"])
def test_a_state_that_is_no_mapping(seeds, capsys, verb, content):
    (seeds / "run.json").write_bytes(content.encode("latin-1"))
    assert cli.main([verb, "--run", str(seeds)]) == cli.BAD_INPUT
    assert "run.json is damaged; restore it, or start another run with --run DIR" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("result.json", f'{{"duration_s": {WIDE}}}'),
        ("scores.json", '{"test-dev": {"figures": 3, "date": "x"}}'),
        ("scores.json", DEEP),
        ("tests/flip/result.json", "{"),
        ("tests/flip/scores.json", "[]"),
        ("diagnosis.json", '{"mistakes": [{"picture": "\\ud800"}]}'),
        ("diagnosis.json", f'{{"recall_iou": {{"iou": [{WIDE}]}}}}'),
        ("config.yaml", f"card: {{rows: {{resnet-20: {{value: {WIDE}}}}}}}"),
        ("metrics.jsonl", HUGE + "\n"),
    ],
    ids=str,
)
def test_one_bad_file_leaves_one_run_out(seeds, capsys, name, content):
    file = seeds / name
    if name.startswith("tests/"):
        file.parent.mkdir(parents=True)
        shutil.copy(seeds / "result.json", file.parent)
    file.write_text(content)
    verbs = {"report": ["--out", "r.md"], "dashboard": ["--no-serve", "--out", "pages"]}
    if name in ("diagnosis.json", "metrics.jsonl"):  # the report reads neither
        del verbs["report"]
    for verb, options in verbs.items():
        assert cli.main([verb, "runs", *options]) == 0
        told = [line for line in capsys.readouterr().err.splitlines() if "left out" in line]
        assert len(told) == 1
        assert name in told[0]


def test_brackets_without_end_in_a_running_run(seeds, capsys):
    """Its last sign of life is read from the end of the file, where any line may be torn."""
    (seeds / "result.json").unlink()
    with (seeds / "metrics.jsonl").open("a") as file:
        file.write("[" * 50_000)
    assert cli.main(["report", "runs", "--out", "r.md"]) == 0


def test_scores_are_damaged_in_one_way(tmp_path):
    (tmp_path / scores.NAME).write_text(DEEP)
    with pytest.raises(InputError, match=r"scores\.json is damaged; remove it and give the score again"):
        scores.read(tmp_path)


def test_a_score_for_a_run_that_was_tested_again(seeds, capsys):
    """Its later test by another protocol is a line of the ledger, too, but not the one that is asked for."""
    later = seeds / "tests" / "flip"
    later.mkdir(parents=True)
    result = json.loads((seeds / "result.json").read_text())
    (later / "result.json").write_text(json.dumps(result | {"row": "resnet-32"}))
    command = Command(capsys)
    told = command("score", seeds, "test/error=8.8", "--server", "test-dev", "--on", "2026-11-30")
    assert told.splitlines()[0].endswith("scores.json: test-dev")
    assert "test/error  paper 8.75" in told


@pytest.mark.parametrize(
    "number", ["9223372036854775808", "0x" + "f" * 100_000, "0b" + "1" * 70, "1" + ":59" * 300_000, "1" + "_" * 500_000]
)
def test_numbers_beyond_64_bits_are_no_configuration(tmp_path, number):
    file = tmp_path / "a.yaml"
    file.write_text(f"a: 1\nb: {number}\n")
    with pytest.raises(InputError, match=r"a\.yaml, line 2: .{,20} is a number beyond 64 bits"):
        yamlio.load(file)
    assert yamlio.value(number) == number  # on the command line it stays text, and whoever wants a number says so


def test_numbers_of_other_notations_are_still_read():
    assert yamlio.parse("[0x7fffffffffffffff, -0b101, 010, 1_000, 1:30, -9223372036854775807]") == [
        *(2**63 - 1, -5, 8, 1000, 90, -(2**63 - 1)),
    ]


@pytest.mark.parametrize(
    "text",
    [
        *("!!bool maybe", "!!timestamp x", "!!map [x]", "!!set [x]", "!!float ''", "!!int ''", "!!int {x: 1}"),
        *('"\\UFFFFFFFF"', "{? [1, 2] : 3}", "{? {a: 1} : 3}", "!!set {? [x]}", "!!omap [1]", "!evil x"),
    ],
)
def test_tags_and_keys_that_fit_nothing(tmp_path, text):
    file = tmp_path / "a.yaml"
    file.write_text(f"a: {text}\n")
    with pytest.raises(InputError, match=r"a\.yaml"):
        yamlio.load(file)
    assert yamlio.value(text) == text


@pytest.mark.parametrize("key", ["1", "~", "2001-01-01", "1.5"])
def test_keys_of_a_file_are_text(tmp_path, capsys, key):
    file = tmp_path / "a.yaml"
    file.write_text(f"{key}: 2\n")
    assert cli.main(["recipes", "show", str(file)]) == cli.BAD_INPUT
    assert "is no text; expected keys such as card, data" in capsys.readouterr().err


def test_a_plan_without_end(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "s.yaml"
    file.write_text(Path(definition.find("digits")).read_text() + "\n")
    content = yamlio.load(file) | {"method": "random", "run_cap": 10**15}
    file.write_text(yamlio.dump(content))
    assert cli.main(["sweep", "run", str(file)]) == cli.BAD_INPUT
    assert "run_cap is 1,000,000,000,000,000, more than 100,000" in capsys.readouterr().err


@pytest.mark.parametrize("function", [decode.read, decode.size])
def test_a_pipe_is_no_image(tmp_path, function):
    """Nobody writes into it: whoever opened it would wait for ever."""
    os.mkfifo(tmp_path / "a.jpg")
    with pytest.raises(InputError, match=r"a\.jpg: not an image that can be read"):
        function(tmp_path / "a.jpg")


def test_a_claim_with_such_numbers_is_no_claim(tmp_path):
    from lit_vision.runs import lock

    (tmp_path / lock.FILE).write_text(HUGE)
    with_claim = lock.Claim(tmp_path)
    with_claim.release()
    assert RunFolder(tmp_path).state == {}


@pytest.mark.parametrize(
    ("origin", "key"),
    [({"row": True}, "row"), ({"row": {"a": 1}}, "row"), ({"recipe": ["x"]}, "recipe"), ({"changed": "x"}, "changed")],
    ids=str,
)
def test_a_checkpoint_s_origin_is_text(attack, origin, key):
    file = attack.write(lambda content: content["config"].update(origin=origin))
    message = attack.refused("test", "--ckpt_path", file, "--trainer.accelerator", "cpu")
    assert f"evil.ckpt: origin.{key} of its configuration is no text; give its recipe by --config" in message


def nested(levels):
    value = {}
    for _ in range(levels):
        value = {"a": value}
    return value


def unfolding(levels):
    """Ten times as many values a level, and ten references in the file."""
    value = ["x"]
    for _ in range(levels):
        value = [value] * 10
    return value


HOLDING_ITSELF = {}
HOLDING_ITSELF["a"] = HOLDING_ITSELF


@pytest.mark.parametrize(
    ("value", "told"),
    [
        *((torch.zeros(3), "a Tensor"), ({1.5, 2.5}, "a set"), (b"x", "a bytes"), (1j, "a complex")),
        *((torch.float32, "a dtype"), (10**30, "a number beyond 64 bits"), ("\ud800", "text that is no Unicode")),
        *((nested(300), "more than 50 levels"), (HOLDING_ITSELF, "more than 50 levels")),
        (unfolding(9), "more than 100000 values"),
    ],
    ids=lambda value: value if isinstance(value, str) and value.isascii() else "",
)
@pytest.mark.parametrize("place", ["pipeline", "class_names", "origin", "data"])
def test_a_checkpoint_s_configuration_is_such_as_text_could_hold(attack, place, value, told):
    def change(content):
        (content if place in content else content["config"])[place] = value

    message = attack.refused("predict", "--ckpt_path", attack.write(change), "x.png")
    assert f"evil.ckpt: its configuration holds {told}; name a file that lit-vision fit wrote" in message


@pytest.mark.parametrize("kinds", [(">i8", ">f4"), ("<i2", "longdouble"), ("i4", ">f8"), ("i8", "f2")])
def test_proposals_of_any_width_and_byte_order(tmp_path, kinds):
    whole, real = kinds
    boxes, scores = np.array([[1, 2, 3, 4]], real), np.array([0.5], real)
    np.savez(tmp_path / "p.npz", names=["a"], starts=np.array([0, 1], whole), boxes=boxes, scores=scores)
    found = proposals.read(tmp_path / "p.npz")
    assert found.of("a").tolist() == [[1.0, 2.0, 3.0, 4.0]]
    assert found.scores.tolist() == [0.5]


def test_a_long_row_has_a_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folders = [runs.new("r", "é" * 300 + end) for end in "ab"]
    for run in folders:
        run.path.mkdir(parents=True)
    assert folders[0].path.parent != folders[1].path.parent
    assert runs.slug("1b gamma=2") == "1b-gamma-2"
