"""Two runs or two groups side by side: values from hand-made run folders, and what a user reads."""

import json

import pytest

from lit_vision.cli import main
from lit_vision.report import collect
from lit_vision.report.comparison import comparison_page
from lit_vision.report.comparison.compare import compare, read
from tests.report.factory import nested, write

CURVE = [(10, {"train/loss": 2.0, "lr": 0.1}), (20, {"train/loss": 1.5, "lr": 0.1}), (30, {"train/loss": 1.0})]
OTHER = [(10, {"train/loss": 2.0, "lr": 0.1}), (20, {"train/loss": 1.4, "lr": 0.1}), (40, {"train/loss": 0.5})]


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def two(here):
    return compare(*read(here / "a", here / "b"))


def first(here):
    return comparison_page.first(two(here))


def config(**leaves):
    return nested({"seed_everything": 1, "trainer.max_steps": 100} | leaves)


DATA = {"data": {"name": "CIFAR10", "fingerprint": "beef"}}
PACKAGES = {"packages": {"torch": "2.15", "numpy": "2.4.6"}}
CHANGED = {"config": config(**{"model.optimizer.lr": 0.2, "trainer.devices": 2})}
SEED = {"seed": 2, "config": config(seed_everything=2)}
MACHINE = {"config": config(**{"trainer.devices": 2})}


@pytest.mark.parametrize(
    ("differing", "sentence"),
    [
        (DATA | {"code": "x"} | PACKAGES, "What differs first is the data: fingerprint f00d against beef."),
        (
            PACKAGES | {"code": "0.2"} | CHANGED,
            "What differs first is the code (no difference in data): version 0.1.0+aaaaaaaaaaaa against 0.2.",
        ),
        (
            PACKAGES | CHANGED,
            "What differs first is the packages (no difference in data, code): torch 2.14.1 against 2.15.",
        ),
        (
            CHANGED | {"seed": 2},
            "What differs first is the configuration (no difference in data, code, packages): "
            "model.optimizer.lr (not set) against 0.2.",
        ),
        (
            SEED,
            "What differs first is the seed (no difference in data, code, packages, configuration): "
            "seed_everything 1 against 2.",
        ),
        (
            MACHINE,
            "What differs first is the machine (no difference in data, code, packages, configuration, seed): "
            "trainer.devices null against 2.",
        ),
        (
            {},
            "Nothing that was recorded differs: data, code, packages, configuration, seed, machine are the same. "
            "train/loss is the same at all 1 common steps.",
        ),
    ],
)
def test_what_differs_first(here, differing, sentence):
    base = config(**{"trainer.devices": None})
    write(here / "a", curve=[(10, {"train/loss": 2.0})], config=base)
    write(here / "b", curve=[(10, {"train/loss": 2.0})], **{"config": base} | differing)
    assert first(here).startswith(sentence)


def test_the_first_step_at_which_the_training_loss_differs(here):
    write(here / "a", curve=CURVE)
    write(here / "b", curve=OTHER)
    assert first(here).endswith("train/loss differs at step 20 (1.5 against 1.4), equal up to step 10.")
    loss, rate = two(here).curves
    assert (loss.name, loss.differs_at, loss.equal_until, loss.last) == ("train/loss", 20, 10, ((30, 1.0), (40, 0.5)))
    assert loss.points == ((10, 2.0, 2.0), (20, 1.5, 1.4))
    assert (rate.name, rate.differs_at, rate.equal_until) == ("lr", None, 20)


def test_a_loss_that_becomes_no_number_on_both_sides_is_equal(here):
    lines = [(10, {"train/loss": 2.0}), (20, {"train/loss": float("nan")})]
    write(here / "a", curve=lines)
    write(here / "b", curve=lines)
    assert two(here).curves[0].differs_at is None


def classified(image, truth, predicted, score=0.9):
    return {"image": image, "name": f"{image}.png", "truth": truth, "predicted": predicted, "score": score}


def test_images_of_classification(here):
    a = [classified(i, 1, 1) for i in range(7)] + [classified(7, 1, 0), classified(8, 1, 2)]
    b = [classified(0, 1, 1), *(classified(i, 1, 3, i / 10) for i in range(1, 7)), classified(7, 1, 1)]
    write(here / "a", per_image=a)
    write(here / "b", per_image=[*b, classified(8, 1, 2)])
    found = two(here).images
    assert (found.task, found.images, found.both_right, found.both_wrong) == ("classification", 9, 1, 1)
    assert [line["image"] for line in found.only_a] == [6, 5, 4, 3, 2, 1]  # where B is surest of its mistake first
    assert [line["image"] for line in found.only_b] == [7]
    assert found.p == pytest.approx(2 * (1 + 7) / 2**7)  # exact McNemar, 6 against 1


def test_images_are_paired_by_name_where_each_has_its_own(here):
    """An image less in B's folder moves the positions of all behind it."""
    named = [(name, predicted) for name, predicted in zip("abcd", (1, 1, 0, 0), strict=True)]
    a = [classified(i, 1, predicted) | {"name": name} for i, (name, predicted) in enumerate(named)]
    b = [classified(i, 1, predicted) | {"name": name} for i, (name, predicted) in enumerate(named[1:])]
    write(here / "a", per_image=a)
    write(here / "b", per_image=b)
    found = two(here).images
    assert (found.images, found.both_right, found.both_wrong) == (3, 1, 2)
    assert (found.only_a, found.only_b) == ((), ())


def test_images_without_names_of_their_own_are_paired_by_number(here):
    lines = [classified(i, 1, predicted) | {"name": "x.png"} for i, predicted in enumerate((1, 0, 1))]
    write(here / "a", per_image=lines)
    write(here / "b", per_image=lines[::-1])
    assert (two(here).images.images, two(here).images.both_right) == (3, 2)


def detected(image, f1, objects=4):
    return {"image": image, "name": str(image), "objects": objects, "right": 2, "wrong": 1, "missed": 2, "f1": f1}


def test_images_of_detection(here):
    scores = [(0.5, 0.7), (0.5, 0.9), (0.8, 0.6), (1.0, 1.0), (None, 0.5)]
    write(here / "a", per_image=[detected(i, one) for i, (one, _) in enumerate(scores)])
    write(here / "b", per_image=[detected(i, other) for i, (_, other) in enumerate(scores)])
    found = two(here).images
    assert ([line["image"] for line in found.only_a], [line["image"] for line in found.only_b]) == ([2], [1, 0])
    assert (found.both_right, found.p) == (1, 1.0)  # sign test of 1 against 2
    assert found.difference.value == pytest.approx((0.2 + 0.4 - 0.2 + 0.0) / 4)
    assert found.difference.low < 0.1 < found.difference.high


@pytest.mark.parametrize(
    ("theirs", "remark"),
    [
        ((), "Image by image: no per_image.jsonl in b."),
        ([classified(9, 1, 1)], "Image by image: the two were tested on different images."),
        (
            [classified(0, 2, 1)],
            "Image by image: the same ids have different ground truth, so these are different images.",
        ),
    ],
)
def test_images_that_cannot_be_compared(here, theirs, remark, capsys):
    write(here / "a", per_image=[classified(0, 1, 1)])
    write(here / "b", per_image=theirs)
    assert main(["compare", "a", "b"]) == 0
    assert remark in capsys.readouterr().out
    assert two(here).images is None


def test_classes_by_how_much_they_differ(here):
    def told(cat, dog):
        return {"per_class": [{"class": "cat", "count": 5, "error": cat}, {"class": "dog", "count": 9, "error": dog}]}

    write(here / "a", diagnosis=told(10.0, 20.0))
    write(here / "b", diagnosis=told(11.0, 15.0))
    found = [(item.name, item.metric, item.count, item.difference) for item in two(here).classes]
    assert found == [("dog", "error", 9, -5.0), ("cat", "error", 5, 1.0)]


def test_classes_without_a_diagnosis_come_from_the_figures(here):
    write(here / "a", figures={"test/ap": 30.0, "test/ap/cat": 40.0, "test/ap/dog": None})
    write(here / "b", figures={"test/ap": 31.0, "test/ap/cat": 42.0, "test/ap/dog": None})
    assert [(item.name, item.difference) for item in two(here).classes] == [("cat", 2.0)]


def test_seeds_of_two_rows_are_paired(here):
    for seed, (plain, residual) in enumerate([(10.0, 9.0), (12.0, 10.0), (14.0, 11.0)], 1):
        write(here / "a" / str(seed), row="plain-20", seed=seed, figures={"test/error": plain})
        write(here / "b" / str(seed), row="resnet-20", seed=seed, figures={"test/error": residual})
    write(here / "b" / "9", row="resnet-20", seed=9, figures={"test/error": 8.0})
    found = two(here)
    assert [(a.path.name, b.path.name) for a, b in found.pairs] == [("1", "1"), ("2", "2"), ("3", "3")]
    (figure,) = found.figures
    assert (figure.a, figure.b) == ((10.0, 12.0, 14.0), (9.0, 10.0, 11.0, 8.0))
    # differences -1, -2, -3: mean -2, s / sqrt(3) = 0.57735, t(0.975, 2) = 4.30265
    assert (figure.estimate.method, figure.estimate.value) == ("paired t", -2.0)
    assert figure.estimate.low == pytest.approx(-2 - 2.48414, abs=1e-4)
    assert found.remarks[0] == (
        "3 pairs of equal seed and settings: paired differences, Student's t; "
        "1 run(s) without a counterpart count in the means only."
    )
    assert [(item.key, item.a, item.b) for item in found.differences[:1]] == [("row", ("plain-20",), ("resnet-20",))]


def test_sweeps_are_paired_by_the_parameters_that_they_share(here):
    for trial, rate in enumerate((0.1, 0.2)):
        for name, flip in (("a", True), ("b", False)):
            changed = {"model.optimizer.lr": rate, "data.pipeline.flip": flip}
            error = 10 + trial + (0 if flip else 3)
            sweep = {"name": name, "trial": 1 - trial if flip else trial, "parameters": changed}
            write(here / name / str(trial), changed=changed, sweep=sweep, figures={"test/error": error})
    found = two(here)
    assert [(a.path.name, b.path.name) for a, b in found.pairs] == [("0", "0"), ("1", "1")]
    assert found.figures[0].estimate.value == 3
    assert [(item.key, item.a, item.b) for item in found.differences] == [("data.pipeline.flip", (True,), (False,))]


@pytest.mark.parametrize(("seeds_a", "seeds_b"), [((1, 2), (3, 4)), ((1, 2), (2, 3))])
def test_groups_without_enough_counterparts_are_compared_unpaired(here, seeds_a, seeds_b):
    for name, seeds in (("a", seeds_a), ("b", seeds_b)):
        for index, seed in enumerate(seeds):
            write(
                here / name / str(seed),
                row=f"plain-{20 if name == 'a' else 32}",
                seed=seed,
                figures={"test/error": 10.0 + index + (name == "b")},
            )
    found = two(here)
    assert found.pairs == ()
    assert (found.figures[0].estimate.method, found.figures[0].estimate.value) == ("Welch", 1.0)
    assert found.remarks[0] == "2 and 2 run(s), unpaired: Welch's t."


def test_runs_done_again_and_unfinished_ones_are_left_out_of_groups(here):
    write(here / "a" / "old", time=1.0, figures={"test/error": 50.0})
    write(here / "a" / "new", time=2.0, figures={"test/error": 9.0})
    write(here / "a" / "second", seed=2, figures={"test/error": 10.0})
    write(here / "a" / "running", seed=3, finished=False)
    write(here / "b", figures={"test/error": 9.0})
    found = two(here)
    assert sorted(run.path.name for run in found.a) == ["new", "second"]
    assert found.remarks[:2] == (
        "A: 1 unfinished run(s) are left out.",
        "A: 1 run(s) that were done again since are left out.",
    )


def test_a_group_of_two_scales_is_told(here):
    write(here / "a" / "1", seed=1)
    write(here / "a" / "2", seed=2, changed={"trainer.max_steps": 100})
    write(here / "b")
    assert two(here).remarks[0] == "A mixes full-scale runs and stand-ins: its means say little."


def test_an_unfinished_run_compares_by_what_it_has(here, capsys):
    write(here / "a", curve=CURVE)
    write(here / "b", curve=OTHER, finished=False)
    assert main(["compare", "a", "b"]) == 0
    out = capsys.readouterr().out
    assert "b is unfinished: it has no test figures." in out
    assert "train/loss differs at step 20" in out
    assert "## Figures" not in out


def test_the_page_begins_with_what_differs_first(here, capsys):
    write(here / "a", curve=CURVE, per_image=[classified(0, 1, 1), classified(1, 1, 0)])
    write(here / "b", curve=OTHER, code="0.2", per_image=[classified(0, 1, 0), classified(1, 1, 0)])
    assert main(["compare", "a", "b"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "# Comparison"
    assert lines[2].startswith("What differs first is the code")
    assert lines[4:7:2] == [
        "A: a (resnet/cifar10, resnet-20, 1 run(s), seed 1)",
        "B: b (resnet/cifar10, resnet-20, 1 run(s), seed 1)",
    ]
    text = "\n".join(lines)
    told = "1 only A right, 0 only B right: exact McNemar test p = 1: no difference shown, and 1 image(s) that tell "
    assert f"{told}A and B apart are too few to show any." in text
    assert "### A right, B wrong (1)" in text


def test_json_holds_all(here, capsys):
    write(here / "a", curve=[*CURVE, (40, {"train/loss": float("nan")})])
    write(here / "b", curve=OTHER, code="0.2", figures={"test/error": 9.0})
    assert main(["compare", "a", "b", "--json"]) == 0
    content = json.loads(capsys.readouterr().out, parse_constant=lambda name: pytest.fail(name))
    assert list(content) == [
        *("version", "first", "a", "b", "remarks", "differences", "figures", "pairs", "curves", "classes", "images"),
    ]
    assert (content["version"], content["a"], content["b"]) == (1, ["a"], ["b"])
    assert content["differences"] == [{"kind": "code", "key": "version", "a": ["0.1.0+aaaaaaaaaaaa"], "b": ["0.2"]}]
    assert content["curves"][0]["points"] == [[10, 2.0, 2.0], [20, 1.5, 1.4], [40, None, 0.5]]
    assert content["figures"][0]["difference"] == {
        **{"value": 0.25, "low": None, "high": None, "p": None, "n": [1, 1], "method": "Welch"}
    }


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["a", "a"], "a and a: both are the same; name two runs, or two groups that share none"),
        (["a", "."], "a and .: a is in both; name two runs, or two groups that share none"),
        (["a", "empty"], "no runs at or below empty; name a run's folder, or one that holds runs"),
        (["a", "nowhere"], "no folder nowhere; name a run's folder, or one that holds runs"),
        (
            ["a"],
            "lit-vision compare: the following arguments are required: B;\nwrite lit-vision compare [-h] [--json] A B",
        ),
        (["running", "a"], "A holds 2 run(s), none of them finished; compare two runs, or wait for one"),
        (["a", "damaged"], "no runs at or below damaged; name a run's folder, or one that holds runs"),
    ],
)
def test_bad_input(here, capsys, arguments, message):
    write(here / "a")
    (here / "empty").mkdir()
    write(here / "running" / "1", finished=False)
    write(here / "running" / "2", finished=False)
    if "damaged" in arguments:
        (write(here / "damaged") / "result.json").write_text("{")
    assert main(["compare", *arguments]) == 2
    warned = "warning: left out: damaged/result.json is damaged; restore it, or move its run elsewhere\n"
    assert capsys.readouterr().err == (warned if "damaged" in arguments else "") + f"error: {message}\n"


@pytest.mark.parametrize(
    ("a", "b", "told"),
    [
        (4, 0, "p = 0.12: no difference shown, and 4 image(s) that tell A and B apart are too few to show any."),
        (6, 3, "p = 0.51: no difference shown."),
        (9, 1, "p = 0.021."),
    ],
)
def test_what_a_handful_of_images_allows_to_say(here, capsys, a, b, told):
    write(here / "a", per_image=[classified(n, 1, int(n < a)) for n in range(20)])
    write(here / "b", per_image=[classified(n, 1, int(a <= n < a + b)) for n in range(20)])
    assert main(["compare", "a", "b"]) == 0
    out = capsys.readouterr().out
    assert f"{a} only A right, {b} only B right: exact McNemar test {told}" in out
    assert "chance" not in out


def test_all_images_of_a_detection_are_accounted_for(here, capsys):
    """174 better in A, 19 equal: the other 7 of 200 hold nothing to find."""
    ours = [detected(n, 0.9) for n in range(174)] + [detected(n, 0.5) for n in range(174, 193)]
    theirs = [detected(n, 0.5) for n in range(193)]
    empty = [detected(n, None, 0) for n in range(193, 200)]
    write(here / "a", per_image=ours + empty)
    write(here / "b", per_image=theirs + empty)
    assert main(["compare", "a", "b"]) == 0
    out = capsys.readouterr().out
    assert "200 images: F1 is higher in A on 174, higher in B on 0, equal on 19." in out
    assert "The other 7 have no F1: they hold no object, and a side found nothing there either." in out


def test_labels_are_told_by_their_names(here, capsys):
    write(here / "a", per_image=[classified(0, 1, 1)], diagnosis={"class_names": ["cat", "dog"]})
    write(here / "b", per_image=[classified(0, 1, 0, 0.75)])
    assert main(["compare", "a", "b"]) == 0
    row = next(line for line in capsys.readouterr().out.splitlines() if "0.png" in line)
    assert " ".join(cell.strip() for cell in row.strip("|").split("|")) == "0 0.png dog dog 0.900 cat 0.750"


def test_a_damaged_list_of_images(here, capsys):
    write(here / "a", per_image=[classified(0, 1, 1)])
    (write(here / "b", per_image=[classified(0, 1, 1)]) / "per_image.jsonl").write_text('{"image": ')
    assert main(["compare", "a", "b"]) == 0
    message = "Image by image: b/per_image.jsonl is damaged; remove it, and images are not compared one by one."
    assert message in capsys.readouterr().out


def test_a_name_stands_in_the_terminal_as_it_is(here, capsys):
    name = "<b>1e *\x1b[31m\nx"
    write(here / "a", code=name, per_image=[classified(0, 1, 1) | {"name": name}])
    write(here / "b", per_image=[classified(0, 1, 2) | {"name": name}])
    assert main(["compare", "a", "b"]) == 0
    out = capsys.readouterr().out
    assert "version <b>1e * [31m x against" in out
    assert "\x1b" not in out


def test_collected_runs_are_enough(here):
    write(here / "a")
    write(here / "b")
    assert compare(collect.find([here / "a"]), collect.find([here / "b"])).differences == ()
