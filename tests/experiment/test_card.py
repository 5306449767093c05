import pytest

from lit_vision.errors import InputError
from lit_vision.experiment import card

GOOD = {
    "paper": "1708.02002",
    "metric": "test/ap",
    "split": "minival",
    "rows": {
        "gamma=2": {"default": True, "value": 34, "also": {"test/ap50": 52.5}},
        "scratch": {"claim": "trains without downloads", "stand_in": True, "set": {"model.a.b": None}, "split": "val"},
    },
    "relations": [{"id": "r", "expr": "row('gamma=2') > 1", "paper": 2.9}],
}


def test_row_inherits_metric_and_split_from_the_card():
    parsed = card.parse(GOOD, "f.yaml")
    row = parsed.row("gamma=2")
    assert (row.metric, row.split, row.value, row.tolerance, row.source) == ("test/ap", "minival", 34.0, 0.5, "paper")
    assert parsed.row("scratch").split == "val"
    assert parsed.row("scratch").set == {"model.a.b": None}


def test_unknown_row_names_the_nearest():
    with pytest.raises(InputError, match=r"my/recipe has no row 'gama=2'; did you mean 'gamma=2'\?"):
        card.parse(GOOD, "f.yaml").row("gama=2", "my/recipe")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"rows": {"a": {"valeu": 3}}}, r"f.yaml: card.rows.a has no key 'valeu'; did you mean 'value'\?"),
        ({"metrics": "x"}, r"f.yaml: card has no key 'metrics'; did you mean 'metric'\?"),
        ({"rows": {"a": {"value": "8.75 %"}}}, r"f.yaml: card.rows.a.value should be a float, got '8.75 %'"),
        ({"rows": {"a": {"value": True}}}, r"card.rows.a.value should be a float, got True"),
        ({"rows": [1]}, r"f.yaml: card.rows should be a dict, got \[1\]"),
        ({"rows": {"a": 3}}, r"card.rows.a should be a mapping, got 3"),
        ({"paper": 1512.03385}, r"f.yaml: card.paper should be a str, got 1512.03385"),
        ({"rows": {"a": {}}}, r"card.rows.a needs a value or, where the paper prints none, a claim"),
        ({"rows": {"a": {"value": 1, "tolerance": 0}}}, r"card.rows.a.tolerance must be positive, got 0"),
        ({"relations": [{"id": "x"}]}, r"card.relations\[0\] needs the key 'expr'"),
        ({"relations": [{"id": "x", "expr": "row('q') > 1"}]}, r"card.relations.x: the card has no row 'q'"),
        ("text", r"f.yaml: card should be a mapping, got 'text'"),
    ],
)
def test_bad_cards_are_told_with_file_and_key(content, message):
    with pytest.raises(InputError, match=message):
        card.parse(content, "f.yaml")


CURVES = {"class_path": "lit_vision.analyses.curves.Curves"}


def test_an_analysis_stands_on_weights_on_members_or_on_nothing():
    rows = {
        "a": {"claim": "c", "default": True},
        "weights": {"claim": "c", "weights_of": "a", "analysis": CURVES},
        "members": {"claim": "c", "members": [{"row": "a"}], "analysis": CURVES},
        "alone": {"claim": "c", "analysis": CURVES},
        "other": {"claim": "c", "set": {"model.a": 1}},
    }
    parsed = card.parse({"rows": rows}, "f.yaml")
    assert [name for name, row in parsed.rows.items() if row.trains] == ["a", "other"]


def test_a_training_may_start_from_another_s_weights():
    rows = {"a": {"claim": "c", "default": True}, "b": {"claim": "c", "starts_from": "resnet/coco: a, b"}}
    parsed = card.parse({"rows": rows}, "f.yaml")
    assert (parsed.rows["b"].origin, parsed.rows["b"].trains) == (("resnet/coco", "a, b"), True)
    assert parsed.rows["a"].origin == ("", "")
    told = r"^f.yaml: card.rows.b trains nothing that could start from 'a'; leave out starts_from$"
    with pytest.raises(InputError, match=told):
        card.parse({"rows": rows | {"b": {"claim": "c", "starts_from": "a", "weights_of": "a"}}}, "f.yaml")


def test_what_is_quoted_is_not_analysed():
    with pytest.raises(InputError, match=r"^f.yaml: card.rows.a is quoted and never runs; leave out analysis$"):
        card.parse({"rows": {"a": {"value": 1, "quoted": "others'", "analysis": CURVES}}}, "f.yaml")


def test_relation_ids_are_unique():
    twice = {"rows": {"a": {"value": 1, "default": True}}, "relations": [{"id": "x", "expr": "row('a') > 1"}] * 2}
    with pytest.raises(InputError, match="has the id 'x' twice"):
        card.parse(twice, "f.yaml")
