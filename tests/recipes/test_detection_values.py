"""RetinaNet's printed figures, typed a second time from the paper's fact sheet: AP, AP50, AP75, then by size."""

import pytest

from lit_vision.experiment import recipes

FIGURES = ("test/ap50", "test/ap75", "test/ap_s", "test/ap_m", "test/ap_l")

R50 = {
    # Tables 1a and 1b
    "alpha .10": (0.0, 0.0, 0.0),
    "alpha .25": (10.8, 16.0, 11.7),
    "alpha .50": (30.2, 46.7, 32.8),
    "alpha .75": (31.1, 49.4, 33.0),
    "alpha .90": (30.8, 49.7, 32.3),
    "alpha .99": (28.7, 47.4, 29.9),
    "alpha .999": (25.1, 41.7, 26.1),
    "gamma 0.1": (31.4, 49.9, 33.1),
    "gamma 0.2": (31.9, 50.7, 33.4),
    "gamma 0.5": (32.9, 51.7, 35.2),
    "gamma 1.0": (33.7, 52.0, 36.2),
    "minival": (34.0, 52.5, 36.5),
    "gamma 5.0": (32.2, 49.6, 34.8),
    # Table 1c
    "1 scale, 1 ratio": (30.3, 49.0, 31.8),
    "2 scales, 1 ratio": (31.9, 50.0, 34.0),
    "3 scales, 1 ratio": (31.8, 49.4, 33.7),
    "1 scale, 3 ratios": (32.4, 52.3, 33.9),
    "2 scales, 3 ratios": (34.2, 53.1, 36.5),
    "4 scales, 3 ratios": (33.8, 52.1, 36.2),
    # Table 1e
    "scale 400": (30.5, 47.8, 32.7, 11.2, 33.8, 46.1),
    "scale 500": (32.5, 50.9, 34.8, 13.9, 35.8, 46.7),
    "scale 600": (34.3, 53.2, 36.9, 16.2, 37.4, 47.4),
    "scale 700": (35.1, 54.2, 37.7, 18.0, 39.3, 46.4),
    "scale 800": (35.7, 55.0, 38.5, 18.9, 38.9, 46.3),
    # Table 3
    "FL*, gamma 2, beta 1": (33.8, 52.7, 36.3),
    "FL*, gamma 4, beta 0": (33.9, 51.8, 36.4),
    # Table 1e, milliseconds
    "time at scale 400": (64,),
    "time at scale 500": (72,),
    "time at scale 600": (98,),
    "time at scale 700": (121,),
    "time at scale 800": (153,),
    "Figure 1": (100,),
}
R101 = {
    # Table 1d, whose first and seventh line print the same figures
    "OHEM, batch 128, NMS .7": (31.1, 47.2, 33.2),
    "OHEM, batch 256, NMS .7": (31.8, 48.8, 33.9),
    "OHEM, batch 512, NMS .7": (30.6, 47.0, 32.6),
    "OHEM, batch 128, NMS .5": (32.8, 50.3, 35.1),
    "OHEM, batch 256, NMS .5": (31.0, 47.4, 33.0),
    "OHEM, batch 512, NMS .5": (27.6, 42.0, 29.2),
    "OHEM 1:3, batch 128, NMS .5": (31.1, 47.2, 33.2),
    "OHEM 1:3, batch 256, NMS .5": (28.3, 42.4, 30.3),
    "OHEM 1:3, batch 512, NMS .5": (24.0, 35.5, 25.8),
    "minival": (36.0, 54.9, 38.7),
    # Table 1e
    "scale 400": (31.9, 49.5, 34.1, 11.6, 35.8, 48.5),
    "scale 500": (34.4, 53.1, 36.8, 14.7, 38.5, 49.1),
    "scale 600": (36.0, 55.2, 38.7, 17.4, 39.6, 49.7),
    "scale 700": (37.1, 56.6, 39.8, 19.1, 40.6, 49.4),
    "scale 800": (37.8, 57.5, 40.8, 20.2, 41.1, 49.2),
    # Table 2
    "Faster R-CNN+++": (34.9, 55.7, 37.4, 15.6, 38.7, 50.9),
    "Faster R-CNN w FPN": (36.2, 59.1, 39.0, 18.2, 39.0, 48.2),
    "Faster R-CNN by G-RMI": (34.7, 55.5, 36.7, 13.5, 38.1, 52.0),
    "Faster R-CNN w TDM": (36.8, 57.7, 39.2, 16.2, 39.8, 52.1),
    "YOLOv2": (21.6, 44.0, 19.2, 5.0, 22.4, 35.5),
    "SSD513": (31.2, 50.4, 33.3, 10.2, 34.5, 49.8),
    "DSSD513": (33.2, 53.3, 35.2, 13.0, 35.4, 51.1),
    "scale 800, jittered": (39.1, 59.1, 42.3, 21.8, 42.7, 50.2),
    "ResNeXt-101, jittered": (40.8, 61.1, 44.1, 24.1, 44.2, 51.2),
    # Figure 2
    "SSD321": (28.0,),
    "DSSD321": (28.0,),
    "R-FCN": (29.9,),
    # Table 1e, milliseconds
    "time at scale 400": (81,),
    "time at scale 500": (90,),
    "time at scale 600": (122,),
    "time at scale 700": (154,),
    "time at scale 800": (198,),
}
MILLISECONDS = {
    **{"YOLOv2": 25, "SSD321": 61, "DSSD321": 85, "R-FCN": 85},
    **{"SSD513": 125, "DSSD513": 156, "Faster R-CNN w FPN": 172},
}


@pytest.mark.parametrize(
    ("recipe", "printed"), [("retinanet/r50_fpn_coco", R50), ("retinanet/r101_fpn_coco", R101)], ids=["R-50", "R-101"]
)
def test_values_are_the_paper_s(recipe, printed):
    rows = {name: row for name, row in recipes.read_card(recipe).rows.items() if row.value is not None}
    found = {name: (row.value, *(row.also[f] for f in FIGURES if f in row.also)) for name, row in rows.items()}
    assert found == printed
    assert {row.source for row in rows.values()} == {"paper"}


def test_times_of_others_are_quoted_and_ours_are_never_judged():
    rows = recipes.read_card("retinanet/r101_fpn_coco").rows
    times = {name: row.also["test/ms"] for name, row in rows.items() if "test/ms" in row.also}
    assert times == MILLISECONDS
    assert all(rows[name].quoted for name in times)
    for recipe in ("retinanet/r50_fpn_coco", "retinanet/r101_fpn_coco"):
        rows = recipes.read_card(recipe).rows
        for scale in (400, 500, 600, 700, 800):
            row = rows[f"time at scale {scale}"]
            assert (row.judged, row.hardware) == (False, "NVIDIA M40")
            timed = recipes.resolve([recipe], f"time at scale {scale}").config["data"]["init_args"]
            assert (timed["pipeline"]["init_args"]["test"], timed["test"]) == (scale, None)


def test_figure_2_is_drawn_from_the_rows_figures():
    rows = {depth: recipes.read_card(f"retinanet/r{depth}_fpn_coco").rows for depth in (50, 101)}
    figure = rows[101]["Figure 2"]
    names = {f"RetinaNet-{depth}": [f"scale {scale}" for scale in (400, 500, 600, 700, 800)] for depth in rows}
    expected = {
        label: [[rows[depth][f"time at {name}"].value, rows[depth][name].value] for name in names[label]]
        for depth, label in zip(rows, names, strict=True)
    }
    quoted = {"FPN FRCN": "Faster R-CNN w FPN"} | {name: name for name in MILLISECONDS if name[0] not in "YF"}
    expected |= {label: [[rows[101][name].also["test/ms"], rows[101][name].value]] for label, name in quoted.items()}
    assert figure.analysis["init_args"]["printed"] == expected
    trained = ["scale 400", "scale 500", "minival", "scale 700", "scale 800"]
    assert [(member.recipe, member.row) for member in figure.members] == [
        (f"retinanet/r{depth}_fpn_coco", row) for depth in (50, 101) for row in trained
    ]


@pytest.mark.parametrize("recipe", ["retinanet/r50_fpn_coco", "retinanet/r101_fpn_coco"])
def test_nets_that_a_server_scores_have_a_twin_on_public_images(recipe):
    card = recipes.read_card(recipe)
    served = [name for name, row in card.rows.items() if row.trains and row.split == "test-dev" and "jit" not in name]
    assert served == ["scale 400", "scale 500", "scale 700", "scale 800"]
    for name in served:
        twin = card.row(f"{name} on minival")
        assert (twin.weights_of, twin.split, twin.value) == (name, "minival", None)
        found = recipes.resolve([recipe], f"{name} on minival").config["data"]["init_args"]
        trained = recipes.resolve([recipe], name).config["data"]["init_args"]
        assert (found.pop("test"), trained.pop("test")) == (None, "test-dev2017")
        assert found == trained


def loss(row):
    network = recipes.resolve(["retinanet/r50_fpn_coco"], row).config["model"]["init_args"]["network"]["init_args"]
    return network["objective"]["init_args"]["class_loss"], network["head"]["init_args"]["prior"]


def test_rows_of_the_losses_set_what_the_tables_vary():
    focal = "lit_vision.models.losses.FocalLoss"
    assert loss("alpha .999") == ({"class_path": focal, "init_args": {"gamma": 0.0, "alpha": 0.999}}, 0.01)
    assert loss("gamma 0.5") == ({"class_path": focal, "init_args": {"gamma": 0.5, "alpha": 0.5}}, 0.01)
    plain = {"class_path": focal, "init_args": {"gamma": 0.0, "alpha": None}}
    assert loss("cross-entropy without prior") == (plain, 0.5)
    star, prior = loss("FL*, gamma 4, beta 0")
    assert (star["init_args"], prior) == ({"gamma": 4.0, "beta": 0.0, "alpha": 0.25}, 0.01)


def test_rows_of_hard_examples_set_what_table_1d_varies():
    card, found = recipes.read_card("retinanet/r101_fpn_coco"), {}
    for name in (name for name in card.rows if name.startswith("OHEM")):
        network = recipes.resolve(["retinanet/r101_fpn_coco"], name).config["model"]["init_args"]["network"]
        objective = network["init_args"]["objective"]["init_args"]
        assert objective["class_loss"]["init_args"] == {"gamma": 0.0, "alpha": None}
        found[name] = tuple(objective["mining"].values())
        assert any("what divides the losses" in text for text in card.rows[name].deviations)
    sizes = (128, 256, 512)
    assert found == {
        **{f"OHEM, batch {size}, NMS .7": (size, 0.7, None) for size in sizes},
        **{f"OHEM, batch {size}, NMS .5": (size, 0.5, None) for size in sizes},
        **{f"OHEM 1:3, batch {size}, NMS .5": (size, 0.5, 3) for size in sizes},
    }
