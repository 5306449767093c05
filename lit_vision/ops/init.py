"""Weight initialisation of Delving Deep into Rectifiers (1502.01852), Section 2.2."""

import math
from typing import Literal

import torch
from torch import Tensor

Fan = Literal["fan_in", "fan_out"]


def he_normal_(weight: Tensor, mode: Fan = "fan_out", slope: float = 0.0) -> Tensor:
    """Fill with zero-mean Gaussian values that keep the variance constant through rectified layers.

    The standard deviation is sqrt(2 / ((1 + slope²) n)) (Eq. 15); with slope 0 it is Eq. 10 for `fan_in`, which keeps
    the forward signal, and Eq. 14 for `fan_out`, which keeps the gradient.

    Args:
        weight: [outputs, inputs, …kernel], changed in place and returned.
        mode: Which n: kernel area times inputs, or kernel area times outputs.
        slope: Initial slope of the rectifier below zero; 0 for ReLU, 0.25 for PReLU.
    """
    with torch.no_grad():
        return weight.normal_(0.0, he_deviation(_fan(weight, mode), slope))


def he_deviation(fan: int, slope: float = 0.0) -> float:
    """Standard deviation of `he_normal_`, sqrt(2 / ((1 + slope²) n)) (Eq. 15).

    Args:
        fan: n, kernel area times inputs or outputs.
        slope: Initial slope of the rectifier below zero.
    """
    return math.sqrt(2 / ((1 + slope**2) * fan))


def xavier_gaussian_(weight: Tensor, mode: Fan = "fan_in") -> Tensor:
    """Fill with zero-mean Gaussian values of standard deviation sqrt(1 / n), the baseline of Figures 2 and 3.

    This is the paper's reading of Xavier: one direction, Gaussian; Glorot and Bengio average both and draw uniformly.

    Args:
        weight: [outputs, inputs, …kernel], changed in place and returned.
        mode: Which n: kernel area times inputs, or kernel area times outputs.
    """
    with torch.no_grad():
        return weight.normal_(0.0, math.sqrt(1 / _fan(weight, mode)))


def _fan(weight: Tensor, mode: Fan) -> int:
    area = math.prod(weight.shape[2:])
    return area * weight.shape[1 if mode == "fan_in" else 0]
