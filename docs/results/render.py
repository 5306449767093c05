"""Renders the pages of this folder from the JSON lines beside it, the README's count of rows and `docs/coverage.md`.

None is typed.

python docs/results/render.py               writes the pages
python docs/results/render.py --check       fails if a page is not what its lines say
python docs/results/render.py --collect NAME RUN…   adds finished runs to NAME.jsonl
"""

import json
import statistics
import sys
from pathlib import Path

import regions_page
from tables import HERE, figure, interval, lines, table

from lit_vision.experiment import claims as fixed
from lit_vision.experiment import coverage, exhibits, marks, recipes, relations
from lit_vision.report import claims_page, coverage_page, markdown
from lit_vision.runs import claim_runs, claim_verdicts
from lit_vision.runs import folder as runs

HOSTILE = "hostile files"
KEPT = (
    "recipe",
    "row",
    "seed",
    "steps",
    "samples_seen",
    "duration_s",
    "changed",
    "figures",
    "code",
    "packages",
    "hardware",
    "data",
)


README = HERE.parents[1] / "README.md"
COVERAGE = HERE.parent / "coverage.md"
COUNTED = ("<!-- rendered by docs/results/render.py -->\n", "\n<!-- end -->")


def collect(name, folders):
    with (HERE / f"{name}.jsonl").open("a") as file:
        for folder in map(Path, folders):
            result = json.loads((folder / "result.json").read_text())
            kept = {key: result[key] for key in KEPT}
            if result.get("sweep"):
                raw = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
                kept["sweep"] = result["sweep"]
                kept["continued_at"] = [line[runs.RESUMED] for line in raw if runs.RESUMED in line]
            logged = runs.read_metrics(folder / "metrics.jsonl")
            kept["curve"] = curve(logged, "train/error") or curve(logged, "train/loss")
            kept["watched"] = curve(logged, "val/ap50")
            if result.get("sweep"):
                kept["watched_error"] = list(curve(logged, "val/error").values())
            if (folder / "intervals.json").is_file():
                kept["intervals"] = json.loads((folder / "intervals.json").read_text())
            file.write(json.dumps(kept) + "\n")


def curve(logged, figure):
    """A figure by step, rounded."""
    return {str(line["step"]): round(line[figure], 3) for line in logged if line.get(figure) is not None}


def mean(results, figure):
    return statistics.fmean(result["figures"][figure] for result in results)


def cifar10_jpeg():
    found = lines("cifar10_jpeg")
    by_row = {row: [entry for entry in found if entry["row"] == row] for row in dict.fromkeys(e["row"] for e in found)}
    runs_table = table(
        ["row", "seed", "training error %", "test error %", "iterations", "code"],
        [
            (
                *(entry["row"], entry["seed"]),
                *(f"{entry['figures'][name]:.2f}" for name in ("train/error", "test/error")),
                *(entry["steps"], entry["code"]),
            )
            for entry in found
        ],
    )
    train = {row: mean(entries, "train/error") for row, entries in by_row.items()}
    test = {row: mean(entries, "test/error") for row, entries in by_row.items()}
    gaps = [
        (kind, train[f"{kind}-56"] - train[f"{kind}-20"], test[f"{kind}-56"] - test[f"{kind}-20"])
        for kind in ("plain", "resnet")
    ]
    holds = {True: "holds", False: "does not hold"}
    claims = table(
        ["claim of the paper", "at this budget"],
        [
            ("training error of plain-56 above plain-20 (Figure 1)", holds[gaps[0][1] > 0]),
            ("test error of plain-56 above plain-20 (Figure 1)", holds[gaps[0][2] > 0]),
            (
                "the residual pair's training gap is smaller than the plain pair's (Figure 6)",
                holds[gaps[1][1] < gaps[0][1]],
            ),
            ("training error of ResNet-56 below ResNet-20 (Figure 6)", holds[gaps[1][1] < 0]),
        ],
    )
    steps = list(found[0]["curve"])
    curves = table(
        ["iteration", *(f"{e['row']} ({e['seed']})" for e in found)],
        [(s, *(e["curve"][s] for e in found)) for s in steps],
    )
    gap_table = table(
        ["pair, 56 minus 20 layers", "training error", "test error"],
        [(k, f"{a:+.2f}", f"{b:+.2f}") for k, a, b in gaps],
    )
    return f"""# CIFAR-10 (JPEG re-encoding): plain and residual, 20 and 56 layers, 1,500 iterations

A stand-in for Figures 1 and 6 of the ResNet paper: 1,500 iterations instead of 64,000, on images that a third party
re-encoded as lossy JPEG. Compare these figures with one another only, never with Table 6. Batch 128, rate 0.1 divided
by 10 at 1,000 and 1,300, bf16 and channels-last on two CPU cores. The training error is the mean over the last 100
iterations, with augmentation. The images were padded with black (`fill: black`); the recipe now pads with the mean, as
the paper does.

{runs_table}

{gap_table}

{claims}

Each 56-layer net ran with one seed, each 20-layer net with two (the gaps use their mean).

Training error in percent, mean over the 100 iterations before:

{curves}

Command (`ROW` and `SEED` as in the table; unpack `$LIT_VISION_DATA/cifar10_jpeg.tar.gz` into `DIR`):

```
lit-vision fit --config resnet/cifar10 --row ROW --config overlays/cpu --seed_everything SEED \\
  --data lit_vision.data.image_folder.ImageFolder --data.root DIR --data.batch_size 128 --data.monitor test \\
  --data.pipeline lit_vision.data.pipelines.small.SmallImages --data.pipeline.pad 4 --data.pipeline.flip true \\
  --data.pipeline.mean pixel --data.pipeline.std null --data.pipeline.fill black \\
  --model.schedule.milestones "[1000, 1300]" --trainer.max_steps 1500 --trainer.val_check_interval 250
```
"""


def trainers():
    """The plain-PyTorch peer beside our runs of the same network and schedule."""
    ours = [entry for entry in lines("cifar10_jpeg") if entry["row"] == "resnet-20"]
    rows = [("lit_vision", entry["seed"], f"{entry['figures']['test/error']:.2f}") for entry in ours]
    rows += [(entry["trainer"], entry["seed"], f"{entry['test/error']:.2f}") for entry in lines("plain_pytorch")]
    return f"""# ResNet-20, 1,500 iterations: this suite against a plain-PyTorch loop

Same network, batches of 128, schedule, images (CIFAR-10, JPEG re-encoding), bf16 and channels-last. The peer's error
lies between our two seeds'. Time per step is on the page of benchmarks.

{table(["trainer", "seed", "test error %"], rows)}

```
python benchmarks/plain_pytorch.py DIR --steps 1500 --milestones 1000 1300
```
"""


def imagenet_photographs():
    """The smoke run of the ImageNet recipe."""
    (entry,) = lines("imagenet_photographs")
    figures = [(name, f"{value:.2f}") for name, value in entry["figures"].items()]
    return f"""# ImageNet photographs: ResNet-18, {entry["steps"]} iterations and a test pass

A stand-in: 200 photographs of 200 classes, trained and tested on the same folder, batch 32. It checks that the whole
path works on real files, and nothing more; it says nothing about Table 2.

{table(["figure", "value"], figures)}

What it changed beyond the hardware:

{table(["key", "value"], entry["changed"].items())}

```
lit-vision fit --config resnet/imagenet --row "resnet-18" --data.train $LIT_VISION_DATA/imagenet_sample \\
  --data.val $LIT_VISION_DATA/imagenet_sample --data.batch_size 32 --data.num_workers 2 --trainer.max_steps 20
```
"""


def digits():
    found = lines("digits")
    values = [entry["figures"]["test/error"] for entry in found]
    rows = [(e["seed"], f"{e['figures']['test/error']:.2f}", f"{e['duration_s']:.0f}", e["code"]) for e in found]
    return f"""# Quickstart: 1,797 handwritten digits

Test error in percent on 299 images, so one image is 0.33. Mean {statistics.fmean(values):.2f},
largest {max(values):.2f}, over {len(values)} seeds; the recipe expects 1.5, tolerance 1.5, that is at most 3 %.

{table(["seed", "test error %", "seconds", "code"], rows)}

```
lit-vision fit --config quickstart/digits --seed_everything SEED
```
"""


def curves_of(found, label):
    """Training loss and watched AP50 by iteration, a pair of columns for each run."""
    steps = sorted({int(step) for entry in found for step in entry["watched"]})
    head = ["iteration", *(f"{name}, {label(entry)}" for entry in found for name in ("training loss", "AP50"))]
    return table(
        head,
        [
            (step, *(entry[kind].get(str(step), "-") for entry in found for kind in ("curve", "watched")))
            for step in steps
        ],
    )


def overfit_coco():
    found = lines("overfit_coco")
    rows = [
        (
            entry["row"],
            *(figure(entry, f"test/{name}") for name in ("ap", "ap50", "ap75")),
            *(entry["steps"], f"{entry['duration_s'] / 60:.0f}", entry["code"]),
        )
        for entry in found
    ]
    ids = recipes.resolve(["quickstart/overfit_coco"]).config["data"]["init_args"]["only"]
    return f"""# Two detectors learn the same 16 images of COCO by heart

The classic proof that targets, losses, decoding and evaluation agree: no augmentation, trained from scratch on the
images it is then tested on (COCO mini set, train2017; AP by pycocotools in percent). Asked for: AP50 at least 95, AP at
least 75. The pictures were looked at; they are not kept here, because of their licences.

{table(["row", "AP", "AP50", "AP75", "iterations", "minutes", "code"], rows)}

{curves_of(found, lambda entry: entry["row"])}

Images: {", ".join(map(str, ids))}.

```
lit-vision fit --config quickstart/overfit_coco --row ROW --data.root $LIT_VISION_DATA/coco_tiny
```
"""


def blood_cells():
    found = lines("blood_cells")
    rows = [
        (
            entry["seed"],
            *(figure(entry, f"test/{name}") for name in ("ap", "ap50", "map")),
            *(f"{entry['samples_seen']:,}", f"{entry['duration_s'] / 60:.0f}", entry["code"]),
        )
        for entry in found
    ]
    last = found[-1]
    classes = table(
        ["class", "AP50 (COCO's metric)", "AP50 (VOC's metric)"],
        [
            (name, *(interval(last["intervals"][metric][name]) for metric in ("ap50", "map")))
            for name in ["all", *last["intervals"]["classes"]]
        ],
    )
    return f"""# Blood cells: a detector from scratch on a user's own boxes

BCCD (MIT licence): 292 photographs to train on, 72 to test on, three classes, two boxes of zero size left out by
`--data.bad skip`. RetinaNet on a ResNet-18 with a light pyramid, short side 240, 25 epochs, no pretrained weights, two
CPU cores. In percent.

{table(["seed", "AP", "AP50", "VOC mAP", "images seen", "minutes", "code"], rows)}

Set beside it in the plan: torchvision's RetinaNet-R18-FPN from scratch at the same size, batch and images seen, one
seed, AP 46.0, AP50 81.8 (RBC 75.0, WBC 95.8, platelets 74.6) in 28 minutes on two cores. That run was not repeated
here; `benchmarks/detector_step.py` times a step of both side by side.

Of the last run, with 95 % bootstrap intervals over the {last["intervals"]["images"]} test images:

{classes}

{curves_of(found, lambda entry: f"seed {entry['seed']}")}

The test split is what was watched; nothing was chosen by it, the figures are of the last iteration.

```
lit-vision fit --config quickstart/own_boxes --data.root $LIT_VISION_DATA/bccd --data.train trainval --data.val null \\
  --data.monitor test --data.bad skip
python docs/results/intervals.py RUN
```

A Faster R-CNN on the same photographs has [a page of its own](blood_cells_regions.md).

Ground truth beside what was found with a score of at least one half:

![four test images](pictures/blood_cells.jpg)
"""


def digit_scenes():
    found = lines("digit_scenes")
    rows = [
        (
            entry["seed"],
            *(figure(entry, f"test/{name}") for name in ("ap", "ap50", "ap75", "ap_s", "ap_m")),
            *(entry["steps"], f"{entry['duration_s']:.0f}", entry["code"]),
        )
        for entry in found
    ]
    return f"""# Quickstart: scenes of handwritten digits

A light RetinaNet, {found[0]["steps"]} iterations of 16 scenes of 128 pixels. COCO AP in percent on 200 test scenes;
none of their digits was trained on. The first line divided the loss by the anchors of the whole batch, and so learned
otherwise on two processes than on one; since then each image is divided by its own.

{table(["seed", "AP", "AP50", "AP75", "AP small", "AP medium", "iterations", "seconds", "code"], rows)}

```
lit-vision fit --config quickstart/digit_scenes --seed_everything SEED
```

![test scenes](pictures/digit_scenes.jpg)
"""


def benchmarks():
    rows = [
        (e["what"], e["ours"], e["peer"], e["unit"], f"{e['ratio']:.2f}", e["aim"], f"`{e['command']}`")
        for e in lines("benchmarks")
    ]
    return f"""# Benchmarks

Each pair ran in one process, one command or one sitting, on two CPU cores of a shared machine: read the
ratios, not the seconds. No GPU was at hand: the GPU figures of the plan are not measured.

{table(["what", "ours", "peer", "unit", "ratio", "aim", "command"], rows)}
"""


def reliability():
    """Kills survived, crash points, world sizes compared: of each test and kind the last line counts."""
    entries = lines("reliability")
    hostile = [entry for entry in entries if entry["what"] == HOSTILE]
    uses = [(e["date"], e["what"], e["tried"], e["held"], e["fixed"]) for e in entries if "fixed" in e]
    last = {(e["test"], e["what"], e["of"]): e for e in entries if "test" in e}
    rows = [
        (e["what"], e["of"], e["number"], told(e), f"`{e['test'].rpartition('::')[2]}`", e["code"])
        for e in sorted(last.values(), key=lambda entry: (entry["what"], entry["of"]))
    ]
    files = sorted({test.partition("::")[0] for test, _, _ in last})
    return f"""# Kills survived, crash points, numbers of processes compared

Each line is written by a test that passed. After every kill the run went on with the same command, and its weights and
figures equalled the uninterrupted run's to the bit; no checkpoint was unreadable, and no run began again in silence.
Every crash point of a single write left a readable checkpoint. Where numbers of processes are compared, the number is
that of figures. `.dirty`: when the line was written, a test that it does not come from was being changed.

{table(["what", "of", "number", "details", "test", "code"], rows)}

```
LIT_VISION_RECORD=docs/results/reliability.jsonl pytest -m "slow or not slow" {" ".join(files)}
python docs/results/render.py
```

## Files from others

Generated cases, other than those of the tests. A case failed that ended in a traceback or did not end in time; none ran
a program that a file named, or overwrote a file elsewhere. The first four lines are from before their fixes, but whole
numbers beyond 64 bits were refused before YAML was counted; `tests/security/test_values.py` holds what failed. Of the
others the same cases were tried before and after; there a message of more than three lines, or of a line longer than
1,000 characters, failed too, and a case had five seconds. `tests/security/hostile.py` makes them.

{table(["files", "tried", "held", "failed", "date", "code"], [hostile_row(entry) for entry in hostile])}

## Tried by hand

Commands of somebody who knew the pages alone, on other data, slips included. What held did what the pages say, or ended
in at most three lines with what to do; what was fixed has a test, the rest of what failed has not been mended.

{table(["date", "what", "tried", "held", "fixed"], uses)}
"""


def hostile_row(entry):
    return [entry[name] for name in ("of", "tried", "held", "failed", "date", "code")]


def told(entry):
    """What else a line of `reliability` says."""
    names = ("by_phase", "runs", "world_size", "world_sizes", "seconds")
    kept = {name.replace("_", " "): entry[name] for name in names if name in entry}
    if "by phase" in kept:
        kept |= kept.pop("by phase")
    return ", ".join(f"{name}: {value}" for name, value in kept.items()) or "-"


def digits_sweep():
    """Twelve trials by two agents, one of which was killed."""
    found = sorted(lines("digits_sweep"), key=lambda entry: entry["sweep"]["trial"])
    keys = list(found[0]["sweep"]["parameters"])
    rows = [
        (
            entry["sweep"]["trial"],
            *(entry["sweep"]["parameters"][key] for key in keys),
            *(f"{entry['watched_error'][-1]:.2f}", f"{entry['figures']['test/error']:.2f}", entry["steps"]),
            ", ".join(map(str, entry["continued_at"])) or "-",
        )
        for entry in found
    ]
    continued = [entry["sweep"]["trial"] for entry in found if entry["continued_at"]]
    return f"""# A sweep of the quickstart by two agents, one of them killed

Handwritten digits, learning rate and weight decay, {len(found)} points. Two agents worked on one study; the first was
ended by SIGKILL while it had a trial in hand. The other continued that trial (number {", ".join(map(str, continued))})
from its checkpoint and did the rest: every planned point once. Code {found[0]["code"]}.

{table(["trial", *keys, "validation error %", "test error %", "iterations", "continued at iteration"], rows)}

```
lit-vision sweep run digits &        # the one that was killed: kill -9 of its process
lit-vision sweep run digits
lit-vision report runs               # tables of these and of all other runs
lit-vision dashboard runs --no-serve # the pages, see docs/pictures
```
"""


def readme():
    """The README with its sentence on how much of the papers' tables is here."""
    found = coverage.of_papers(exhibits.papers())
    sentence = (
        f"Of the {found.own} lines that the five papers' tables print for the authors' own systems, {found.rows} have "
        f"a row\nthat runs, and {found.judged} of these rows know the printed figure that judges them. "
        f"{trained_in_full()} of them\nhas been trained at the paper's scale here. "
        "[coverage.md](docs/coverage.md) lists every line."
    )
    before, rest = README.read_text().split(COUNTED[0])
    return f"{before}{COUNTED[0]}{sentence}{COUNTED[1]}{rest.split(COUNTED[1], 1)[1]}"


def trained_in_full():
    """How many of the rows with a printed figure were trained as the paper did."""
    known = marks.evidence()
    printed = [
        (recipe, row) for recipe, _, row, entry in recipes.every_row() if entry.source == "paper" and entry.value
    ]
    return sum("full" in known.get(recipe, {}).get(row, {}) for recipe, row in printed) or "None"


def covered():
    """What `lit-vision recipes coverage` prints, as a page."""
    return markdown.render(coverage_page.document(list(exhibits.papers())), COVERAGE.parent)


def claims():
    """What `lit-vision claims verdict --all --from docs/results/claims.jsonl --out docs/results/claims.md` writes."""
    kept = claim_runs.read(HERE / "claims.jsonl")
    family = [claim_verdicts.judge(claim, kept) for claim in fixed.every()]
    return markdown.render(claims_page.document(family, family, HERE / "claims"), HERE)


def figures():
    found = lines("figures")
    costs = [entry for entry in found if entry["metric"] == "analysis/multiply_adds"]
    losses = [entry for entry in found if entry["metric"].startswith("analysis/reduction")]
    shares = next(e["figures"] for e in found if e["of"] == "quickstart/digit_scenes: loss shares")
    cost_table = table(
        ["row", "multiply-adds (1e9)", "printed", "verdict", "parameters (1e6)"],
        [
            (
                *(entry["of"], f"{entry['figures'][entry['metric']]:.3f}", printed(entry, entry["metric"])),
                *(entry["verdicts"][entry["metric"]], f"{entry['figures']['analysis/parameters']:.2f}"),
            )
            for entry in costs
        ],
    )
    pictures = "\n\n".join(f"![{caption}](pictures/{name}.png)" for name, caption in DRAWN.items())
    responses = next(e["figures"] for e in found if e["of"] == "resnet/cifar10: Figure 7")
    slope = next(
        e["figures"][e["metric"]] for e in found if e["of"] == "resnet/cifar10: signals of plain-56 at the start"
    )
    return FIGURES.format(
        costs=cost_table,
        relations=held(costs),
        numbers=numbers([entry for entry in found if entry["of"].startswith("rectifiers/variance")]),
        losses=numbers(losses),
        fading=held(losses),
        background=by_gamma(shares, "analysis/background_hardest1"),
        foreground=by_gamma(shares, "analysis/foreground_hardest20"),
        pictures=pictures,
        weaker=" and ".join(f"{responses[f'analysis/weaker/resnet-{depth}']:.0f} %" for depth in (20, 56)),
        growth=100 * (2**slope - 1),
    )


def numbers(found):
    """The judged figures of analyses, as a table."""
    return table(
        ["row", "figure", "here", "printed", "verdict"],
        [
            (entry["of"], name, f"{entry['figures'][name]:.5g}", printed(entry, name), verdict)
            for entry in found
            for name, verdict in entry["verdicts"].items()
        ],
    )


def by_gamma(shares, figure):
    """A share at each gamma, in words."""
    *first, last = (f"{shares[f'{figure}/gamma {gamma}']:.0f}" for gamma in ("0", "0.5", "1", "2"))
    return f"{', '.join(first)} and {last} %"


def printed(entry, name):
    """What the paper prints of a figure."""
    recipe, _, row = entry["of"].partition(": ")
    said = recipes.read_card(recipe).row(row)
    value = said.value if name == said.metric else said.also.get(name)
    return "-" if value is None else f"{value:g}"


def held(found):
    """Relations of the recipes that these analyses decide, as a table."""
    by_row = {entry["of"]: entry for entry in found if not entry["changed"]}
    decided = []
    for recipe in dict.fromkeys(name.partition(": ")[0] for name in by_row):
        for relation in recipes.read_card(recipe).relations:
            judged = relations.judge(relation.expr, lambda reference, recipe=recipe: of_row(by_row, recipe, reference))
            if judged.word != "not run":
                decided.append((recipe, relation.id, relation.claim or "-", relation.where, judged.word))
    return table(["recipe", "relation", "claim", "where", "verdict"], decided)


def of_row(by_row, recipe, reference):
    """A figure of a row by its seed; of what is printed by none."""
    if reference.printed:
        return {None: recipes.read_card(reference.recipe or recipe).printed(reference)}
    entry = by_row.get(f"{reference.recipe or recipe}: {reference.row}")
    figure = entry and entry["figures"].get(reference.metric or entry["metric"])
    return {} if figure is None else {entry["seed"]: figure}


DRAWN = {
    "rectifiers_variance_figure_1": "ReLU and PReLU from -3 to 3, each by its own code (rectifiers, Figure 1)",
    "rectifiers_variance_gradient_of_a_constant_deviation": "ten layers: standard deviations, and the gradient",
    "resnet_costs_34_layers": "multiply-adds of each layer of ResNet-34; the bars of equal height are the design rule",
    "resnet_costs_bottleneck": "multiply-adds of each layer of a bottleneck (Figure 5, right)",
    "resnet_cifar10_signals_of_plain-56_at_the_start": "variance and gradients in plain-56 before the first step",
    "resnet_cifar10_figure_1": "digits, 150 iterations: errors of plain-20 and plain-56 (ResNet, Figure 1)",
    "resnet_cifar10_figure_7": "digits, 150 iterations: layer responses of five nets (ResNet, Figure 7)",
    "cifar10_jpeg_figure_6_left": "training error of plain-20 and plain-56, 1,500 iterations",
    "cifar10_jpeg_figure_6_middle": "training error of ResNet-20 and ResNet-56, 1,500 iterations",
    "retinanet_r50_fpn_coco_figure_1": "cross-entropy and focal losses by probability (RetinaNet, Figure 1)",
    "retinanet_r50_fpn_coco_figure_5": "losses by logit, FL* too (RetinaNet, Figure 5)",
    "retinanet_r50_fpn_coco_figure_6": "their derivatives (RetinaNet, Figure 6)",
    "quickstart_digit_scenes_loss_shares": "digit scenes, 250 iterations: cumulative losses (RetinaNet, Figure 4)",
}

FIGURES = """# Figures of the papers, drawn here

Every picture on this page is the plot of an analysis, drawn from the files of this folder by
`python docs/results/figures.py draw`. What stands on no training is at the paper's own size. Curves, responses and
signals are at stand-in scale; compare them with one another only.

```
lit-vision test --config resnet/costs --row "34 layers"
lit-vision test --config rectifiers/variance --row "Figure 1"
lit-vision test --config rectifiers/variance --row "standard deviations"
lit-vision test --config retinanet/r50_fpn_coco --row "Figure 1"
```

## Costs (ResNet, Table 1, Figures 3 and 5; rectifiers, Table 3)

{costs}

{relations}

## Standard deviations and shapes (rectifiers, Section 2.2 and Figure 1)

{numbers}

## Focal losses (RetinaNet, Figures 1, 5 and 6)

How many times smaller a loss is than cross-entropy, where the right answer has a probability of 50 or 90 %; in Figure 6
its derivative. The paper's text says 100, and at most 4.

{losses}

{fading}

## Pictures

The error curves of Figure 6 are those of [CIFAR-10 (JPEG)](cifar10_jpeg.md), first seed, 1,500 iterations in place of
64,000: training thin and dashed, and the test error at the end as a dot, for these runs did not validate on the way.
The signals are of plain-56 as its recipe starts, on 128 test images of CIFAR-10 (JPEG): the norm of the gradient grows
by {growth:.0f} % per layer on its way back, and does not vanish.

Figures 1 and 7 are of five nets, each trained once for 150 iterations of 64 handwritten digits (8 pixels), the rate
divided by 10 at 100 and 130. The deeper plain net errs more, as in the paper. Of 20 and of 56 layers the residual net
responds less than the plain one in most layers ({weaker}), as in the paper. But here responses grow with the depth of
residual nets: so short a training decides nothing.

```
lit-vision fit --config resnet/cifar10 --row plain-20 --data lit_vision.data.digits.Digits --data.batch_size 64 \\
  --model.schedule.class_path torch.optim.lr_scheduler.MultiStepLR --model.schedule.milestones "[100, 130]" \\
  --model.schedule.gamma 0.1 --trainer.max_steps 150 --trainer.val_check_interval 10 --trainer.log_every_n_steps 5
lit-vision test --config resnet/cifar10 --row "Figure 7"
```

The cumulative losses of RetinaNet's Figure 4 are those of the light detector of the [digit scenes](digit_scenes.md)
after 250 iterations in place of 700, on all of its test images. At gamma 0, 0.5, 1 and 2 the hardest percent of the
background's anchors has {background} of the background's loss; the hardest fifth of the foreground
has {foreground} of the foreground's. So gamma leaves the background to a few, and changes the foreground less,
as in the paper. There the hardest fifth of the foreground has about half of its loss; after so short a training it has
hardly more than a fifth.

```
lit-vision fit --config quickstart/digit_scenes --trainer.max_steps 250 --model.schedule.steps 250
lit-vision test --config quickstart/digit_scenes --row "loss shares" --run RUN
```

{pictures}
"""


PAGES = {
    "cifar10_jpeg": cifar10_jpeg,
    "trainers": trainers,
    "imagenet_photographs": imagenet_photographs,
    "digits": digits,
    "overfit_coco": overfit_coco,
    "blood_cells": blood_cells,
    "blood_cells_regions": regions_page.page,
    "digit_scenes": digit_scenes,
    "benchmarks": benchmarks,
    "reliability": reliability,
    "digits_sweep": digits_sweep,
    "claims": claims,
    "figures": figures,
}


def main(arguments):
    if arguments[:1] == ["--collect"]:
        collect(arguments[1], arguments[2:])
        return 0
    wrong = []
    files = {README: readme, COVERAGE: covered, **{HERE / f"{name}.md": page for name, page in PAGES.items()}}
    for file, page in files.items():
        text = page()
        if arguments == ["--check"]:
            wrong += [file.name] if not file.is_file() or file.read_text() != text else []
        else:
            file.write_text(text)
    if wrong:
        print(f"not as rendered: {', '.join(wrong)}; run python docs/results/render.py")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
