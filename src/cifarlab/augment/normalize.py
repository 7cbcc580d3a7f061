"""From bytes to the numbers that a network sees."""

import functools
import math
from dataclasses import dataclass

import torch
from torch import Tensor

from cifarlab.errors import UserError


@dataclass(frozen=True)
class Normalize:
    """Scale bytes to 0 … 1, subtract a mean and divide by a deviation, channel by channel.

    The default, 0.5 and 0.5, is report 003's: it maps bytes to −1 … 1.
    """

    mean: tuple[float, float, float] = (0.5, 0.5, 0.5)
    deviation: tuple[float, float, float] = (0.5, 0.5, 0.5)

    def __post_init__(self) -> None:
        if not all(value > 0 and math.isfinite(value) for value in self.deviation):
            raise UserError(f"Normalize: every deviation must be finite and above 0, found {self.deviation}")
        if not all(math.isfinite(value) for value in self.mean):
            raise UserError(f"Normalize: every mean must be finite, found {self.mean}")

    def apply(self, images: Tensor) -> Tensor:
        """uint8 ``[N, 3, H, W]`` to float32 of the same shape, channels last in memory."""
        scale, shift = _constants(self, images.device)
        floats = images.to(torch.float32, memory_format=torch.channels_last)
        return torch.addcmul(shift, floats, scale)


@functools.lru_cache(maxsize=16)
def _constants(normalize: Normalize, device: torch.device) -> tuple[Tensor, Tensor]:
    """Factor and summand, float32 ``[3, 1, 1]``; kept, since a copy to a GPU per batch would wait for it."""
    pairs = list(zip(normalize.mean, normalize.deviation, strict=True))
    scale = torch.tensor([1 / (255 * deviation) for _, deviation in pairs], device=device)
    shift = torch.tensor([-mean / deviation for mean, deviation in pairs], device=device)
    return scale[:, None, None], shift[:, None, None]
