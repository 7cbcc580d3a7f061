"""Cutout (DeVries and Taylor 2017, arXiv:1708.04552): square holes in every image."""

from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from cifarlab.augment.pixels import BLACK, Color, choose, color_on, is_color
from cifarlab.errors import UserError


def cut_out(images: Tensor, centers: Tensor, size: int, fill: Color = BLACK) -> Tensor:
    """Square holes around ``centers``, clipped where they reach beyond the border.

    Args:
        images: uint8 ``[N, 3, H, W]``.
        centers: float ``[N, holes, 2]`` in 0 … 1, row and column as shares of height and width.
        size: pixels of a hole's side; rows ``center − size/2`` up to but without ``center + size/2``.
        fill: the color of the holes.
    """
    height, width = images.shape[2:]
    in_hole = []
    for length, share in ((height, centers[:, :, 0]), (width, centers[:, :, 1])):
        first = (share * length).long()[:, :, None] - size // 2
        places = torch.arange(length, device=images.device)
        in_hole.append((places >= first) & (places < first + size))
    rows, columns = in_hole
    holes = (rows[:, :, :, None] & columns[:, :, None, :]).any(1, keepdim=True)
    return choose(holes, color_on(images.device, fill), images)


_LARGEST = 2048
"""Pixels; a hole of that size covers the largest image from any center."""


@dataclass(frozen=True)
class Cutout:
    """Square holes with uniform centers, so that some reach beyond the border; one of 16×16 is ours
    for report 003, which gives no size.

    The authors fill with zeros after normalization, which is the training set's mean color; here the fill is
    a byte color, black by default, and the holes come before normalization.
    """

    size: int = 16
    """Pixels of a side."""
    holes: int = 1
    """Per image."""
    fill: Color = BLACK
    """Red, green and blue, 0 … 255."""

    def __post_init__(self) -> None:
        if not 0 <= self.size <= _LARGEST:
            raise UserError(f"Cutout: size must lie in 0 … {_LARGEST:,}, found {self.size}")
        if not 0 <= self.holes <= 12:
            raise UserError(f"Cutout: holes must lie in 0 … 12, found {self.holes}")
        if not is_color(self.fill):
            raise UserError(f"Cutout: fill must be three values in 0 … 255, found {self.fill}")

    def draw(self, count: int, randomness: Generator) -> Tensor:
        """Centers as shares of height and width, float32 ``[count, holes, 2]``."""
        return torch.rand(count, self.holes, 2, generator=randomness)

    def apply(self, images: Tensor, draws: Tensor) -> Tensor:
        """``cut_out`` at the drawn centers."""
        return cut_out(images, draws, self.size, self.fill)
