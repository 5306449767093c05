"""`lit-vision claims` through the real command: two steps on the digits, stopped, continued, seeds added."""

import json
import os
import re
import signal
from pathlib import Path

import pytest
from PIL import Image

from lit_vision.callbacks.checkpoint import LastCheckpoint
from lit_vision.experiment import claims, yamlio
from lit_vision.runs import folder as runs
from lit_vision.runs.folder import RunFolder
from lit_vision.verbs import claims as verb

SHORT = {"trainer.max_steps": 4, "trainer.val_check_interval": 2, "model.schedule.steps": 4, "model.schedule.warmup": 1}
CLAIM = {
    "text": "no step is worse than four",
    "data": "1,797 digits",
    "arms": {
        "slow": {"recipe": "quickstart/digits", "set": {**SHORT, "model.optimizer.lr": 1e-6}},
        "fast": {"recipe": "quickstart/digits", "set": SHORT},
        "cropped": {"recipe": "quickstart/digits", "row": "centre crop", "on": "fast"},
    },
    "metric": "test/loss",
    "difference": "slow - fast + 0 * cropped",
    "direction": ">",
    "margin": -50,
    "seeds": [21, 22],
    "budget": {"words": "four steps", "minutes": 0.1},
    "known": "nothing",
}
FILE = "C95-steps.yaml"
RUN = ("claims", "run", FILE, "--trainer.logger", "false")
ROOT = Path("runs/claims/C95")


@pytest.fixture
def claim(command):
    Path(FILE).write_text(yamlio.dump({"claim": CLAIM}))
    return command


def results():
    return {str(file.relative_to(ROOT)): file.stat().st_mtime_ns for file in ROOT.rglob("result.json")}


def loss(arm, seed):
    return json.loads((ROOT / arm / str(seed) / "result.json").read_text())["figures"]["test/loss"]


def verdict(command, *arguments):
    (said,) = json.loads(command("claims", "verdict", FILE, "--json", *arguments))
    return said


def test_a_claim_is_stopped_continued_and_judged(claim, monkeypatch):
    pressed = []

    def press(self, trainer, *_):  # Ctrl-C in the second step of the second arm
        if trainer.global_step == 1 and Path(ROOT, "slow/21/result.json").is_file() and not pressed:
            pressed.append(True)
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(LastCheckpoint, "on_train_batch_start", press)
    out = claim(*RUN, code=runs.INTERRUPTED)
    assert "C95 was stopped; the same command goes on with it" in out
    assert list(results()) == ["slow/21/result.json"]
    assert verdict(claim)["word"] == "not run"
    assert verdict(claim)["remarks"] == ["interim: seeds 21, 22 of the file not finished"]

    before = results()
    claim(*RUN, "--seeds", "21")
    assert before.items() < results().items()
    assert {"fast/21/result.json", "fast/21/tests/centre-crop/result.json"} <= set(results())
    lines = runs.json_lines(ROOT / "fast/21/metrics.jsonl")
    assert [line[runs.RESUMED] for line in lines if runs.RESUMED in line] == [2]
    assert (verdict(claim)["word"], verdict(claim)["pairs"]) == ("undecided", 1)

    out = claim(*RUN)
    said = verdict(claim)
    assert said["differences"] == {str(seed): loss("slow", seed) - loss("fast", seed) for seed in (21, 22)}
    assert (said["word"], said["pairs"], said["remarks"]) == ("holds", 2, [])
    assert said["p_holm"] == pytest.approx(said["p"])
    assert "| C95   | slow - fast + 0 * cropped > -50 |" in out

    before = results()
    claim(*RUN, "--seeds", "23")
    assert before.items() < results().items()
    assert len(results()) == 9
    assert verdict(claim)["remarks"] == ["seed 23 added to those of the file"]

    Path("kept.jsonl").write_text(claim("claims", "verdict", FILE, "--jsonl"))
    page = claim("claims", "verdict", FILE)
    ROOT.rename("elsewhere")
    assert claim("claims", "verdict", FILE, "--from", "kept.jsonl") == page
    assert verdict(claim)["word"] == "not run"


def test_two_claims_share_a_training(command):
    short = {"recipe": "quickstart/digits", "set": SHORT}
    content = {**CLAIM, "arms": {"a": short, "b": CLAIM["arms"]["slow"]}, "difference": "b - a", "seeds": [21]}
    Path("C93-first.yaml").write_text(yamlio.dump({"claim": content}))
    arms = {"a": {**short, "on": "C93/a"}, "c": {"recipe": "quickstart/digits", "row": "centre crop", "on": "C93/a"}}
    Path("C94-second.yaml").write_text(yamlio.dump({"claim": content | {"arms": arms, "difference": "c - a"}}))
    command("claims", "run", "C94-second.yaml", "--trainer.logger", "false")
    trained = sorted(str(file.parent) for file in Path("runs/claims").glob("C*/*/*/result.json"))
    assert trained == ["runs/claims/C93/a/21"]  # b of the first claim was not asked for
    (said,) = json.loads(command("claims", "verdict", "C94-second.yaml", "--json"))
    look = RunFolder(Path("runs/claims/C93/a/21/tests/centre-crop"))
    cropped = json.loads(look.result.read_text())["figures"]["test/loss"]
    whole = json.loads(Path("runs/claims/C93/a/21/result.json").read_text())["figures"]["test/loss"]
    assert said["differences"] == {"21": pytest.approx(cropped - whole)}


def test_an_arm_that_has_nothing_to_train_is_tested(command):
    arms = {"he": {"recipe": "rectifiers/variance", "row": "he", "set": {"model.depth": 3, "model.width": 64}}}
    claim = {**CLAIM, "arms": arms, "metric": "test/forward_slope", "difference": "he", "direction": "within"}
    Path(FILE).write_text(yamlio.dump({"claim": {**claim, "margin": 5}}))
    command(*RUN)
    (said,) = json.loads(command("claims", "verdict", FILE, "--json"))
    slopes = [json.loads((ROOT / "he" / seed / "result.json").read_text())["figures"] for seed in ("21", "22")]
    assert list(said["differences"].values()) == [slope["test/forward_slope"] for slope in slopes]
    assert said["statement"] == "|he| < 5"


def test_what_the_machine_says_goes_to_the_data_that_an_arm_names(command, tmp_path):
    for number in range(8):
        for part in "train", "test":
            file = tmp_path / "set" / part / "ab"[number % 2] / f"{part}{number}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (8, 8), (number, number, 9 if part == "train" else 200)).save(file)
    options = {"batch_size": 4, "monitor": "test", "pipeline": "lit_vision.data.pipelines.small.SmallImages"}
    data = {"class_path": "lit_vision.data.image_folder.ImageFolder", "init_args": options}
    arms = {name: {"recipe": "quickstart/digits", "set": {**SHORT, "data": data}} for name in "ab"}
    Path(FILE).write_text(yamlio.dump({"claim": {**CLAIM, "arms": arms, "difference": "b - a", "seeds": [21]}}))
    command(*RUN, "--data.root", tmp_path / "set")
    assert yamlio.load(ROOT / "a" / "21" / "config.yaml")["data"]["init_args"]["root"] == str(tmp_path / "set")


def test_the_rate_of_an_arm_comes_from_its_grid(command):
    arm = {"recipe": "quickstart/digits", "set": {**SHORT, "trainer.max_steps": 2}}
    tune = {"key": "model.optimizer.lr", "values": [1e3, 0.1], "seed": 9, "by": "val/loss"}
    claim = {**CLAIM, "arms": {"one": arm}, "difference": "one", "seeds": [21], "tune": tune}
    Path(FILE).write_text(yamlio.dump({"claim": claim}))
    command(*RUN)
    assert set(results()) == {"one/tune/1000.0/result.json", "one/tune/0.1/result.json", "one/21/result.json"}
    tried = json.loads((ROOT / "one/tune/1000.0/result.json").read_text())
    assert (tried["seed"], tried["changed"]["model.optimizer.lr"]) == (9, 1000)
    config = yamlio.load(ROOT / "one/21/config.yaml")
    assert config["model"]["init_args"]["optimizer"]["init_args"]["lr"] == 0.1
    assert verdict(command)["pairs"] == 1


def test_an_edited_claim_is_refused(claim):
    (ROOT / "slow" / "21").mkdir(parents=True)
    (ROOT / "slow" / "21" / "run.json").write_text("{}")
    note = {"digest": "0", "code": "1", "first_run": "", "claim": {**CLAIM, "margin": 3}}
    (ROOT / "claim.json").write_text(json.dumps(note))
    message = claim.error(*RUN)
    assert message.startswith(f"error: {FILE} was edited after its first run: ")
    assert "margin" in message
    assert "give the new claim a number of its own" in message


def test_all_claims_are_listed_and_shown(command):
    listed = command("claims", "ls")
    assert "| C00   |" in listed
    page = command("claims", "verdict", "--all")
    assert "## C00: " in page
    assert "our own claim; no paper prints it" in page
    assert "not run" in page


def test_a_claim_is_run_by_its_own_verb(command):
    message = command.error("fit", "--config", claims.find("C00").source)
    assert message.endswith(f"is a claim and no recipe; lit-vision claims run {claims.find('C00').source} runs it")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("ls", "C00"), "error: lit-vision claims: unrecognized arguments: C00"),
        (("verdict",), "error: claims verdict needs the id of a claim, or its file, or else --all"),
        (("run", "C00", "--all"), "error: claims run needs the id of a claim, or its file, or else --all"),
        (("run", "C00", "--seeds", "3,x"), "expected whole numbers as 3,4,5, got '3,x'"),
        (
            ("run", "C00", "--trainer.max_steps", "3"),
            "C00: trainer.max_steps would change what the claim has fixed;",
        ),
        (("run", "C0"), "error: no file and no claim 'C0'; did you mean 'C"),
        (("verdict", "C00", "--trainer.max_steps", "3"), "error: claims verdict takes no options of runs"),
        (("verdict", "C00", "--out", "page"), "error: --out page: name a file such as page.md"),
        (("verdict", "C00", "--from", "none.jsonl"), "error: none.jsonl is no file of JSON lines"),
        (("verdikt",), "error: lit-vision claims verdikt: unknown; did you mean 'verdict'?"),
    ],
)
def test_messages(command, arguments, message):
    assert message in command.error("claims", *arguments)
    assert not Path("runs").exists()


DOCS = Path(__file__).parents[2] / "docs"


def test_the_page_of_results_is_what_the_command_writes(command, tmp_path):
    out = tmp_path / "claims.md"
    command("claims", "verdict", "--all", "--from", DOCS / "results" / "claims.jsonl", "--out", out)
    page = (DOCS / "results" / "claims.md").read_text()
    assert out.read_text() == page
    plots = re.findall(r"!\[the pairs of (C\d+)\]\(claims/\1.png\)", page)
    assert "C00" in plots
    for one in plots:
        drawn, kept = (Image.open(folder / "claims" / f"{one}.png") for folder in (tmp_path, DOCS / "results"))
        assert drawn.size == kept.size
        assert len(set(drawn.convert("L").getdata())) > 50


def test_the_commands_of_the_page_are_read(command):
    lines = re.findall(r"^lit-vision claims (.*)$", (DOCS / "claims.md").read_text(), re.M)
    assert len(lines) == 6
    for line in lines:
        arguments, _ = verb._read(line.split())
        for name in getattr(arguments, "claims", []):
            assert claims.find(name).id == name
