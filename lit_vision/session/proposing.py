"""A stage that proposes: an earlier stage looks at whole splits, and its regions become one file per split."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import lightning as L
import torch
from torch import Tensor

from lit_vision import console
from lit_vision.data.formats import proposals
from lit_vision.data.pipelines.sampler import EvalBatches
from lit_vision.errors import InputError
from lit_vision.experiment import compose, yamlio
from lit_vision.experiment.recipes import Experiment
from lit_vision.experiment.stages import Stage
from lit_vision.models.detector import Detector
from lit_vision.models.rpn import RPN, ProposalNetwork
from lit_vision.ops import pixels
from lit_vision.ops.selection import Selection
from lit_vision.runs import checkpoints
from lit_vision.runs import folder as runs
from lit_vision.runs.folder import RunFolder
from lit_vision.session.assembler import assemble
from lit_vision.types import Detections

SUMMARY = "proposals.json"  # written last: its presence says that the stage is done


def hand_on(stage: Stage, experiment: Experiment, run: RunFolder) -> None:
    """Gives a stage the regions that it trains and tests on.

    Args:
        stage: One whose proposing stage is done; or one that needs no regions.
        experiment: What it runs; its data get one file per split.
        run: The run that the stages belong to.
    """
    if stage.proposals:
        found = {file.stem: str(file) for file in sorted(run.stage(stage.proposals).path.glob("*.npz"))}
        compose.set_key(experiment.config, "data.proposals", found)


def propose(source: RunFolder, folder: Path, splits: Sequence[str], limit: int | None) -> None:
    """Writes the regions that a trained network proposes for some splits, unless it was done before.

    Args:
        source: Folder of the stage that trained the network.
        folder: Where the files go.
        splits: Their names; none for all that the data have.
        limit: Regions of an image; None for as many as the network keeps, in training or in detection.

    Raises:
        InputError: The network is no detector, or the data have no such split.
    """
    if (folder / SUMMARY).is_file():
        return
    model, data, trainer = _trained(source)
    wanted = dict.fromkeys(_split_of(name, data) for name in splits or data.splits)
    part = model.network.proposals
    kept = {split: _kept(part, split, limit) for split in wanted}
    written = {}
    for split in wanted:
        part.test_selection = kept[split]
        console.say(f"proposing regions for {len(data.splits[split])} images of {split}")
        with trainer.precision_plugin.forward_context():  # as the joined network proposes in a test
            found = _of_split(model.network, data, split, trainer.strategy.root_device)
        proposals.write(folder / f"{split}.npz", found)
        written[split] = {"images": len(found), "regions": len(found.boxes)}
    runs.write_json(folder / SUMMARY, {"of": source.path.name, "limit": limit, "splits": written})


def _trained(source: RunFolder) -> tuple[Any, Any, L.Trainer]:
    """Model in evaluation mode on its device, data that are read, and the stage's trainer."""
    config = {key: value for key, value in yamlio.load(source.config).items() if key not in ("card", "origin")}
    assembler = assemble(Experiment(str(source.config), config=checkpoints.without_downloads(config)), [])
    assembler.build()
    model, data = assembler.model, assembler.datamodule
    network = getattr(model, "network", None)
    if not isinstance(network, RPN):
        raise InputError(f"{source.path}: {type(network).__name__} proposes no regions; name a stage with RPN")
    model.load_state_dict(checkpoints.read(str(source.last))["state_dict"])
    data.setup("test")
    trainer = assembler.trainer
    model = trainer.precision_plugin.convert_module(model.eval())
    return model.to(trainer.strategy.root_device), data, trainer


def _split_of(name: str, data: Any) -> str:
    """The data's own split: what is tested on where there is no test split is `val`."""
    split = data.test_split if name == "test" else name
    if split not in data.splits:
        raise InputError(f"propose: {type(data).__name__} has no split {name!r}, only {', '.join(data.splits)}")
    return str(split)


def _kept(part: ProposalNetwork, split: str, limit: int | None) -> Selection:
    """What is kept of an image: of training images as in joint training, of all others as in detection."""
    kept = part.train_selection if split == "train" else part.test_selection
    return kept if limit is None else kept.keeping(limit)


@torch.no_grad()
def _of_split(network: Detector, data: Any, split: str, device: torch.device) -> proposals.Proposals:
    annotations = data.splits[split]
    batches = EvalBatches(len(annotations), data.eval_batch_size, groups=data.eval_groups(annotations))
    names = dict(zip(annotations.image_ids.tolist(), annotations.names, strict=True))
    seen: list[str] = []
    boxes: list[Tensor] = []
    scores: list[Tensor] = []
    for batch in data.pipeline.eval_loader(annotations, batches, data.num_workers):
        found = network.detect(batch.images.to(device), batch.sizes.to(device))
        for one, size, target in zip(found, batch.sizes, batch.targets, strict=True):
            in_file = pixels.to_original(Detections(*(value.cpu() for value in one)), size, target.original_size)
            seen.append(names[int(target.image_id)])
            boxes.append(in_file.boxes)
            scores.append(in_file.scores)
    return proposals.join(seen, boxes, scores)
