"""How signals and gradients travel through deep rectified networks at initialisation (1502.01852, Section 2.2)."""

from typing import Any, ClassVar, Literal

import lightning as L
import torch
from torch import Tensor, nn

from lit_vision.experiment import figures
from lit_vision.metrics.mean import ExactMean
from lit_vision.ops import init
from lit_vision.types import Batch

Rule = Literal["he", "xavier"]


class SignalPropagation(L.LightningModule):
    """Measures the slope of log2 variance per layer, forward (Eq. 9) and backward (Eq. 13), on real images.

    `test/forward_slope` and `test/backward_slope` are least-squares slopes over the layers: 0 where the signal keeps
    its variance, -1 where each layer halves it. Nothing is trained. Layers are square, so that fan-in and fan-out are
    equal and one weight satisfies both Equation 10 and Equation 14.

    Args:
        init: `he` draws weights of variance 2/n, `xavier` of 1/n (Section 2.2).
        depth: Rectified layers, L.
        width: Units of each layer, n.
    """

    logs: ClassVar = figures.SLOPES

    def __init__(self, init: Rule = "he", depth: int = 30, width: int = 512) -> None:
        super().__init__()
        self.width = width
        self.layers = nn.ModuleList(nn.Linear(width, width, bias=False) for _ in range(depth))
        self.forward_slope, self.backward_slope = ExactMean(), ExactMean()
        for layer in self.layers:
            draw(layer.weight, init)  # type: ignore[arg-type]

    def test_step(self, batch: Batch[Tensor], batch_idx: int) -> None:
        """Sends one batch forward and a random gradient backward."""
        # By the batch's number in the split, whichever process gets it: figures are the same on any number of them.
        noise = torch.Generator().manual_seed(batch_idx * self.trainer.world_size + self.global_rank)
        forward, backward = self.variances(self._project(batch.images), noise)
        self.forward_slope.update(slope(forward), len(batch.images))
        # Gradients travel from the last layer to the first: counted along their way, as Equation 13 multiplies.
        self.backward_slope.update(slope(backward.flip(0)), len(batch.images))

    def on_test_epoch_end(self) -> None:
        """Logs both slopes, means over the images."""
        self.log("test/forward_slope", self.forward_slope.compute())
        self.log("test/backward_slope", self.backward_slope.compute())

    def variances(self, signal: Tensor, noise: torch.Generator) -> tuple[Tensor, Tensor]:
        """Variance of the responses y_l and of the gradients dx_l, per layer.

        Args:
            signal: [B, width], the input of the first layer.
            noise: Draws the gradient of the last layer's responses; on the CPU.

        Returns:
            Two [depth] tensors: Var[y_l] of Eq. 9 and Var[dx_l] of Eq. 13.
        """
        with torch.inference_mode(False), torch.enable_grad():
            inputs, responses = [], []
            x = signal.clone().requires_grad_()
            for layer in self.layers:
                inputs.append(x)
                y = layer(x)
                responses.append(y)
                x = torch.relu(y)
            # A gradient independent of the signal, as the derivation assumes.
            last = torch.randn(y.shape, generator=noise).to(y)
            gradients = torch.autograd.grad(y, inputs, last)
        return torch.stack([y.var() for y in responses]).detach(), torch.stack([dx.var() for dx in gradients])

    def _project(self, images: Tensor) -> Tensor:
        """Images as zero-mean signals of the network's width, by one fixed random projection."""
        flat = images.flatten(1).float()
        flat = flat - flat.mean(0)
        projection = torch.randn(flat.shape[1], self.width, generator=torch.Generator().manual_seed(0)).to(flat)
        projected: Tensor = flat @ projection / flat.shape[1] ** 0.5
        return projected

    def configure_optimizers(self) -> Any:
        """None: nothing is trained."""
        return None


def draw(weight: Tensor, rule: Rule) -> None:
    """Fills a weight by the rule's Gaussian."""
    if rule == "he":
        init.he_normal_(weight, mode="fan_in")
    else:
        init.xavier_gaussian_(weight, mode="fan_in")


def slope(variances: Tensor) -> Tensor:
    """Least-squares slope of log2 variance per layer."""
    y = variances.log2()
    x = torch.arange(len(y), dtype=y.dtype, device=y.device)
    x = x - x.mean()
    return (x * y).sum() / (x * x).sum()
