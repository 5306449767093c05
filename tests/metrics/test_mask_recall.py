"""Recall of masks is COCO's AR of segmentations without categories."""

import contextlib
import json

import pytest
import torch
import torch.distributed as dist
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from lit_vision.callbacks import detections as files
from lit_vision.data.formats import masks as outlines
from lit_vision.errors import InputError
from lit_vision.metrics.mask_recall import MaskRecall
from lit_vision.ops import mask
from tests.distributed import world
from tests.metrics import scenes
from tests.metrics.scenes import measure

HEIGHT, WIDTH = 96, 128
COUNTS = (2, 10, 1000)


def truth(image_id, pixels, crowd=None, difficult=None):
    """A target whose masks are pixels, bool [G, H, W]."""
    boxes = [[0.0, 0, 1, 1]] * len(pixels)  # masks alone are compared
    made = scenes.truth(image_id, boxes, crowd=crowd, difficult=difficult, area=pixels.sum((1, 2)).tolist())
    rows = outlines.pack(outlines.of_pixels(pixels) if len(pixels) else []).rows(0, len(pixels))
    return made._replace(original_masks=rows, original_size=torch.tensor([HEIGHT, WIDTH]))


def found(masks, windows, scores):
    made = scenes.found(windows, scores)
    return made._replace(masks=masks, windows=made.boxes)


def random(seed, images=9, detections=40):
    """Objects of all sizes, and masks shaken around them."""
    draw = torch.Generator().manual_seed(seed)
    everything = []
    for number in range(images):
        count = int(torch.randint(0, 5, (), generator=draw))
        corners = torch.rand(count, 2, generator=draw) * 60
        sides = (10 + 60 * torch.rand(count, 1, generator=draw)).expand(count, 2)
        objects = torch.cat([corners, corners + sides], 1)
        shapes = torch.rand(count, 6, 6, generator=draw) + torch.ones(6, 6).triu() * 0.4
        pixels = mask.paste(shapes, objects, HEIGHT, WIDTH)
        crowd = torch.rand(count, generator=draw) < 0.2
        everything.append((_shaken(objects, shapes, detections, draw), truth(number, pixels, crowd.tolist())))
    return [pair[0] for pair in everything], [pair[1] for pair in everything]


def _shaken(objects, shapes, count, draw):
    windows, masks = torch.rand(count, 2, generator=draw).repeat(1, 2) * 60, torch.rand(count, 6, 6, generator=draw)
    windows[:, 2:] += 20
    if len(objects):
        chosen = torch.randint(0, len(objects), (count // 2,), generator=draw)
        windows[: count // 2] = objects[chosen] + 6 * (torch.rand(count // 2, 4, generator=draw) - 0.5)
        masks[: count // 2] = shapes[chosen]
    return found(masks, windows.tolist(), (torch.rand(count, generator=draw) * 8).floor().div(8).tolist())


def pycocotools(found, targets):
    """COCOeval of `segm` with `useCats=0`, on the result file of the suite: recall [T, A, M]."""
    annotations = []
    for target in targets:
        runs = mask.run_lengths(target.original_masks, HEIGHT, WIDTH)
        rows = zip(runs, target.area.tolist(), target.crowd.tolist(), strict=True)
        for run, area, crowd in rows:
            ids = {"id": len(annotations) + 1, "image_id": int(target.image_id), "category_id": 1}
            annotations.append(ids | {"segmentation": run, "area": area, "iscrowd": int(crowd)})
    entries = []
    for one, target in zip(found, targets, strict=True):
        runs = mask.encode(one.masks, one.windows, HEIGHT, WIDTH)
        for run, score in zip(runs, one.scores.tolist(), strict=True):
            entries.append({"image_id": int(target.image_id), "category_id": 1, "segmentation": run, "score": score})
    coco = COCO()
    coco.dataset = {
        "images": [{"id": int(target.image_id), "height": HEIGHT, "width": WIDTH} for target in targets],
        "categories": [{"id": 1}],
        "annotations": annotations,
    }
    with contextlib.redirect_stdout(None):
        coco.createIndex()
        evaluation = COCOeval(coco, coco.loadRes(entries), "segm")
        evaluation.params.useCats = 0
        evaluation.params.maxDets = list(COUNTS)
        evaluation.evaluate()
        evaluation.accumulate()
    return evaluation.eval["recall"][:, 0]


@pytest.mark.parametrize("seed", range(3))
def test_recall_is_pycocotools(seed):
    images = random(seed)
    figures, want = measure(MaskRecall(COUNTS), *images), pycocotools(*images)
    assert (want > 0).mean() > 0.3
    assert len(figures) == 12
    for column, count in enumerate(COUNTS):
        for area, size in enumerate(["", "_s", "_m", "_l"]):
            value = want[:, area, column]
            expected = 100 * value.mean() if (value > -1).all() else float("nan")
            ours = figures[f"mask_ar{size}{count}"].item()
            assert ours == pytest.approx(expected, abs=1e-9, nan_ok=True), (size, count)


def square(x1, y1, x2, y2):
    pixels = torch.zeros(1, HEIGHT, WIDTH, dtype=torch.bool)
    pixels[0, y1:y2, x1:x2] = True
    return pixels


FULL = torch.ones(1, 2, 2)


def test_a_pencil_case():
    """The first mask is one object, the second covers 3/4 of the other: 10 and 6 of 10 thresholds."""
    target = truth(1, torch.cat([square(0, 0, 40, 40), square(60, 0, 100, 40)]))
    one = found(FULL.expand(2, 2, 2), [[0, 0, 40, 40], [60, 0, 90, 40]], [0.9, 0.8])
    figures = measure(MaskRecall((1, 2)), [one], [target])
    assert figures["mask_ar1"].item() == pytest.approx(50)
    assert figures["mask_ar2"].item() == pytest.approx((100 + 60) / 2)
    assert figures["mask_ar_m2"].item() == pytest.approx(80)
    assert figures["mask_ar_s2"].isnan()


def test_masks_count_and_boxes_do_not():
    lower = torch.tensor([[[0.0, 0.0], [1.0, 1.0]]])
    target = truth(1, square(0, 20, 40, 40))
    half, whole = (found(shape, [[0, 0, 40, 40]], [0.9]) for shape in (lower, FULL))
    assert measure(MaskRecall((1,)), [half], [target])["mask_ar1"].item() == 100
    assert measure(MaskRecall((1,)), [whole], [target])["mask_ar1"].item() == pytest.approx(10)  # at 0.5 alone


def test_crowd_and_difficult_objects_are_not_counted():
    pixels = torch.cat([square(0, 0, 40, 40), square(50, 0, 90, 40), square(0, 50, 9, 59)])
    target = truth(1, pixels, crowd=[False, True, False], difficult=[False, False, True])
    one = found(FULL, [[0, 0, 40, 40]], [0.9])
    assert measure(MaskRecall((5,)), [one], [target])["mask_ar5"].item() == 100


@pytest.mark.parametrize("images", [([], []), ([found(FULL, [[0, 0, 9, 9]], [0.5])], [truth(1, torch.zeros(0, 1, 1))])])
def test_without_objects_it_is_nan(images):
    metric = MaskRecall()
    metric.update(*images)
    assert all(value.isnan() for value in metric.compute().values())


def test_an_image_where_nothing_is_found():
    nothing = found(torch.zeros(0, 2, 2), [], [])
    assert measure(MaskRecall((5,)), [nothing], [truth(1, square(0, 0, 9, 9))])["mask_ar5"].item() == 0


def test_bad_input_is_told():
    target, one = truth(1, square(0, 0, 9, 9)), found(FULL, [[0, 0, 9, 9]], [0.5])
    metric = MaskRecall((5,))
    with pytest.raises(InputError, match=r"^MaskRecall .* the network or its protocol found boxes alone; test models"):
        metric.update([scenes.found([[0, 0, 9, 9]], [0.5])], [target])
    with pytest.raises(
        InputError, match=r"^MaskRecall compares masks, and the data keep none; set data.masks to true$"
    ):
        metric.update([one], [scenes.truth(1, [[0, 0, 9, 9]])])
    with pytest.raises(InputError, match="a detection has the score nan"):
        metric.update([one._replace(scores=torch.tensor([float("nan")]))], [target])
    metric.update([one], [target])
    metric.update([one], [target])
    with pytest.raises(InputError, match=r"^image id 1 was evaluated more than once"):
        metric.compute()
    metric.reset()
    metric.update([one], [target])
    assert metric.compute()["mask_ar5"].item() == 100
    with pytest.raises(InputError, match=r"max_proposals is \[2, 1\]; give positive numbers in ascending order"):
        MaskRecall((2, 1))


def test_result_files_hold_the_same_masks():
    images = random(7, images=2, detections=5)
    pairs = list(zip(*images, strict=True))
    kept = {int(target.image_id): files.outlines(one, target.original_size) for one, target in pairs}
    text = files.coco_results([(int(target.image_id), one) for one, target in pairs], [5], kept)
    entries = json.loads(text)
    assert len(entries) == 10
    runs = [run for one, _ in pairs for run in mask.encode(one.masks, one.windows, HEIGHT, WIDTH)]
    assert [entry["segmentation"] for entry in entries] == [
        {"size": [HEIGHT, WIDTH], "counts": run["counts"].decode()} for run in runs
    ]


SHARES = {"uneven": [range(0, 7), range(7, 9)], "one empty": [range(0), range(9)]}


def figures(rows):
    metric = MaskRecall(COUNTS)
    found, targets = random(5)
    for row in rows:
        metric.update(found[row : row + 1], targets[row : row + 1])
    return {name: value.nan_to_num(-1) for name, value in metric.compute().items()}, len(metric.image_ids)


def share(shares):
    dist.init_process_group("gloo")
    number = dist.get_rank()
    torch.save({case: figures(rows[number]) for case, rows in shares.items()}, f"{number}.pt")


def test_every_rank_has_the_figures_of_one_process(tmp_path):
    world.run(share, 2, tmp_path, SHARES)
    alone, _ = figures(range(9))
    for number in range(2):
        for case, (result, left) in torch.load(tmp_path / f"{number}.pt").items():
            assert all(torch.equal(result[name], alone[name]) for name in alone), (number, case)
            assert left == len(SHARES[case][number])
