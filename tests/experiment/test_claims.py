import copy
import itertools

import pytest

from lit_vision.errors import InputError
from lit_vision.experiment import claims, compose, exhibits, names, recipes, yamlio

SHORT = {"trainer.max_steps": 2}
CONTENT = {
    "text": "a is worse than b",
    "data": "digits",
    "arms": {
        "a": {"recipe": "quickstart/digits", "set": SHORT},
        "b": {"recipe": "quickstart/digits", "row": "digits", "set": SHORT | {"model.optimizer.momentum": 0.0}},
    },
    "metric": "test/error",
    "difference": "a - b",
    "direction": ">",
    "margin": 2,
    "seeds": [3, 4, 5],
    "budget": {"words": "two steps", "minutes": 0.1},
    "known": "nothing",
}
GRID = {"key": "model.optimizer.lr", "values": [0.1, 0.2], "seed": 9, "by": "val/error"}


def parsed(**changes):
    content = copy.deepcopy(CONTENT) | changes
    return claims.parse({"claim": content}, "C90", "C90-a.yaml")


def test_a_claim_is_read_whole():
    claim = parsed(tune=GRID)
    assert (claim.id, claim.source, claim.margin, claim.seeds) == ("C90", "C90-a.yaml", 2.0, [3, 4, 5])
    assert claim.arms["b"].set["model.optimizer.momentum"] == 0.0
    assert claim.tune == claims.Tune("model.optimizer.lr", [0.1, 0.2], 9, "val/error")
    assert claim.statement == "a - b > 2"
    assert parsed(direction="within", margin=0.7).statement == "|a - b| < 0.7"
    assert [claims.row_of(arm) for arm in claim.arms.values()] == ["digits", "digits"]


def test_every_word_is_part_of_what_is_fixed():
    assert parsed().digest == claims.parse({"claim": CONTENT}, "C91", "elsewhere.yaml").digest
    changed = [parsed(**{key: value}) for key, value in {"margin": 1, "known": "all", "seeds": [3, 4]}.items()]
    assert len({claim.digest for claim in [parsed(), *changed]}) == 4


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"margn": 1}, "C90-a.yaml: claim has no key 'margn'; did you mean 'margin'?"),
        ({"direction": ">="}, "C90-a.yaml: claim.direction should be one of >, <, within, got '>='"),
        ({"margin": "two"}, "C90-a.yaml: claim.margin should be a float, got 'two'"),
        ({"paper": 1512.03385}, "C90-a.yaml: claim.paper must be quoted, or YAML reads a float: 1512.03385"),
        ({"paper": "1512.03385"}, "C90-a.yaml: claim.where: say where 1512.03385 claims it"),
        ({"id": "C01"}, "claim.id and claim.source are the file's own name; leave them out"),
        ({"pairing": "data"}, "C90-a.yaml: claim.pairing should be one of seed, got 'data'"),
        ({"difference": "a - c"}, "C90-a.yaml: claim.difference: there is no 'c'"),
        ({"metric": "test/eror"}, "C90-a.yaml: claim.metric: nothing logs 'test/eror'; did you mean 'test/error'?"),
        ({"seeds": [3, 3]}, "C90-a.yaml: claim.seeds should name each seed once, got [3, 3]"),
        ({"seeds": []}, "C90-a.yaml: claim.seeds should name each seed once, got []"),
        ({"direction": "within", "margin": 0}, "claim.margin: an equivalence needs a positive margin, got 0"),
        ({"budget": {"words": "x"}}, "C90-a.yaml: claim.budget needs the key 'minutes'"),
    ],
)
def test_messages_name_file_and_key(changes, message):
    with pytest.raises(InputError) as refused:
        parsed(**changes)
    assert message in str(refused.value)


@pytest.mark.parametrize(
    ("arm", "message"),
    [
        ({"recipe": "quickstart/digit"}, "no file and no recipe 'quickstart/digit'; did you mean 'quickstart/digits'?"),
        ({"recipe": "quickstart/digits", "row": "digit"}, "claim.arms.b: quickstart/digits has no row 'digit'"),
        (
            {"recipe": "quickstart/digits", "row": "mean of three", "on": "a"},
            "arms.b: row 'mean of three' of quickstart/digits is of no single training",
        ),
        (
            {"recipe": "quickstart/digits", "row": "signals at the start"},
            "arms.b: row 'signals at the start' of quickstart/digits is of no single training",
        ),
        (
            {"recipe": "quickstart/digits", "row": "centre crop"},
            "trains nothing; say by `on` whose weights",
        ),
        (
            {"recipe": "quickstart/digits", "on": "a"},
            "arms.b.on: quickstart/digits trains by itself; drop `on`, or name another claim's arm: C01/a",
        ),
        ({"recipe": "quickstart/digits", "row": "centre crop", "on": "x"}, "arms.b.on: 'x' is no arm that trains"),
        (
            {"recipe": "quickstart/digits", "row": "centre crop", "on": "a", "set": {"protocol": None}},
            "claim.arms.b.set: an arm on another's weights sets nothing",
        ),
    ],
)
def test_messages_about_an_arm(arm, message):
    with pytest.raises(InputError) as refused:
        parsed(arms={"a": CONTENT["arms"]["a"], "b": arm})
    assert message in str(refused.value)


def test_a_training_is_shared_with_the_claim_that_has_the_same(tmp_path):
    (tmp_path / "C91-first.yaml").write_text(yamlio.dump({"claim": CONTENT}))
    second = tmp_path / "C92-second.yaml"

    def shared(**changes):
        arms = {"a": {**CONTENT["arms"]["a"], "on": "C91/a", **changes}, "b": CONTENT["arms"]["b"]}
        second.write_text(yamlio.dump({"claim": CONTENT | {"arms": arms}}))
        return claims.load(second)

    assert [arm.shared for arm in shared().arms.values()] == [True, False]
    for changes, message in [
        (
            {"set": {"trainer.max_steps": 3}},
            r"arms.a.on: recipe, row, set and tune must be those of C91/a \(.*C91-first",
        ),
        ({"on": "C91/c"}, "arms.a.on: 'c' is no arm of C91 that trains; choose from: a, b"),
        ({"on": "C93/a"}, "no file and no claim 'C93'"),
        ({"on": "b"}, "arms.a.on: quickstart/digits trains by itself; drop `on`, or name another claim's arm: C01/b"),
    ]:
        with pytest.raises(InputError, match=message):
            shared(**changes)


def test_an_arm_of_a_recipe_without_a_default_row_names_its_row(tmp_path):
    file = tmp_path / "own.yaml"
    file.write_text(yamlio.dump({"card": {"rows": {"one": {"claim": "x", "set": SHORT}}}}))
    with pytest.raises(InputError, match=r"claim.arms.b.row: .*own.yaml has no default row; choose from: one"):
        parsed(arms={"a": CONTENT["arms"]["a"], "b": {"recipe": str(file)}})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seed": 3}, "claim.tune.seed: 3 is one of the claim's seeds; tune on a seed of its own"),
        ({"by": "test/error"}, "claim.tune.by should be a figure of validation, val/…, got 'test/error'"),
        ({"by": "val/eror"}, "claim.tune.by: nobody says whether a low or a high val/eror is good"),
    ],
)
def test_messages_about_the_grid(changes, message):
    with pytest.raises(InputError) as refused:
        parsed(tune=GRID | changes)
    assert message in str(refused.value)


def test_an_arm_s_name_must_stand_in_an_expression():
    with pytest.raises(InputError, match=r"claim.arms.plain-20: an arm's name stands in an expression"):
        parsed(arms={"plain-20": CONTENT["arms"]["a"]})


def test_a_claim_is_no_recipe_and_a_recipe_no_claim(tmp_path):
    assert claims.files()
    assert not [name for name in recipes.names() if name.startswith("claims/")]
    file = tmp_path / "C92-a.yaml"
    file.write_text(yamlio.dump({"card": {}, "claim": CONTENT}))
    with pytest.raises(InputError, match=r"a claim's file has the one key 'claim', got card, claim"):
        claims.load(file)


def test_a_claim_is_found_by_id_and_by_file(tmp_path):
    assert claims.find("C00").source == str(claims.files()[0])
    file = tmp_path / "C92-a.yaml"
    file.write_text(yamlio.dump({"claim": CONTENT}))
    assert claims.find(str(file)).id == "C92"
    with pytest.raises(InputError, match=r"no file and no claim 'C0'; did you mean 'C\d+'"):
        claims.find("C0")
    file.rename(tmp_path / "a.yaml")
    with pytest.raises(InputError, match=r"a claim's file has a name as C01-degradation.yaml"):
        claims.find(str(tmp_path / "a.yaml"))


EVERY = claims.every()


def settings(arm):
    """Keys that an arm and its row set, with their values."""
    row = recipes.read_card(arm.recipe).rows.get(claims.row_of(arm))
    return (row.set if row else {}) | arm.set


def test_the_suite_s_claims_have_numbers_of_their_own():
    assert len({claim.id for claim in EVERY}) == len(EVERY)


@pytest.mark.parametrize("claim", EVERY, ids=lambda claim: claim.id)
def test_the_arms_of_a_claim_resolve_and_differ_in_nothing_but_what_they_set(claim):
    trains = [arm for arm in claim.arms.values() if arm.trains]
    found = [recipes.resolve([arm.recipe], arm.row or None, list(arm.set.items())) for arm in trains]
    for arm, experiment in zip(trains, found, strict=True):
        assert not [key for key in experiment.changed if not key.startswith(tuple(arm.set))]
        names.names(experiment)
    for (one, first), (other, second) in itertools.combinations(zip(trains, found, strict=True), 2):
        if one.recipe == other.recipe:
            here, there = settings(one), settings(other)
            apart = [key for key in here.keys() | there.keys() if here.get(key) != there.get(key)]
            differing = compose.differing(first.config, second.config)
            assert not [key for key in differing if not key.startswith((*apart, "stages"))]
            assert differing or claims.row_of(one) != claims.row_of(other)  # rows may end after an earlier stage


@pytest.mark.parametrize(
    "claim", [claim for claim in EVERY if claim.evidence.rounds is None], ids=lambda claim: claim.id
)
def test_looks_at_weights_are_at_runs_of_their_row(claim):
    for arm in claim.arms.values():
        home, _, name = arm.on.rpartition("/")
        if name and not arm.trains:
            trained = (claims.lender(claim, arm) if home else claim).arms[name]
            row = recipes.read_card(arm.recipe).rows[arm.row]
            assert (row.parent[0] or arm.recipe, row.parent[1]) == (trained.recipe, claims.row_of(trained))


def test_what_cannot_be_decided_is_listed_as_data():
    listed = claims.beyond()
    assert [(one.paper, one.where) for one in listed] == [
        ("1512.03385", "Table 6"),
        ("1512.03385", "Table 3"),
        ("1708.02002", "Table 1b"),
        ("1506.01497", "Table 9"),
    ]
    printed = exhibits.papers()
    assert all(one.where in printed[one.paper].exhibits for one in listed)


def test_kinds_of_evidence_are_read():
    counted = parsed(evidence={"successes": {"below": 2}}, margin=0)
    assert counted.evidence.successes.reached(1.9)
    assert not counted.evidence.successes.reached(2.0)
    assert not counted.evidence.successes.reached(None)
    assert counted.evidence.successes.told() == "below 2"
    above = parsed(evidence={"successes": {"above": 90}}, margin=0).evidence.successes
    assert (above.reached(91.0), above.reached(89.0), above.told()) == (True, False, "above 90")


def test_a_claim_that_names_no_kind_is_what_it_was_before_there_were_kinds():
    assert {"evidence", "told"}.isdisjoint(parsed().content)
    assert {"evidence", "told"} <= set(
        parsed(evidence={"successes": {"below": 2}}, margin=0, told=["test/loss"]).content
    )


ROUNDS = {"count": 30, "warmup": 2, "work": "train", "batch": 2, "size": [8, 8]}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"evidence": {"fisher": {}}},
            "C90-a.yaml: claim.evidence has no key 'fisher'; choose from: images, rounds, successes",
        ),
        (
            {"evidence": {"successes": {"below": 2}, "images": {}}},
            "claim.evidence should name one kind, got successes, images; drop all but one",
        ),
        (
            {"evidence": {"successes": {}}, "margin": 0},
            "claim.evidence.successes should say either below or above which figure a run succeeds",
        ),
        (
            {"evidence": {"successes": {"below": 2}}},
            "claim: Fisher's test compares the successes of two arms; write difference: a - b, and margin: 0",
        ),
        (
            {"evidence": {"successes": {"below": 2}}, "margin": 0, "difference": "a / b"},
            "claim: Fisher's test compares the successes of two arms",
        ),
        (
            {"evidence": {"images": {}}},
            "claim.metric: images can be resampled for test/ap, test/ap50, test/map, not for 'test/error'",
        ),
        ({"evidence": {"images": {"samples": 9}}, "metric": "test/ap50"}, "images.samples is 9; draw at least 100"),
        ({"evidence": {"rounds": ROUNDS}}, "claim.metric: rounds measure analysis/…, got 'test/error'"),
        (
            {"evidence": {"rounds": ROUNDS | {"count": 3}}, "metric": "analysis/ms"},
            "claim.evidence.rounds: count is 3, warmup 2 and batch 2; they must be at least 5, 0 and 1",
        ),
        (
            {"evidence": {"rounds": ROUNDS | {"size": [8]}}, "metric": "analysis/ms"},
            "claim.evidence.rounds.size should be height and width, got [8]",
        ),
        (
            {"evidence": {"rounds": ROUNDS | {"work": "test"}}, "metric": "analysis/ms"},
            "claim.evidence.rounds.work should be one of train, detect, got 'test'",
        ),
        ({"told": ["test/eror"]}, "C90-a.yaml: claim.told: nothing logs 'test/eror'; did you mean 'test/error'?"),
    ],
)
def test_messages_about_evidence(changes, message):
    with pytest.raises(InputError) as refused:
        parsed(**changes)
    assert message in str(refused.value)
