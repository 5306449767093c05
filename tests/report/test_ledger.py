"""Values of the ledger, from hand-made run folders."""

import json
import shutil

import pytest

from lit_vision.errors import InputError
from lit_vision.experiment import marks as row_marks
from lit_vision.experiment import recipes
from lit_vision.report import collect, markdown
from lit_vision.report.ledger import paper_tables
from lit_vision.report.ledger.ledger import build
from lit_vision.runs import scores
from tests.report.factory import write

SHORT = {"trainer.max_steps": 100}


def ledger(tmp_path):
    return build(collect.find([tmp_path]))


def entry(found, row="resnet-20", changed=None, recipe="resnet/cifar10"):
    (only,) = [
        entry
        for table in found.tables
        for entry in table.entries
        if (entry.recipe, entry.row, entry.changed) == (recipe, row, changed or {})
    ]
    return only


def test_mean_spread_difference_and_verdict_over_seeds(tmp_path):
    for seed, error in ((1, 8.6), (2, 9.0), (3, 9.1)):
        write(tmp_path / f"r{seed}", seed=seed, figures={"test/error": error})
    found = entry(ledger(tmp_path))
    assert found.values == {1: 8.6, 2: 9.0, 3: 9.1}
    assert found.mean == pytest.approx(8.9)
    assert found.spread == pytest.approx((0.07) ** 0.5)  # deviations -0.3, 0.1, 0.2: squares 0.14 / 2
    assert found.difference == pytest.approx(0.15)
    assert (found.expected, found.tolerance, found.verdict) == (8.75, 0.5, "reproduced")
    assert (found.evidence, found.stand_in, found.notes) == (
        ", ".join(row_marks.of(row_marks.evidence(), "resnet/cifar10", "resnet-20")),
        False,
        (),
    )
    assert (found.cost.hours, found.cost.devices, found.cost.hardware) == (1.0, (1,), ("H100",))
    assert found.cost.images == 8_192_000


@pytest.mark.parametrize(
    ("errors", "verdict"),
    [([9.9], "missed (worse)"), ([7.0], "missed (better)"), ([8.6, 9.6, 10.2], "within noise"), ([], "not run")],
)
def test_verdicts_of_rows(tmp_path, errors, verdict):
    write(tmp_path / "other", row="resnet-32", figures={"test/error": 7.51})
    for seed, error in enumerate(errors):
        write(tmp_path / f"r{seed}", seed=seed, figures={"test/error": error})
    assert entry(ledger(tmp_path)).verdict == verdict


def test_a_table_with_a_run_shows_all_its_rows_in_the_recipe_s_order(tmp_path):
    write(tmp_path / "r", row="resnet-56", figures={"test/error": 6.97})
    (table,) = [table for table in ledger(tmp_path).tables if table.ran]
    rows = [name for name, row in recipes.read_card("resnet/cifar10").rows.items() if "Table 6" in row.place]
    assert (table.paper, table.heading, table.stand_in) == ("1512.03385", "Table 6", False)
    assert [entry.row for entry in table.entries] == rows
    told = {entry.row: str(entry.verdict) for entry in table.entries}
    assert (told.pop("resnet-56"), told["Maxout"], told["resnet-20"]) == ("reproduced", "quoted", "not run")
    assert set(told.values()) == {"quoted", "not run"}
    assert [entry.row for entry in table.entries][:2] == ["Maxout", "NIN"]  # in the paper's order


def test_rows_of_two_recipes_share_the_paper_s_table(tmp_path):
    write(tmp_path / "r", recipe="retinanet/r50_fpn_coco", row="scale 400", figures={"test/ap": 30.4}, split="test-dev")
    (table,) = [table for table in ledger(tmp_path).tables if table.ran]
    assert table.heading == "Table 1e"
    assert {entry.recipe for entry in table.entries} == {"retinanet/r50_fpn_coco", "retinanet/r101_fpn_coco"}
    found = entry(ledger(tmp_path), "scale 400", recipe="retinanet/r50_fpn_coco")
    assert (found.row, str(found.verdict), found.mean) == ("scale 400", "needs the server", 30.4)


def test_further_figures_of_a_line(tmp_path):
    figures = {"test/ap": 36.2, "test/ap50": 54.4}
    write(tmp_path / "r", recipe="retinanet/r101_fpn_coco", row="minival", figures=figures, split="minival")
    found = entry(ledger(tmp_path), "minival", recipe="retinanet/r101_fpn_coco")
    assert [(figure.metric, figure.expected, figure.mean) for figure in found.also] == [
        ("test/ap50", 54.9, 54.4),
        ("test/ap75", 38.7, None),
    ]
    assert found.also[0].difference == pytest.approx(-0.5)


def test_stand_ins_never_share_a_table_with_full_scale(tmp_path):
    write(tmp_path / "full", figures={"test/error": 8.8})
    write(tmp_path / "short", changed=SHORT, figures={"test/error": 60.0})
    write(tmp_path / "shorter", changed={"trainer.max_steps": 50}, figures={"test/error": 70.0})
    write(tmp_path / "other", changed={"data.batch_size": 64}, figures={"test/error": 9.0})
    tables = [table for table in ledger(tmp_path).tables if table.ran]
    assert [(table.stand_in, table.keys) for table in tables] == [
        (False, ()),
        (True, ("data.batch_size",)),
        (True, ("trainer.max_steps",)),
    ]
    assert [entry.mean for entry in tables[2].entries] == [70.0, 60.0]  # fewest changes, then smaller numbers first
    assert (tables[2].varying, tables[1].common) == (("trainer.max_steps",), {"data.batch_size": 64})
    for table in tables:
        assert {entry.stand_in for entry in table.entries} == {table.stand_in}
    assert {str(entry.verdict) for table in tables[1:] for entry in table.entries} == {"stand-in"}
    assert entry(ledger(tmp_path)).values == {1: 8.8}


def test_a_row_that_is_itself_a_stand_in(tmp_path):
    write(tmp_path / "r", recipe="quickstart/overfit_coco", row="retinanet", figures={"test/ap50": 99.0}, stand_in=True)
    (table,) = [table for table in ledger(tmp_path).tables if table.ran]
    assert (table.stand_in, table.keys, table.paper) == (True, (), "")
    assert str(table.entries[0].verdict) == "stand-in"


def test_the_newest_run_of_a_seed_counts_and_that_is_said(tmp_path):
    write(tmp_path / "b-old", time=100.0, figures={"test/error": 12.0})
    write(tmp_path / "a-new", time=200.0, figures={"test/error": 8.5})
    write(tmp_path / "second", seed=2, time=50.0, figures={"test/error": 8.7})
    found = entry(ledger(tmp_path))
    assert found.values == {1: 8.5, 2: 8.7}
    assert found.notes == ("seed 1 ran 2 times: the newest counts",)
    assert [run.path.name for run in found.runs] == ["second", "b-old", "a-new"]
    assert [run.path.name for run in found.counted] == ["a-new", "second"]


def test_without_logged_times_the_folder_s_name_tells_the_age(tmp_path):
    for name, error in (("20260102-000000-aaaa", 8.5), ("20260101-000000-ffff", 12.0)):
        (write(tmp_path / name, figures={"test/error": error}) / "metrics.jsonl").unlink()
    assert entry(ledger(tmp_path)).values == {1: 8.5}


def test_what_a_mean_would_hide_is_noted(tmp_path):
    write(tmp_path / "a", seed=1)
    write(tmp_path / "b", seed=2, data={"name": "CIFAR10", "fingerprint": "beef"}, split="val")
    write(tmp_path / "c", seed=3, figures={"train/error": 1.0})
    card = {"rows": {"resnet-20": {"value": 8.0, "default": True}}}
    write(tmp_path / "d", seed=4, card=card, time=9.0)
    assert entry(ledger(tmp_path)).notes == (
        f"no test/error in {tmp_path / 'c' / 'result.json'}: it does not count",
        "its runs have different test splits: test, val",
        "its runs have different data fingerprints: f00d, beef",
        "the recipe's row was edited after its newest run",
    )
    assert entry(ledger(tmp_path)).values == {1: 8.75, 2: 8.75, 4: 8.75}


def test_a_user_s_own_recipe_is_judged_by_its_own_card_in_a_table_of_its_own(tmp_path):
    card = {
        "paper": "1512.03385",
        "title": "Mine",
        "rows": {"big": {"where": "Table 6, x", "value": 5.0, "default": True}},
    }
    write(tmp_path / "r", recipe="mine", row="big", card=card, figures={"test/error": 5.2})
    write(tmp_path / "full")
    mine, official = sorted((table for table in ledger(tmp_path).tables if table.ran), key=lambda t: len(t.entries))
    assert (mine.heading, official.heading) == ("mine: Mine", "Table 6")
    (found,) = mine.entries
    assert (found.expected, found.mean, str(found.verdict), found.evidence) == (5.0, 5.2, "reproduced", "")
    assert (found.known, found.notes) == (False, ("its recipe is none of this suite: judged by its own card",))


def test_a_row_that_the_recipe_has_lost_is_shown(tmp_path):
    write(tmp_path / "r", row="resnet-21")
    found = entry(ledger(tmp_path), "resnet-21")
    assert (found.expected, found.known) == (8.75, False)
    assert found.notes == ("the recipe has no such row any more: judged by the run's own card",)


def test_relations_are_judged_within_one_scale(tmp_path):
    write(tmp_path / "a", row="resnet-20", figures={"test/error": 8.8})
    write(tmp_path / "b", row="resnet-32", figures={"test/error": 7.5})
    write(tmp_path / "c", row="resnet-32", changed=SHORT, figures={"test/error": 50.0})
    judged = [relation for relation in ledger(tmp_path).relations if relation.id == "depth-helps-20-32"]
    full, short = judged
    assert (full.verdict, full.figures, full.expected) == ("holds (1 seed)", {"resnet-20": 8.8, "resnet-32": 7.5}, 1.24)
    assert full.value == pytest.approx(1.3)
    assert (short.verdict, short.stand_in, short.changed) == ("not run", True, SHORT)
    write(tmp_path / "d", row="resnet-20", changed=SHORT, figures={"test/error": 40.0})
    judged = [relation for relation in ledger(tmp_path).relations if relation.id == "depth-helps-20-32"]
    assert [relation.verdict for relation in judged] == ["holds (1 seed)", "does not hold (1 seed, stand-in)"]


def test_relations_with_a_metric_of_their_own(tmp_path):
    for row, error in (("plain-20", 2.0), ("plain-56", 5.0)):
        write(tmp_path / row, row=row, figures={"test/error": 9.0, "train/error": error})
    relation = next(r for r in ledger(tmp_path).relations if r.id == "plain-56-trains-worse")
    assert relation.verdict == "holds (1 seed)"
    assert relation.figures == {"plain-56, train/error": 5.0, "plain-20, train/error": 2.0}


def test_unfinished_runs_tell_their_last_step(tmp_path):
    write(tmp_path / "r", finished=False, curve=[(10, {"train/loss": 2.0}), (30, {"train/loss": 1.0})], time=77.0)
    with (tmp_path / "r" / "metrics.jsonl").open("a") as file:
        file.write('{"step": 40, "ti')  # torn by a kill
    found = ledger(tmp_path)
    assert [(item.activity.step, item.activity.time) for item in found.unfinished] == [(30, 77.0)]
    assert not any(table.ran for table in found.tables)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda content: content.pop("figures"), "figures is missing"),
        (lambda content: content.update(changed=["x"]), "changed should be a mapping, got ['x']"),
    ],
)
def test_a_result_that_is_none_is_named(tmp_path, spoil, message):
    file = write(tmp_path / "r") / "result.json"
    content = json.loads(file.read_text())
    spoil(content)
    file.write_text(json.dumps(content))
    with pytest.raises(InputError) as caught:
        ledger(tmp_path)
    assert str(file) in str(caught.value)
    assert message in str(caught.value)


def test_figures_that_are_no_numbers_do_not_count(tmp_path):
    write(tmp_path / "a", seed=1, figures={"test/error": float("nan")})
    write(tmp_path / "b", seed=2, figures={"test/error": 8.0})
    assert entry(ledger(tmp_path)).values == {2: 8.0}


def test_two_hundred_runs(tmp_path):
    first = write(tmp_path / "r0")
    for index in range(1, 200):
        shutil.copytree(first, tmp_path / f"r{index}")
    assert sum(len(entry.runs) for table in ledger(tmp_path).tables for entry in table.entries) == 200


def test_runs_of_other_configurations_that_share_a_name_are_not_averaged(tmp_path):
    """Two files `mine.yaml`, and a recipe that was edited between two runs."""
    for recipe, row in (("mine", None), ("resnet/cifar10", "resnet-20")):
        for seed, rate, error in ((1, 0.1, 8.0), (2, 0.1, 9.0), (1, 0.5, 60.0)):
            config = {
                "seed_everything": seed,
                "model": {"lr": rate},
                "trainer": {"devices": seed},
                "data": {"seed": seed},
            }
            folder = tmp_path / recipe / f"{seed}-{rate}"
            write(folder, recipe=recipe, row=row, seed=seed, config=config, figures={"test/error": error}, time=rate)
    found = [entry for table in ledger(tmp_path).tables for entry in table.entries if entry.runs]
    assert [(entry.recipe, entry.mean) for entry in found] == [
        ("resnet/cifar10", 8.5),
        ("resnet/cifar10", 60.0),
        ("mine", 8.5),
        ("mine", 60.0),
    ]
    told = "runs of this name had 2 configurations, which are not averaged: model.lr differ"
    assert all(told in entry.notes for entry in found)


def test_an_own_bound_is_called_one(tmp_path):
    write(tmp_path / "a", recipe="quickstart/digits", row="digits", expected=1.5)
    text = markdown.render(paper_tables.document(ledger(tmp_path)))
    assert "| own bound |" in text
    assert "paper |" not in text


def test_the_spread_is_explained_where_there_is_one(tmp_path):
    write(tmp_path / "a", seed=1)
    assert "±" not in markdown.render(paper_tables.document(ledger(tmp_path)))
    write(tmp_path / "b", seed=2)
    assert "± is the standard deviation over the seeds (n - 1)." in markdown.render(
        paper_tables.document(ledger(tmp_path))
    )


def test_a_later_test_never_replaces_the_training_s_own_figure(tmp_path):
    write(tmp_path / "training", time=100.0, figures={"test/error": 8.6})
    trained = {"recipe": "resnet/cifar10", "row": "resnet-20", "run": "training", "seed": 1}
    write(tmp_path / "test", time=200.0, figures={"test/error": 89.97}, trained=trained)
    found = entry(ledger(tmp_path))
    assert (found.values, str(found.verdict)) == ({1: 8.6}, "reproduced")
    assert found.notes == ("seed 1 ran 2 times: the training's own test counts",)


def test_a_figure_of_another_split_has_no_difference(tmp_path):
    write(
        tmp_path / "r",
        recipe="retinanet/r50_fpn_coco",
        row="scale 400",
        figures={"test/ap": 30.4, "test/ap50": 47.0},
        split="minival",
        changed={"data.test": None},
    )
    found = entry(ledger(tmp_path), "scale 400", {"data.test": None}, "retinanet/r50_fpn_coco")
    assert (str(found.verdict), found.difference, found.also[0].difference) == ("other split", None, None)
    assert str(found.also[0].verdict) == "other split"


def test_the_server_s_figures_are_judged(tmp_path):
    folder = write(tmp_path / "r", recipe="retinanet/r50_fpn_coco", row="scale 400", figures={}, split="test-dev")
    found = entry(ledger(tmp_path), "scale 400", recipe="retinanet/r50_fpn_coco")
    assert (found.mean, found.difference, str(found.verdict)) == (None, None, "needs the server")
    scores.add(folder, "test-dev", scores.Score({"test/ap": 30.9, "test/ap50": 45.0}, "2026-11-30"))
    found = entry(ledger(tmp_path), "scale 400", recipe="retinanet/r50_fpn_coco")
    assert (found.mean, str(found.verdict)) == (30.9, "reproduced")
    assert (found.also[0].mean, str(found.also[0].verdict)) == (45.0, "missed (worse)")
    assert str(found.also[1].verdict) == "not run"


def test_a_line_of_several_tables_stands_in_each_and_counts_once(tmp_path):
    write(tmp_path / "r", recipe="resnet/cifar10", row="plain-56", figures={"test/error": 40.0})
    book = ledger(tmp_path)
    ran = [table for table in book.tables if table.ran]
    assert [table.heading for table in ran] == ["Figure 1", "Figure 6"]
    assert [entry.row for table in ran for entry in table.entries if entry.runs] == ["plain-56", "plain-56"]
    assert sum(len(entry.runs) for entry in book.entries) == 1


def test_a_sweep_s_trial_that_counts_for_a_seed_is_said(tmp_path):
    write(tmp_path / "own", time=100.0, figures={"test/error": 8.6})
    write(tmp_path / "trial", time=200.0, figures={"test/error": 8.9}, sweep={"name": "rates", "trial": 3})
    assert entry(ledger(tmp_path)).notes == (
        "seed 1 ran 2 times: the newest counts",
        "seed 1: the run that counts is a sweep's trial",
    )


def test_what_the_paper_prints_of_several_runs_is_noted(tmp_path):
    write(tmp_path / "r", row="resnet-110", figures={"test/error": 6.7})
    told = "the paper's best 6.43, mean 6.61, standard deviation 0.16 of 5 runs"
    assert entry(ledger(tmp_path), "resnet-110").notes == (told,)


def test_only_the_paper_s_own_figures_stand_under_its_name(tmp_path):
    figures = {"test/error": 23.9}
    write(tmp_path / "r", recipe="verify/imagenet", row="resnet-50", figures=figures, split="val")
    write(tmp_path / "s", figures={"test/error": 8.6})
    page = paper_tables.document(build(collect.find([tmp_path])))
    heads = [grid.head for section in page.sections for grid in section.grids if "verdict" in grid.head]
    assert [("paper" in head, "expected" in head) for head in heads] == [(True, False), (False, True)]
