"""Relations judged from the `result.json` files of finished runs, also of another recipe."""

import json

import pytest

from lit_vision.errors import InputError
from lit_vision.experiment import card as cards
from lit_vision.runs import results

OURS, THEIRS = "a/deep", "b/shallow"
CARD = {
    "paper": "1512.03385",
    "rows": {
        "deep": {"value": 6.0, "default": True},
        "deeper": {"value": 5.0, "metric": "test/error5", "set": {"model.network.depth": 56}},
    },
    "relations": [
        {"id": "deeper-is-better", "expr": f"row('deep') < row('shallow', recipe='{THEIRS}')"},
        {"id": "by-their-loss", "expr": f"row('deep') > row('shallow', metric='test/loss', recipe='{THEIRS}')"},
        {"id": "own-metric", "expr": "row('deeper') < row('deep')"},
    ],
}


@pytest.fixture
def run(tmp_path):
    """Writes the result of a finished run; `name` is its folder, which tells its age."""

    def write(
        recipe, row, name="20260101-000000-aaaa", seed=1, changed=None, stand_in=None, metric="test/error", **figs
    ):
        folder = tmp_path / recipe / row / name
        folder.mkdir(parents=True)
        content = {
            "recipe": recipe,
            "row": row,
            "seed": seed,
            "metric": metric,
            "figures": {key.replace("_", "/"): value for key, value in figs.items()},
            "changed": changed or {},
            "stand_in": bool(changed) if stand_in is None else stand_in,
        }
        (folder / "result.json").write_text(json.dumps(content))

    return write


def judge(tmp_path, changed=None):
    return results.judge_relations(cards.parse(CARD, "deep.yaml"), OURS, changed or {}, tmp_path)


def test_rows_of_another_recipe_decide_by_their_own_metric(run, tmp_path):
    run(OURS, "deep", test_error=6.1)
    assert judge(tmp_path)["deeper-is-better"] == "not run"
    run(THEIRS, "shallow", metric="test/ap", test_ap=8.0, test_error=1.0, test_loss=0.3)
    assert judge(tmp_path) == {
        "deeper-is-better": "holds (1 seed)",  # 6.1 < 8, the figure that their card is about
        "by-their-loss": "holds (1 seed)",  # 6.1 > 0.3
        "own-metric": "not run",
    }


def test_a_row_of_the_same_name_in_the_own_recipe_does_not_stand_in_for_the_other(run, tmp_path):
    run(OURS, "deep", test_error=6.1)
    run(OURS, "shallow", test_error=9.0)
    assert judge(tmp_path)["deeper-is-better"] == "not run"


def test_what_does_not_hold_is_said(run, tmp_path):
    run(OURS, "deep", test_error=9.0)
    run(THEIRS, "shallow", test_error=8.0, test_loss=10.0)
    assert judge(tmp_path)["deeper-is-better"] == "does not hold (1 seed)"
    assert judge(tmp_path)["by-their-loss"] == "does not hold (1 seed)"


def test_a_figure_is_the_mean_over_seeds_and_of_each_seed_the_newest(run, tmp_path):
    run(OURS, "deep", test_error=7.5)
    run(THEIRS, "shallow", "20260101-000000-aaaa", seed=1, test_error=20.0)  # done again below
    run(THEIRS, "shallow", "20260102-000000-aaaa", seed=1, test_error=7.0)
    run(THEIRS, "shallow", "20260103-000000-aaaa", seed=2, test_error=8.2)
    assert judge(tmp_path)["deeper-is-better"] == "holds (1 seed)"  # 7.5 < 7.6
    run(THEIRS, "shallow", "20260104-000000-aaaa", seed=3, test_error=7.0)
    assert judge(tmp_path)["deeper-is-better"] == "does not hold (1 seed)"  # 7.5 > 7.4


def test_runs_that_changed_other_things_never_meet(run, tmp_path):
    short = {"trainer.max_steps": 20}
    run(OURS, "deep", test_error=6.0, changed=short)
    run(THEIRS, "shallow", test_error=8.0)
    assert judge(tmp_path)["deeper-is-better"] == "not run"
    assert judge(tmp_path, short)["deeper-is-better"] == "not run"
    run(THEIRS, "shallow", "20260102-000000-aaaa", test_error=8.0, changed=short)
    assert judge(tmp_path, short)["deeper-is-better"] == "holds (1 seed, stand-in)"


def test_a_stand_in_row_makes_the_relation_one(run, tmp_path):
    run(OURS, "deep", test_error=6.0)
    run(THEIRS, "shallow", test_error=8.0, stand_in=True)
    assert judge(tmp_path)["deeper-is-better"] == "holds (1 seed, stand-in)"


def test_rows_of_the_card_are_read_by_their_own_metric(run, tmp_path):
    run(OURS, "deep", test_error=6.0, test_error5=0.1)
    run(OURS, "deeper", metric="test/error5", test_error=7.0, test_error5=1.0)
    assert judge(tmp_path)["own-metric"] == "holds (1 seed)"


def test_a_half_copied_result_decides_nothing(run, tmp_path):
    run(OURS, "deep", test_error=6.0)
    run(THEIRS, "shallow", test_error=8.0)
    file = next((tmp_path / THEIRS).rglob("result.json"))
    file.write_text(file.read_text()[:20])
    assert judge(tmp_path)["deeper-is-better"] == "not run"


def test_three_seeds_on_both_sides_decide_by_their_interval(run, tmp_path):
    for seed, (ours, theirs) in enumerate([(6.0, 6.4), (6.1, 6.4), (6.6, 6.6)]):
        run(OURS, "deep", f"2026010{seed + 1}-000000-aaaa", seed=seed, test_error=ours)
        run(THEIRS, "shallow", f"2026010{seed + 1}-000000-aaaa", seed=seed, test_error=theirs)
    # differences -0.4, -0.3, 0.0: mean -0.2333, half 0.5171
    assert judge(tmp_path)["deeper-is-better"] == "undecided"


def test_a_later_test_of_the_same_weights_never_replaces_the_training_s_own(run, tmp_path):
    run(OURS, "deep", "20260101-000000-aaaa", test_error=6.1)
    run(OURS, "deep", "20260102-000000-aaaa", test_error=89.9)
    file = tmp_path / OURS / "deep" / "20260102-000000-aaaa" / "result.json"
    content = json.loads(file.read_text())
    file.write_text(json.dumps(content | {"trained": {"recipe": OURS, "row": "deep", "run": "runs/x", "seed": 1}}))
    run(THEIRS, "shallow", test_error=8.0)
    assert judge(tmp_path)["deeper-is-better"] == "holds (1 seed)"  # 6.1, not 89.9


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("figures", [1.0], "figures should be a dict, got [1.0]"),
        ("figures", {"test/error": "low"}, "figures.test/error should be a float, got 'low'"),
        ("seed", "one", "seed should be a int, got 'one'"),
        ("trained", {"steps": "many"}, "trained.steps should be a int, got 'many'"),
        ("changed", None, "changed should be a dict, got None"),
        ("hardware", 3, "hardware should be a dict, got 3"),
    ],
)
def test_a_wrongly_typed_field_is_named_with_its_file(run, tmp_path, field, value, message):
    run(OURS, "deep", test_error=6.0)
    file = next(tmp_path.rglob("result.json"))
    file.write_text(json.dumps(json.loads(file.read_text()) | {field: value}))
    with pytest.raises(InputError) as caught:
        results.read(file)
    assert str(caught.value).startswith(f"{file}: {message};")


def test_what_is_written_is_read_again(tmp_path):
    trained = results.Trained("a", "b", "runs/x", "d", 1, 400, {"trainer.max_steps": 400}, "f00d")
    printed = cards.Printed(5, best=6.43, mean=6.61, sd=0.16)
    written = results.Result(
        "a", "b", "test/error", {"test/error": None}, {"k": 1}, True, None, trained=trained, printed=printed
    )
    results.write(tmp_path / "result.json", written)
    assert results.read(tmp_path / "result.json") == written
