"""Run folders made by hand, as small as what report and comparison read."""

import json

import yaml

CODE = "0.1.0+aaaaaaaaaaaa"


def result(recipe="resnet/cifar10", row="resnet-20", seed=1, changed=None, **other):
    """What `result.json` of such a run holds; `figures` gives the figures, the first one is the judged."""
    figures = other.pop("figures", {"test/error": 8.75})
    content = {
        "recipe": recipe,
        "row": row,
        "where": "Table 6, ResNet-20",
        "metric": next(iter(figures), "test/error"),
        "value": next(iter(figures.values()), None),
        "expected": 8.75,
        "tolerance": 0.5,
        "claim": "",
        "also": {},
        "split": "test",
        "verdict": "reproduced",
        "stand_in": bool(changed),
        "changed": changed or {},
        "figures": figures,
        "seed": seed,
        "steps": 64000,
        "samples_seen": 8_192_000,
        "duration_s": 3600.0,
        "data": {"name": "CIFAR10", "fingerprint": "f00d"},
        "hardware": {"device": "H100", "devices": 1, "nodes": 1, "precision": "32-true", "threads": 8},
        "code": CODE,
        "packages": {"torch": "2.14.1", "numpy": "2.4.6"},
        "card": {},
        "relations": {},
    }
    return content | other


def write(folder, curve=(), per_image=(), diagnosis=None, finished=True, config=None, sweep=None, time=0.0, **content):
    """Writes a run's folder and returns it.

    Args:
        folder: Where.
        curve: Lines of `metrics.jsonl`, each a step and its figures.
        per_image: Lines of `per_image.jsonl`.
        diagnosis: Content of `diagnosis.json`.
        finished: Whether there is a `result.json`.
        config: Content of `config.yaml`; one with the seed and the changes when left out.
        sweep: What `run.json` says of a sweep.
        time: Seconds since 1970 of the last logged line.
        content: See `result`.
    """
    folder.mkdir(parents=True)
    told = result(**content)
    if finished:
        (folder / "result.json").write_text(json.dumps(told))
    state = {"recipe": told["recipe"], "row": told["row"], "digest": "d", "wandb_id": folder.name[-8:]}
    (folder / "run.json").write_text(json.dumps(state | ({"sweep": sweep} if sweep else {})))
    if config is None:
        config = nested({"seed_everything": told["seed"], "trainer.max_steps": 64000} | told["changed"])
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    lines = [{"step": step, "time": time, **figures} for step, figures in curve] or [{"step": 1, "time": time}]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    if per_image:
        (folder / "per_image.jsonl").write_text("".join(json.dumps(line) + "\n" for line in per_image))
    if diagnosis:
        (folder / "diagnosis.json").write_text(json.dumps(diagnosis))
    return folder


def nested(leaves):
    """A mapping of mappings from dotted keys."""
    content = {}
    for key, value in leaves.items():
        *above, name = key.split(".")
        inner = content
        for part in above:
            inner = inner.setdefault(part, {})
        inner[name] = value
    return content
