"""From bytes to the numbers that a network sees."""

import functools
import math
from dataclasses import dataclass

import torch
from torch import Tensor

from cifarlab.errors import UserError

Channels = tuple[float, float, float]
"""A value for red, green and blue."""


@dataclass(frozen=True)
class Normalize:
    """Scale bytes to 0 … 1, subtract a mean and divide by a deviation, channel by channel.

    The default, 0.5 and 0.5, is report 003's: it maps bytes to −1 … 1.
    """

    mean: Channels = (0.5, 0.5, 0.5)
    deviation: Channels = (0.5, 0.5, 0.5)

    def __post_init__(self) -> None:
        if not all(value > 0 and math.isfinite(value) for value in self.deviation):
            raise UserError(f"Normalize: every deviation must be finite and above 0, found {self.deviation}")
        if not all(math.isfinite(value) for value in self.mean):
            raise UserError(f"Normalize: every mean must be finite, found {self.mean}")

    def apply(self, images: Tensor) -> Tensor:
        """uint8 ``[N, 3, H, W]`` to float32 of the same shape, channels last in memory."""
        return _scaled(images, self.mean, self.deviation)


@dataclass(frozen=True)
class MeanImage:
    """Scale bytes to 0 … 1 and subtract the training set's mean image, pixel by pixel (report 001).

    Only the scaling happens here; the mean image belongs to the network (``models.centered``), with whose
    weights it is saved.
    """

    def apply(self, images: Tensor) -> Tensor:
        """uint8 ``[N, 3, H, W]`` to float32 of the same shape, 0 … 1, channels last in memory."""
        return _scaled(images, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))


Normalization = Normalize | MeanImage


def _scaled(images: Tensor, mean: Channels, deviation: Channels) -> Tensor:
    scale, shift = _constants(mean, deviation, images.device)
    return torch.addcmul(shift, images.to(torch.float32, memory_format=torch.channels_last), scale)


@functools.lru_cache(maxsize=16)
def _constants(mean: Channels, deviation: Channels, device: torch.device) -> tuple[Tensor, Tensor]:
    """Factor and summand, float32 ``[3, 1, 1]``; kept, since a copy to a GPU per batch would wait for it."""
    pairs = list(zip(mean, deviation, strict=True))
    scale = torch.tensor([1 / (255 * d) for _, d in pairs], device=device)
    shift = torch.tensor([-m / d for m, d in pairs], device=device)
    return scale[:, None, None], shift[:, None, None]
