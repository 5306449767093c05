"""Run folders for the dashboard's tests, made without training: every figure in them is invented.

python tests/report/dashboard_runs.py FOLDER       a project with every section filled
python tests/report/dashboard_runs.py FOLDER 200   two hundred trials, for benchmarks/dashboard_load.py
"""

import json
import math
import random
import sys
from pathlib import Path

from PIL import Image, ImageDraw

CIFAR = {
    "paper": "1512.03385",
    "title": "CIFAR-10, plain and residual networks",
    "metric": "test/error",
    "rows": {
        "resnet-20": {"where": "Table 6, ResNet-20", "value": 8.75, "tolerance": 0.5, "default": True},
        "resnet-32": {"where": "Table 6, ResNet-32", "value": 7.51, "tolerance": 0.5, "set": {"model.depth": 32}},
    },
}
ANIMALS = ["cat", "dog", "horse", "sheep"]
KINDS = ("classification", "localisation", "both", "duplicate", "background", "missed")


def write(folder, result=None, state=None, config=None, lines=(), diagnosis=None):
    """One run folder."""
    folder.mkdir(parents=True)
    if result:
        (folder / "result.json").write_text(json.dumps(result))
    (folder / "run.json").write_text(json.dumps(state or {}))
    (folder / "config.yaml").write_text(json.dumps(config or {}))  # JSON is YAML
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    if diagnosis:
        (folder / "diagnosis.json").write_text(json.dumps(diagnosis))
    return folder


def result(recipe, row, value, seed=1, expected=None, verdict="stand-in", metric="test/error", **more):
    return {
        "recipe": recipe,
        "row": row,
        "where": "",
        "metric": metric,
        "value": value,
        "expected": expected,
        "tolerance": 0.5,
        "claim": "",
        "also": {},
        "split": "test",
        "verdict": verdict,
        "stand_in": verdict == "stand-in",
        "changed": {},
        "figures": {metric: value},
        "seed": seed,
        "steps": 400,
        "samples_seen": 400 * 64,
        "duration_s": 90.0,
        "data": {"name": "Invented", "fingerprint": "0123456789abcdef"},
        "hardware": {"device": "x86_64", "devices": 1, "nodes": 1, "precision": "32-true", "threads": 2},
        "code": "0.1.0+000000000000",
        "packages": {"torch": "2.14.1"},
        "card": {},
        "relations": {},
    } | more


def learning(steps=400, every=20, end=1.0, overfit_from=None, wait_s=0.002, seed=0, metric="error"):
    """Lines of `metrics.jsonl`: 64 images a step at 3,200 a second, so a step takes 20 ms."""
    noise = random.Random(seed)
    for step in range(every, steps + 1, every):
        done = step / steps
        error = end + 80 * math.exp(-6 * done) + noise.uniform(0, 0.2)
        yield {
            **{"step": step, "time": 1_795_519_231 + step / 10, f"train/{metric}": error, "train/loss": error / 30},
            **{"lr": 0.1 * (1 - done), "rank0/images_per_s": 3200.0, "rank0/data_wait_s": wait_s},
            "rank0/memory_mib": 800 + done,
        }
        if step % (5 * every) == 0:
            late = max(0, step - (overfit_from or steps)) / steps
            yield {
                **{"step": step, "time": 1_795_519_231 + step / 10, f"val/{metric}": error + 0.3 + 30 * late},
                "val/loss": error / 30 + 0.01 + 3 * late,
            }


def classification_diagnosis():
    confusion = [[0, 0, 45], [0, 1, 5], [1, 1, 49], [1, 0, 1], [2, 2, 50], [3, 3, 48], [3, 2, 2]]
    mistakes = [
        {"image": 7, "name": "7", "truth": 0, "predicted": 1, "score": 0.99, "picture": "diagnosis/mistake_00.jpg"},
        {"image": 9, "name": "9", "truth": 3, "predicted": 2, "score": 0.87, "picture": "diagnosis/mistake_01.jpg"},
    ]
    errors = {"cat": 10.0, "dog": 2.0, "horse": 0.0, "sheep": 4.0}
    return {
        **{"version": 1, "task": "classification", "split": "test", "class_names": ANIMALS, "images": 200},
        **{"confusion": confusion, "mistakes": mistakes, "calibration_error": 3.2},
        "per_class": [{"class": name, "count": 50, "error": error} for name, error in errors.items()],
        "calibration": [
            {"low": low / 10, "high": low / 10 + 0.1, "score": low / 10 + 0.05, "accuracy": low / 11, "count": 20}
            for low in range(10)
        ],
    }


def _costs(scale, dearest):
    found = {kind: {"count": 3, "delta": scale / 4} for kind in KINDS}
    found[dearest] = {"count": 17, "delta": scale}
    return found | {"ap50": 60.0, "false_positive": {"delta": scale}, "false_negative": {"delta": scale}}


def detection_diagnosis():
    recall = [index / 100 for index in range(101)]
    curve = {"recall": recall, "precision": [1 - r**3 for r in recall], "score": [1 - r for r in recall]}
    return {
        **{"version": 1, "task": "detection", "split": "test", "class_names": ANIMALS[:2], "images": 12},
        "per_class": [
            {"class": "cat", "count": 40, "ap": 51.5, "ap50": 80.1},
            {"class": "dog", "count": 30, "ap": 22.25, "ap50": 40.4},
            {"class": "horse", "count": 0, "ap": None, "ap50": None},
        ],
        "errors": {
            "all": _costs(8.4, "missed"),
            "by_class": {"cat": _costs(2.0, "duplicate"), "dog": _costs(11.0, "missed")},
            "by_size": {"small": _costs(9.0, "missed"), "medium": _costs(2, "both"), "large": _costs(1, "background")},
        },
        "precision_recall": {"all": curve, "cat": curve, "dog": curve},
        "recall_iou": {"iou": [0.5, 0.75, 1.0], "recall": [0.8, 0.5, 0.0]},
        "calibration": [{"low": 0.5, "high": 0.6, "score": 0.55, "accuracy": 0.4, "count": 10}],
        "calibration_error": 15.0,
        "worst": [
            {
                "image": n,
                "name": f"{n:04}.jpg",
                "f1": n / 10,
                "wrong": 5 - n,
                "missed": 2,
                "picture": f"diagnosis/worst_{n:02}.jpg",
            }
            for n in range(5)
        ],
    }


def draw(folder, names, size=(320, 160)):
    """Pictures of coloured boxes."""
    folder.mkdir()
    for number, name in enumerate(names):
        image = Image.new("RGB", size, (230, 232, 235))
        pen = ImageDraw.Draw(image)
        for box in range(4):
            left = 12 + 70 * box + 5 * number % 40
            pen.rectangle((left, 30, left + 40, 90 + 8 * box), outline=(31, 95, 168), width=3)
        image.save(folder / name)


def classifier(root, **more):
    """ResNet-20 on three seeds: reproduced."""
    for seed, value in ((1, 8.6), (2, 8.9), (3, 8.7)):
        folder = write(
            root / "resnet" / "cifar10" / "resnet-20" / f"20261124-0800{seed:02}-aaaa",
            result(
                "resnet/cifar10",
                "resnet-20",
                value,
                seed,
                8.75,
                "reproduced",
                card=CIFAR,
                where="Table 6, ResNet-20",
                **more,
            ),
            {"recipe": "resnet/cifar10", "row": "resnet-20", "wandb_id": f"w{seed}"},
            {"card": CIFAR, "seed_everything": seed, "data": {"init_args": {"batch_size": 64}}},
            learning(end=value, seed=seed),
            classification_diagnosis(),
        )
        draw(folder / "diagnosis", ["mistake_00.jpg", "mistake_01.jpg"], (32, 32))
    return folder


def overfitted(root):
    """ResNet-32: missed by 2.49 points, overfits from step 200 on, waits for data half of its time."""
    return write(
        root / "resnet" / "cifar10" / "resnet-32" / "20261124-090000-bbbb",
        result("resnet/cifar10", "resnet-32", 10.0, 1, 7.51, "missed (worse)", card=CIFAR, where="Table 6, ResNet-32"),
        {"recipe": "resnet/cifar10", "row": "resnet-32"},
        {"card": CIFAR, "seed_everything": 1},
        learning(end=2.0, overfit_from=200, wait_s=0.010),
    )


def detector(root):
    """Digit scenes with a diagnosis and five pictures."""
    figures = {"test/ap": 36.9, "test/ap50": 60.0, "test/ap/cat": 51.5, "test/ap/dog": 22.25}
    lines = [line for line in learning(metric="cls") if "val/cls" not in line]
    lines += [
        {"step": step, "time": 1_795_519_300.0, "val/ap": step / 12, "val/ap50": step / 8}
        for step in (100, 200, 300, 400)
    ]
    folder = write(
        root / "quickstart" / "digit_scenes" / "digit-scenes" / "20261124-100000-cccc",
        result(
            "quickstart/digit_scenes",
            "digit scenes",
            36.9,
            metric="test/ap",
            verdict="no number printed",
            figures=figures,
        ),
        {"recipe": "quickstart/digit_scenes", "row": "digit scenes"},
        {"card": {"metric": "test/ap"}, "seed_everything": 1},
        sorted(lines, key=lambda line: line["step"]),
        detection_diagnosis(),
    )
    draw(folder / "diagnosis", [f"worst_{number:02}.jpg" for number in range(5)])
    return folder


def sweep(root, trials=6, name="digits-rates"):
    """A grid over rate and weight decay, the last trial unfinished.

    By the validation that the sweep ranks by, trial 4 is best with rate 0.1 and decay 0.0001; the test set prefers
    trial 0. Of 200 test images, trial t gets t wrong, so that none differs from another by more than chance.
    """
    for trial in range(trials):
        parameters = {
            "model.optimizer.lr": (0.01, 0.1, 1.0)[trial % 3],
            "model.optimizer.weight_decay": (0.001, 0.0001)[trial % 6 // 3],
        }
        value = 2.0 + abs(math.log10(parameters["model.optimizer.lr"]) + 1) - (trial % 6 == 4) + trial // 6 * 0.01
        last = trial == trials - 1
        lines = list(learning(steps=200 if last else 400, end=value, seed=trial))
        if not last:
            lines.append({"step": 400, "time": 1_795_519_271.5, "val/error": value, "val/loss": value / 30})
        folder = write(
            root / "quickstart" / "digits" / "digits" / f"sweep-{name}-{trial:03}",
            None if last else result("quickstart/digits", "digits", trial / 2, 1, 1.5, changed=parameters),
            {
                "recipe": "quickstart/digits",
                "row": "digits",
                "sweep": {
                    **{"name": name, "trial": trial, "parameters": parameters},
                    **{"metric": "val/error", "goal": "minimize"},
                },
            },
            {"card": {"metric": "test/error"}, "seed_everything": 1, "trainer": {"max_steps": 400}}
            | {"model": {"optimizer": {key.split(".")[-1]: value for key, value in parameters.items()}}}
            | {"origin": {"changed": list(parameters)}},
            lines,
        )
        if not last:
            images = [{"image": n, "truth": 1, "predicted": int(n >= trial), "score": 0.9} for n in range(200)]
            (folder / "per_image.jsonl").write_text("".join(json.dumps(line) + "\n" for line in images))


def project(root):
    """Runs that fill every section of both pages."""
    classifier(root)
    overfitted(root)
    detector(root)
    sweep(root)
    return root


def many(root, count):
    """Long runs, each with five curves of a thousand steps."""
    for number in range(count):
        parameters = {"model.optimizer.lr": 10 ** -(number % 7 / 2), "data.batch_size": 32 << (number % 5)}
        value = 1 + number % 13 / 3
        write(
            root / "quickstart" / "digits" / "digits" / f"trial-{number:03}",
            result("quickstart/digits", "digits", value, 1, 1.5, changed=parameters),
            {
                "recipe": "quickstart/digits",
                "row": "digits",
                "sweep": {"name": "many", "trial": number, "parameters": parameters},
            },
            {"card": {"metric": "test/error"}, "seed_everything": 1},
            learning(steps=20_000, every=20, end=value, seed=number),
        )
    return root


if __name__ == "__main__":
    target = Path(sys.argv[1])
    many(target, int(sys.argv[2])) if len(sys.argv) > 2 else project(target)
