"""Growing resolution: a run begins on small copies of its images, which cost less, and ends on whole ones.

Progressive resizing (Howard 2018, fast.ai's entry to DAWNBench); the steps 24, 28, 32 pixels are those of the
recent records for 94 % on CIFAR-10.
"""

import itertools
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from cifarlab.errors import UserError


def scaled_down(images: Tensor, size: int) -> Tensor:
    """Images scaled down to ``size`` × ``size`` pixels, bilinearly.

    Down to half the size each new pixel is read between its four neighbors; below that the filter widens, as
    in Pillow's resize (which costs eight times as much on a CPU), so that every pixel counts at any ratio.

    Args:
        images: float ``[N, C, S, S]``.
        size: at most S; at S the images are returned as they are.

    Returns:
        ``[N, C, size, size]``, channels last in memory.
    """
    if images.shape[-1] == size:
        return images
    wide = images.shape[-1] > 2 * size
    small = F.interpolate(images, size=(size, size), mode="bilinear", antialias=wide)
    return small.contiguous(memory_format=torch.channels_last)


@dataclass(frozen=True)
class GrowingResolution:
    """Train on images of ``sizes[0]`` pixels at first, then of ``sizes[1]`` and so on, at last on whole ones.

    Images are scaled down after augmentation, which so stays the same at every size, and before they are
    mixed: mixing fewer pixels is cheaper, and the boxes of CutMix keep sharp edges.
    """

    sizes: tuple[int, ...] = (24, 28)
    """Height and width in pixels, growing."""
    until: tuple[float, ...] = (0.4, 0.7)
    """The shares of the run's steps at which each size ends."""

    def __post_init__(self) -> None:
        if not self.sizes or len(self.sizes) != len(self.until):
            raise UserError(
                "GrowingResolution: sizes and until must be equally many, at least one, found "
                f"{self.sizes} and {self.until}"
            )
        if self.sizes[0] < 1 or not _grows(self.sizes):
            raise UserError(f"GrowingResolution: sizes must be above 0 and grow, found {self.sizes}")
        if not (self.until[0] > 0 and self.until[-1] <= 1 and _grows(self.until)):
            raise UserError(
                f"GrowingResolution: until must lie in 0 … 1, above 0, and grow, found {self.until}"
            )

    def size_at(self, done: float, image_size: int) -> int:
        """The size in pixels of a step before which the share ``done`` of all steps was done."""
        for size, until in zip(self.sizes, self.until, strict=True):
            if done < until:
                return size
        return image_size


def _grows(values: tuple[float, ...]) -> bool:
    """Whether every value is above the one before; a nan is not."""
    return all(before < after for before, after in itertools.pairwise(values))
