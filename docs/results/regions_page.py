"""The page on `quickstart/own_regions` with blood cells, from the lines that `regions.py` wrote."""

from tables import figure, interval, lines, table

PAGE = """# Blood cells by regions: four steps, a kill, and ways to test

BCCD (MIT licence): 292 photographs to train on, 72 to test on, three classes, as on [the page before](blood_cells.md).
`quickstart/own_regions` is a Faster R-CNN on a ResNet with one block per stage and a pyramid of three levels, short
side 240, four images per iteration, no pretrained weights. One seed, bf16, one thread on a CPU that was busy with other
work, so no times are given. Percent; in brackets 95 % bootstrap intervals over the 72 test images, which say nothing of
other seeds. The test split is what was watched; nothing was chosen by it, the figures are of the last iterations.

## Shared, unshared, joint

{trainings}

Differences are paired by image. The four steps are 300 iterations each, the last two on a pyramid that stays as it is;
the row `unshared` ends after the second of them, whose figures are given here. The trainings saw different numbers of
images, so this is no contest of methods. The RetinaNet, lighter than that of the page before and trained for 280
iterations, is here for its losses below. Trainings, tests and analyses ran on several versions of the code, which
`blood_cells_regions.jsonl` names.

{stages}

## One command, killed in the third step

```
lit-vision fit --config quickstart/own_regions --data.root $LIT_VISION_DATA/bccd --data.train trainval \\
  --data.val null --data.monitor test --data.bad skip --checkpoint.every 100
```

The same command ran twice. One run was ended by SIGKILL in the third step and given the same command again:
{kill}.
Of what both runs left, {bits} are equal to the bit: weights and figures of each step and of the whole, and the regions
of both files ({names}, and the run itself).

## Proposals from a file

The third step's regions lie in a file. The fourth step's Fast R-CNN, tested on the file, and the whole, which proposes
itself, found {alike} {detections} boxes in {precision}, AP {ap} for both. In bf16 they differed a little, see AP50
above: regions had been written in float32 and were proposed in bf16. Since then both have the precision of tests.

## Ways to test the same weights

{protocols}

{decided}
The differences were not corrected for their number. `adjacent scales` is at 200, 240 and 300 pixels; `union` and `mean
of two` join the four steps and the joint training.

```
lit-vision fit --config quickstart/own_regions --row "joint" --data.root $LIT_VISION_DATA/bccd \\
  --data.train trainval --data.val null --data.monitor test --data.bad skip
lit-vision test --config quickstart/own_regions --row "refined and voted" --run RUN
lit-vision test --config quickstart/own_regions --row "union"
python docs/results/intervals.py RUN BASE
```

## Recall of the proposals

{recall}

![recall over the overlap](pictures/blood_cells_recall.png)

## Where the time of an image goes

Shares of the time from the decoded image to its boxes, 50 images, on the busy machine:
{timing}.

## Which anchors the loss comes from

The RetinaNet's focal loss on the test images, as Figure 4 of its paper; trained with gamma 2, judged by each.

{shares}

```
lit-vision fit --config quickstart/own_boxes --data.root $LIT_VISION_DATA/bccd --data.train trainval --data.val null \\
  --data.monitor test --data.bad skip --trainer.max_steps 280 --model.schedule.steps 280 --model.network.head.depth 2 \\
  --trainer.val_check_interval 280 \\
  --model.network.pyramid.backbone "{{class_path: lit_vision.models.backbones.resnet.imagenet_basic, \\
  init_args: {{depths: [1, 1, 1, 1], residual: true}}}}"
lit-vision test --config quickstart/own_boxes --row "loss shares" --run RUN
```

![cumulative loss](pictures/blood_cells_loss_shares.png)

## Pictures

Ground truth beside what the four steps found with a score of at least one half:

![four test images](pictures/blood_cells_regions.jpg)
"""


def page():
    """Trainings, a kill, tests and analyses of a Faster R-CNN; `regions.py` writes the lines."""
    found = lines("blood_cells_regions")
    kinds = ("recipe", "stage", "bits", "killed", "alike", "test", "analysis")
    of = {kind: [entry for entry in found if kind in entry] for kind in kinds}
    (restart,), (alike,) = of["killed"], of["alike"]
    analyses = {entry["analysis"]: entry["figures"] for entry in of["analysis"]}
    same = sum(entry["equal"] for entry in of["bits"])
    return PAGE.format(
        trainings=trainings(of["recipe"], of["stage"]),
        stages=steps(of["stage"]),
        kill=f"`{restart['killed']}` had logged iteration {restart['logged']} and went on at {restart['continued_at']}",
        bits=f"{same} of {len(of['bits'])}",
        names=", ".join(f"`{entry['bits']}`" for entry in of["bits"][:-1]),
        alike={True: "the same", False: "not the same"}[alike["alike"]],
        detections=f"{alike['detections']:,}",
        precision=alike["precision"],
        ap=figure(alike, "test/ap"),
        protocols=protocols(of["recipe"][0], of["test"]),
        recall=recall(analyses["recall"]),
        timing=timing(analyses["timing"]),
        shares=shares(analyses["loss shares"]),
        decided=decided(of["test"]),
    )


def trainings(runs_, stages):
    whole, *others = runs_
    unshared = next(entry for entry in stages if entry["stage"] == "fast-2")
    taken = [entry["steps"] for entry in stages]
    rows = [("four steps", whole, sum(taken)), ("unshared: the second step", unshared, sum(taken[:2]))]
    rows += [(e["row"] if e["recipe"] == whole["recipe"] else "RetinaNet", e, e["steps"]) for e in others]
    return table(
        ["training", "iterations", "AP", "AP50", "VOC mAP", "AP above the four steps", "AP50 above"],
        [
            (name, steps, *(figure(e, f"test/{key}") for key in ("ap", "ap50", "map")), *above(e))
            for name, e, steps in rows
        ],
    )


def above(entry):
    """Paired differences of AP and AP50 with their intervals."""
    found = entry.get("differences")
    return [interval(found[name]["all"], "+z.1f") if found else "-" for name in ("ap", "ap50")]


def steps(stages):
    return table(
        ["step", "iterations", "training loss", "AR100 of proposals", "AR300", "AP", "AP50"],
        [
            (
                *(f"`{e['stage']}`", e["steps"], f"{e['figures']['train/loss']:.3f}"),
                *(figure(e, f"test/{name}") for name in ("proposal_ar100", "proposal_ar300", "ap", "ap50")),
            )
            for e in stages
        ],
    )


def protocols(base, tests):
    rows = [("plain", base), *((e["test"], e) for e in tests)]
    return table(
        ["row", "AP", "AP50", "AP above plain", "AP50 above plain"],
        [(name, figure(e, "test/ap"), figure(e, "test/ap50"), *above(e)) for name, e in rows],
    )


def decided(tests):
    """Where an interval leaves out 0."""
    clear = [
        f"{name.upper()} of `{e['test']}`"
        for e in tests
        for name in ("ap", "ap50")
        if min(e["differences"][name]["all"][1:]) > 0 or max(e["differences"][name]["all"][1:]) < 0
    ]
    return f"Intervals that leave out 0: {len(clear)} of {2 * len(tests)}; {', '.join(clear) or 'none'}."


def recall(figures):
    counts = sorted(int(name.rpartition("ar")[2]) for name in figures if "proposal_ar" in name)
    return table(
        ["proposals", "recall at IoU 0.5", "AR, IoU 0.5 to 0.95"],
        [(n, *(f"{figures[f'analysis/{k}{n}']:.1f}" for k in ("proposal_recall50_", "proposal_ar"))) for n in counts],
    )


def timing(figures):
    parts = {part: figures[f"analysis/{part}_ms"] for part in ("conv", "proposal", "region")}
    parts["before"] = figures["analysis/total_ms"] - sum(parts.values())
    return ", ".join(f"{part} {100 * value / figures['analysis/total_ms']:.0f} %" for part, value in parts.items())


def shares(figures):
    kinds = ("foreground_hardest20", "background_hardest1")
    gammas = [name.rpartition("/")[2] for name in figures if kinds[0] in name]
    return table(
        ["judged by", "loss of the hardest 20 % of the foreground", "loss of the hardest 1 % of the background"],
        [(gamma, *(f"{figures[f'analysis/{kind}/{gamma}']:.0f} %" for kind in kinds)) for gamma in gammas],
    )
