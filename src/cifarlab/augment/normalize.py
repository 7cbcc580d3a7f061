"""From bytes to the numbers that a network sees."""

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
        if not all(value > 0 for value in self.deviation):
            raise UserError(f"Normalize: every deviation must be above 0, found {self.deviation}")

    def apply(self, images: Tensor) -> Tensor:
        """uint8 ``[N, 3, H, W]`` to float32 of the same shape, channels last in memory."""
        scale = torch.tensor([1 / (255 * d) for d in self.deviation], device=images.device)
        shift = torch.tensor([-m / d for m, d in zip(self.mean, self.deviation, strict=True)])
        floats = images.to(torch.float32, memory_format=torch.channels_last)
        return torch.addcmul(shift.to(images.device)[:, None, None], floats, scale[:, None, None])
