"""BatchNorm statistics measured anew on training images before a test: the practice of the ResNet paper's authors."""

import copy
from itertools import chain, zip_longest

import torch
from torch import Tensor, nn

from lit_vision import distributed
from lit_vision.errors import InputError
from lit_vision.models import batch_statistics
from lit_vision.models.batch_statistics import Statistics
from lit_vision.protocols.base import ClassProtocol, TrainingImages
from lit_vision.protocols.plain import Plain


class Recomputed(ClassProtocol):
    """Looks by a copy of the network whose BatchNorm statistics are averages over many training images.

    The authors average over a large training batch after training instead of keeping moving averages (README of
    KaimingHe/deep-residual-networks; they see the error change by less than 0.1). They print neither the number of
    images nor their mini-batches'; here each layer's mean and unbiased variance are averaged over mini-batches, in each
    of which all layers normalise by that mini-batch, as in training. The images are those of the training pipeline with
    its augmentation, the same for each run and any number of processes: each measures a share of the mini-batches.

    The network itself is never touched, so that training goes on as if nobody had looked.

    Args:
        of: How the copy looks at an image; plainly if None.
        images: Training images that are looked at, whole mini-batches of them; fewer where there are fewer.
        batch: Images of one mini-batch; 32 is what each of the authors' eight GPUs saw.

    Attributes:
        alters: See `Protocol`.

    Raises:
        InputError: Either number is below 1, or a mini-batch is larger than `images`.
    """

    def __init__(self, of: ClassProtocol | None = None, images: int = 8192, batch: int = 32) -> None:
        if not 1 <= batch <= images:
            raise InputError(
                f"protocol Recomputed: batch is {batch} and images is {images}; a mini-batch needs an image at least,\n"
                "and images must hold one mini-batch or more"
            )
        self.of = of or Plain()
        self.images = images
        self.batch = batch
        self.alters = ""
        self._copies: dict[nn.Module, nn.Module] = {}

    def begin(self, network: nn.Module, training: TrainingImages) -> None:
        """Measures, and makes the copy; all processes together.

        Raises:
            InputError: The network has no BatchNorm that keeps statistics.
        """
        if not batch_statistics.layers(network):
            raise InputError(
                f"protocol Recomputed measures BatchNorm statistics, but {type(network).__name__} has no such layer; "
                "leave it out"
            )
        evaluated = copy.deepcopy(network).eval()
        # The precision of a test may be lower; statistics are too few numbers to save there.
        with torch.autocast("cuda", enabled=False), torch.autocast("cpu", enabled=False):
            mine = [batch_statistics.measure(evaluated, views) for views in training(network, self.images, self.batch)]
        everybody_s = _in_order(distributed.gather_everywhere(mine))
        batch_statistics.use(evaluated, batch_statistics.average(everybody_s))
        self._copies[network] = evaluated
        count = len(everybody_s)
        batches = f"{count} batch{'es' * (count > 1)} of {self.batch}"
        self.alters = f"BatchNorm statistics averaged over {count * self.batch:,} training images in {batches}"
        self.of.begin(evaluated, training)

    def score(self, network: nn.Module, images: Tensor, sizes: Tensor) -> Tensor:
        """What the copy says.

        Raises:
            InputError: Nothing was measured: there are no training images where single pictures are predicted.
        """
        if network not in self._copies:
            raise InputError(
                "protocol Recomputed measures on training images, and there are none here;\n"
                "it is for validate and test, whose data bring them"
            )
        return self.of.score(self._copies[network], images, sizes)


def _in_order(parts: list[list[Statistics]]) -> list[Statistics]:
    """The batches as they were dealt: batch `b` to process `b % processes`."""
    return [batch for batch in chain.from_iterable(zip_longest(*parts)) if batch is not None]
