"""Crop, flip and rotation of a batch on its device, drawn per image.

Each augmentation is a pure function of images and draws, and a small config whose ``draw`` makes the draws
of a whole epoch on the CPU. A draw belongs to an image, not to a batch, so it stays the same for any batch
size, device or number of processes, and after a resume.
"""

import math
from dataclasses import dataclass

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from cifarlab.errors import UserError


def crop(images: Tensor, offsets: Tensor, padding: int) -> Tensor:
    """A window of the original size out of each image padded with zeros (black).

    Args:
        images: ``[N, C, H, W]``, any dtype.
        offsets: int64 ``[N, 2]``, row and column of each window's corner in the padded image, 0 to
            2·padding; ``padding`` in both leaves an image as it is.
        padding: pixels on every side.
    """
    count, _, height, width = images.shape
    padded = F.pad(images, (padding, padding, padding, padding))
    rows = offsets[:, 0, None] + torch.arange(height, device=images.device)
    columns = offsets[:, 1, None] + torch.arange(width, device=images.device)
    return _gather(padded, rows[:, :, None].expand(count, height, width), columns[:, None, :])


def flip_horizontally(images: Tensor, chosen: Tensor) -> Tensor:
    """The images of ``[N, C, H, W]`` mirrored left to right where ``chosen`` (bool ``[N]``) is true."""
    return torch.where(chosen[:, None, None, None], images.flip(3), images)


def rotate(images: Tensor, degrees: Tensor) -> Tensor:
    """Each image turned counter-clockwise about its center by nearest neighbor; new corners are black.

    The sampling grid is Pillow's (``Image.rotate`` with ``NEAREST``): pixel centers lie at half integers.

    Args:
        images: ``[N, C, H, W]``, any dtype.
        degrees: float ``[N]``.
    """
    height, width = images.shape[2:]
    radians = torch.deg2rad(degrees)[:, None, None]
    cosine, sine = torch.cos(radians), torch.sin(radians)
    y = torch.arange(height, device=images.device, dtype=degrees.dtype)[None, :, None] + 0.5 - height / 2
    x = torch.arange(width, device=images.device, dtype=degrees.dtype)[None, None, :] + 0.5 - width / 2
    columns = torch.floor(cosine * x - sine * y + width / 2).long()
    rows = torch.floor(sine * x + cosine * y + height / 2).long()
    inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
    turned = _gather(images, rows.clamp(0, height - 1), columns.clamp(0, width - 1))
    return turned * inside[:, None].to(images.dtype)


def _gather(images: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """``out[n, c, i, j] = images[n, c, rows[n, i, j], columns[n, i, j]]``, channels last in memory."""
    index = torch.arange(len(images), device=images.device)[:, None, None]
    return images.permute(0, 2, 3, 1)[index, rows, columns].permute(0, 3, 1, 2)


@dataclass(frozen=True)
class RandomCrop:
    """A random window of the image's own size after padding it with black (torchvision's RandomCrop)."""

    padding: int = 4
    """Pixels on every side."""

    def __post_init__(self) -> None:
        if self.padding < 0:
            raise UserError(f"RandomCrop: padding must not be negative, found {self.padding}")

    def draw(self, count: int, randomness: Generator) -> Tensor:
        """Offsets, int64 ``[count, 2]``, uniform over 0 … 2·padding."""
        return torch.randint(0, 2 * self.padding + 1, (count, 2), generator=randomness)

    def apply(self, images: Tensor, draws: Tensor) -> Tensor:
        """``crop`` at the drawn offsets."""
        return crop(images, draws, self.padding)


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
class Rotation:
    """A rotation by a uniform angle, nearest neighbor (torchvision's RandomRotation on a Pillow image)."""

    degrees: float = 15.0
    """The largest angle to either side."""

    def __post_init__(self) -> None:
        if not (math.isfinite(self.degrees) and self.degrees >= 0):
            raise UserError(f"Rotation: degrees must be a finite number from 0, found {self.degrees}")

    def draw(self, count: int, randomness: Generator) -> Tensor:
        """Angles in degrees, float32 ``[count]``, uniform over ±degrees."""
        return (torch.rand(count, generator=randomness) * 2 - 1) * self.degrees

    def apply(self, images: Tensor, draws: Tensor) -> Tensor:
        """``rotate`` by the drawn angles."""
        return rotate(images, draws)
