"""What the runs of a claim say, read from stub run folders."""

import dataclasses
import json
from pathlib import Path

import pytest

from lit_vision.errors import InputError
from lit_vision.experiment import claims, yamlio
from lit_vision.report import claims_page
from lit_vision.runs import claim_runs, claim_verdicts

ARM = {"recipe": "quickstart/digits", "set": {"trainer.max_steps": 2}}
CLAIM = claims.parse(
    {
        "claim": {
            "text": "a errs more than b",
            "data": "digits",
            "arms": {"a": ARM, "b": ARM},
            "metric": "test/error",
            "difference": "a - b",
            "direction": ">",
            "margin": 5,
            "seeds": [3, 4],
            "budget": {"words": "two steps", "minutes": 0.1},
            "known": "nothing",
        }
    },
    "C90",
    "C90-a.yaml",
)


def finish(root, arm, seed, figure, **config):
    """A finished run's files, as far as a claim reads them."""
    folder = claim_runs.training(CLAIM, arm, seed, root)
    folder.path.mkdir(parents=True)
    (folder.path / "run.json").write_text("{}")
    folder.config.write_text(yamlio.dump({"seed_everything": seed, "data": {"seed": seed}} | config))
    content = {"figures": {"test/error": figure}, "steps": 2, "changed": ARM["set"], "code": "1", "data": {}}
    told = {"recipe": "quickstart/digits", "row": "digits", "metric": "test/error", "stand_in": True, "seed": seed}
    folder.result.write_text(json.dumps(content | told | {"duration_s": 3.5}))


@pytest.fixture
def root(tmp_path):
    claim_runs.begin(CLAIM, tmp_path)
    for seed, (a, b) in {3: (40.0, 20.0), 4: (41.0, 20.0)}.items():
        finish(tmp_path, "a", seed, a)
        finish(tmp_path, "b", seed, b)
    return tmp_path


def judged(root, claim=CLAIM):
    return claim_verdicts.judge(claim, claim_runs.lines(claim, root))


def test_pairs_are_made_by_seed_and_judged(root):
    found = judged(root)
    assert found.differences == {3: 20.0, 4: 21.0}
    assert (found.judgement.word, found.judgement.mean, found.remarks) == ("holds", 20.5, [])


def test_a_seed_of_a_later_sitting_counts_and_is_told(root):
    finish(root, "a", 7, 10.0)
    assert judged(root).differences == {3: 20.0, 4: 21.0}  # half a pair is none
    finish(root, "b", 7, 30.0)
    found = judged(root)
    assert found.differences == {3: 20.0, 4: 21.0, 7: -20.0}
    assert (found.judgement.word, found.remarks) == ("undecided", ["seed 7 added to those of the file"])


def test_unfinished_seeds_of_the_file_make_an_interim_verdict(root):
    claim_runs.place(CLAIM, "b", 4, root).result.unlink()
    found = judged(root)
    assert found.differences == {3: 20.0}
    assert found.remarks == ["interim: seed 4 of the file not finished"]
    assert (found.interim, claims_page.listing([found]).rows[0][-1]) == (
        True,
        "undecided (about 5 pairs needed), interim",
    )


def test_a_run_without_a_figure_makes_no_pair(root):
    finish(root, "a", 8, None)
    finish(root, "b", 8, 20.0)
    found = judged(root)
    assert 8 not in found.differences
    assert found.remarks == ["seed 8 without a figure of each arm, and so without a pair"]


def test_runs_of_an_edited_claim_do_not_count(root):
    edited = dataclasses.replace(CLAIM, margin=1.0)
    found = judged(root, edited)
    assert (found.judgement.word, found.differences) == ("not run", {})
    assert found.remarks == ["edited after its first run: 4 runs of another wording do not count"]
    with pytest.raises(InputError) as refused:
        claim_runs.begin(edited, root)
    assert str(refused.value).startswith("C90-a.yaml was edited after its first run: margin differ")
    claim_runs.begin(CLAIM, root)  # as it was
    assert judged(root).judgement.word == "holds"


def test_a_first_run_that_was_refused_fixes_nothing(tmp_path):
    claim_runs.begin(CLAIM, tmp_path)
    edited = dataclasses.replace(CLAIM, margin=1.0)
    claim_runs.begin(edited, tmp_path)
    assert claim_runs.noted("C90", tmp_path)["digest"] == edited.digest


def test_a_recipe_that_changed_between_runs_is_told(root):
    finish(root, "a", 5, 40.0, trainer={"logger": False})
    assert judged(root).remarks == []
    finish(root, "a", 6, 40.0, model="another")
    told = ["arm a ran with more than one configuration: its recipe or its precision was changed"]
    assert judged(root).remarks == told


def test_lines_are_kept_and_read_again(root, tmp_path):
    lines = claim_runs.lines(CLAIM, root)
    file = tmp_path / "claims.jsonl"
    file.write_text(claim_runs.dump(lines))
    assert claim_runs.read(file) == lines
    first = json.loads(file.read_text().splitlines()[0])
    assert (first["claim"], first["arm"], first["seed"], first["figure"], first["steps"]) == ("C90", "a", 3, 40.0, 2)
    assert (first["digest"], first["code"], first["changed"]) == (CLAIM.digest, "1", {"trainer.max_steps": 2})
    file.write_text(json.dumps({**first, "seed": "three"}))
    with pytest.raises(InputError, match=r"claims.jsonl, line 1: seed should be a int, got 'three'"):
        claim_runs.read(file)


def test_damaged_files_are_told(root):
    claim_runs.place(CLAIM, "a", 3, root).result.write_text("{")
    with pytest.raises(InputError, match=r"result.json is damaged; restore it"):
        judged(root)
    (root / "C90" / claim_runs.NOTE).write_text("{}")
    with pytest.raises(InputError, match=r"claim.json is damaged; restore it"):
        judged(root)


def test_a_look_at_weights_lies_beside_their_run(tmp_path):
    arms = CLAIM.arms | {"b": claims.Arm("quickstart/digits", "ten crop", on="C01/plain")}
    claim = dataclasses.replace(CLAIM, arms=arms)
    assert claim_runs.place(claim, "b", 3, tmp_path).path == tmp_path / "C01" / "plain" / "3" / "tests" / "ten-crop"
    arms["b"] = claims.Arm("quickstart/digits", "responses", on="a")
    assert claim_runs.place(claim, "b", 3, tmp_path).path == tmp_path / "C90" / "a" / "3" / "analyses" / "responses"


def test_marks_name_rows_and_verdicts(root):
    found = judged(root)
    other = claim_verdicts.judge(dataclasses.replace(CLAIM, id="C91"), [])
    told = {"C90": "holds", "C91": "not run"}
    assert claim_verdicts.by_row([found, other]) == {("quickstart/digits", "digits"): told}
    claim_runs.place(CLAIM, "b", 4, root).result.unlink()
    assert claim_verdicts.by_row([judged(root)]) == {("quickstart/digits", "digits"): {"C90": "undecided, interim"}}
    assert claim_verdicts.corrected([found, other]) == {"C90": found.judgement.p}


def test_the_kept_lines_are_of_the_claims_as_they_stand():
    kept = claim_runs.read(Path(__file__).parents[2] / "docs" / "results" / "claims.jsonl")
    digests = {claim.id: claim.digest for claim in claims.every()}
    assert kept
    assert [line for line in kept if digests.get(line.claim) != line.digest] == []
