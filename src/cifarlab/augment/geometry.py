"""Crop and flips of a batch on its device, drawn per image.

Each augmentation is a pure function of images and draws, and a small config whose ``draw`` makes the draws
of a whole epoch on the CPU. A draw belongs to an image, not to a batch, so it stays the same for any batch
size, device or number of processes, and after a resume.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from cifarlab.augment.pixels import choose
from cifarlab.errors import UserError

Surroundings = Literal["black", "edge", "reflect"]


def crop(images: Tensor, offsets: Tensor, padding: int, border: Surroundings = "black") -> Tensor:
    """A window of the original size out of each padded image.

    Args:
        images: ``[N, C, H, W]``, any dtype.
        offsets: int64 ``[N, 2]``, row and column of each window's corner in the padded image, 0 to
            2·padding; ``padding`` in both leaves an image as it is.
        padding: pixels on every side.
        border: what surrounds the image: zeros (``"black"``), its outermost pixels (``"edge"``), or the image
            mirrored at them as often as it takes (``"reflect"``).
    """
    count, _, height, width = images.shape
    if border == "black":
        padded = F.pad(images, (padding, padding, padding, padding))
    else:  # for bytes F.pad does not have the others
        rows, columns = (_around(size, padding, border, images.device) for size in (height, width))
        padded = images.index_select(2, rows).index_select(3, columns)
    windows = padded.unfold(2, height, 1).unfold(3, width, 1)  # a view: [N, C, row, column, H, W]
    index = torch.arange(count, device=images.device)
    return windows[index, :, offsets[:, 0], offsets[:, 1]]


def _around(size: int, padding: int, border: Surroundings, device: torch.device) -> Tensor:
    """Which of ``size`` pixels lies at each place of the padded row, int64 ``[size + 2·padding]``."""
    places = torch.arange(-padding, size + padding, device=device)
    if border == "edge":
        return places.clamp(0, size - 1)
    period = max(2 * (size - 1), 1)
    return torch.minimum(places % period, period - places % period)


def flip_horizontally(images: Tensor, chosen: Tensor) -> Tensor:
    """The uint8 images ``[N, C, H, W]`` mirrored left to right where ``chosen`` (bool ``[N]``) is true."""
    return choose(chosen[:, None, None, None], images.flip(3), images)


def flip_vertically(images: Tensor, chosen: Tensor) -> Tensor:
    """The uint8 images ``[N, C, H, W]`` turned upside down where ``chosen`` (bool ``[N]``) is true."""
    return choose(chosen[:, None, None, None], images.flip(2), images)


@dataclass(frozen=True)
class RandomCrop:
    """A random window of the image's own size after padding it (torchvision's RandomCrop)."""

    padding: int = 4
    """Pixels on every side."""
    border: Surroundings = "black"
    """What surrounds the image: black, its outermost pixels, or the image mirrored at them."""

    def __post_init__(self) -> None:
        if not 0 <= self.padding <= 1024:
            raise UserError(f"RandomCrop: padding must lie in 0 … 1,024 pixels, found {self.padding}")

    def draw(self, count: int, randomness: Generator) -> Tensor:
        """Offsets, int64 ``[count, 2]``, uniform over 0 … 2·padding."""
        return torch.randint(0, 2 * self.padding + 1, (count, 2), generator=randomness)

    def apply(self, images: Tensor, draws: Tensor) -> Tensor:
        """``crop`` at the drawn offsets."""
        return crop(images, draws, self.padding, self.border)


@dataclass(frozen=True)
class HorizontalFlip:
    """Mirror left to right with a given probability (torchvision's RandomHorizontalFlip)."""

    probability: float = 0.5

    def __post_init__(self) -> None:
        if not 0 <= self.probability <= 1:
            raise UserError(f"HorizontalFlip: probability must lie in 0 … 1, found {self.probability}")

    def draw(self, count: int, randomness: Generator) -> Tensor:
        """Which images to mirror, bool ``[count]``."""
        return torch.rand(count, generator=randomness) < self.probability

    def apply(self, images: Tensor, draws: Tensor) -> Tensor:
        """``flip_horizontally`` of the drawn images."""
        return flip_horizontally(images, draws)


@dataclass(frozen=True)
class AlternatingFlip:
    """Mirror left to right at random in the first epoch, and then in every other epoch the other way round.

    So two epochs in a row always show both sides of an image, where independent draws repeat one half of the
    time (Jordan 2024, "94% on CIFAR-10 in 3.29 Seconds on a Single GPU", section 3.6).
    """

    def draw(self, count: int, randomness: Generator) -> Tensor:
        """Which images the first epoch mirrors, bool ``[count]``, half of them on average."""
        return torch.rand(count, generator=randomness) < 0.5

    def apply(self, images: Tensor, draws: Tensor) -> Tensor:
        """``flip_horizontally`` of the drawn images."""
        return flip_horizontally(images, draws)


@dataclass(frozen=True)
class VerticalFlip:
    """Turn upside down with a given probability (torchvision's RandomVerticalFlip).

    Report 002 takes 0.5, report 004 takes 0.1.
    """

    probability: float = 0.5

    def __post_init__(self) -> None:
        if not 0 <= self.probability <= 1:
            raise UserError(f"VerticalFlip: probability must lie in 0 … 1, found {self.probability}")

    def draw(self, count: int, randomness: Generator) -> Tensor:
        """Which images to turn, bool ``[count]``."""
        return torch.rand(count, generator=randomness) < self.probability

    def apply(self, images: Tensor, draws: Tensor) -> Tensor:
        """``flip_vertically`` of the drawn images."""
        return flip_vertically(images, draws)
