"""Gaussian noise on bytes."""

import functools
import math
from dataclasses import dataclass

import numpy as np
import torch
from scipy.special import ndtri
from torch import Generator, Tensor

from cifarlab.augment.hashing import draw_seeds, random_bits
from cifarlab.augment.pixels import in_pieces
from cifarlab.errors import UserError

_LEVELS = 1 << 16


def add_noise(images: Tensor, seeds: Tensor, mean: float, variance: float) -> Tensor:
    """Bytes plus normal noise, rounded and clamped to 0 … 255; each value of each image has noise of its own.

    A byte is whole, so rounding the sum is adding rounded noise. Rounded noise is read from a table of 65,536
    equally likely values of the normal distribution (which ends at 4.3 deviations) by 16 random bits.

    Args:
        images: uint8 ``[N, C, H, W]``.
        seeds: int32 ``[N]``.
        mean: of the noise, in gray levels.
        variance: of the noise before rounding, in squared gray levels.
    """
    values = images[0].numel() if len(images) else 0
    index = random_bits(seeds, -(-values // 2)).view(torch.int16)[:, :values].int() + _LEVELS // 2
    noise = _quantiles(mean, variance, images.device).index_select(0, index.flatten())
    return (images.to(torch.int16) + noise.reshape(images.shape)).clamp_(0, 255).to(torch.uint8)


@functools.lru_cache(maxsize=8)
def _quantiles(mean: float, variance: float, device: torch.device) -> Tensor:
    """int16 ``[65536]``, rising. More than 255 gray levels saturate every byte."""
    shares = (np.arange(_LEVELS) + 0.5) / _LEVELS
    values = np.rint(mean + math.sqrt(variance) * ndtri(shares))
    return torch.from_numpy(values.clip(-255, 255).astype(np.int16)).to(device)


@dataclass(frozen=True)
class GaussianNoise:
    """Noise on every value of every image, in gray levels (report 002: mean 0, variance 1, no scale)."""

    mean: float = 0.0
    variance: float = 1.0

    def __post_init__(self) -> None:
        if not math.isfinite(self.mean):
            raise UserError(f"GaussianNoise: mean must be finite, found {self.mean}")
        if not (math.isfinite(self.variance) and self.variance >= 0):
            raise UserError(f"GaussianNoise: variance must be a finite number from 0, found {self.variance}")

    def draw(self, count: int, randomness: Generator) -> Tensor:
        """Seeds, int32 ``[count]``."""
        return draw_seeds(count, randomness)

    def apply(self, images: Tensor, draws: Tensor) -> Tensor:
        """``add_noise`` from the drawn seeds."""

        def add(some: Tensor, seeds: Tensor) -> Tensor:
            return add_noise(some, seeds, self.mean, self.variance)

        return in_pieces(128, add, images, draws)
