"""Rotation, shift and zoom in one warp, as Keras's ImageDataGenerator does them."""

import math
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from cifarlab.augment.affine import Border, Interpolation, about_center, precise, warp
from cifarlab.errors import UserError


def affine(
    images: Tensor,
    degrees: Tensor,
    shares: Tensor,
    factors: Tensor,
    border: Border = "edge",
    interpolation: Interpolation = "bilinear",
) -> Tensor:
    """Each image zoomed, shifted and turned about its center; every pixel is read once.

    A pixel at p from the center is read at R·(Z·p − t): Keras's product of matrices.

    Args:
        images: uint8 ``[N, 3, H, W]``.
        degrees: float ``[N]``, counter-clockwise.
        shares: float ``[N, 2]``, shifts down and to the right, t, as shares of height and width.
        factors: float ``[N, 2]``, steps from pixel to pixel in the original, Z; see ``warps.zoom``.
        border: what lies outside.
        interpolation: how a pixel is read.
    """
    height, width = images.shape[2:]
    radians = torch.deg2rad(precise(degrees))
    cosine, sine = torch.cos(radians), torch.sin(radians)
    (down, right), (vertical, horizontal) = precise(shares).unbind(1), precise(factors).unbind(1)
    matrices = about_center(
        cosine * horizontal, -sine * vertical, sine * horizontal, cosine * vertical, height, width
    )
    moved_x, moved_y = right * width, down * height
    moves = torch.stack([cosine * moved_x - sine * moved_y, sine * moved_x + cosine * moved_y], 1)
    matrices[:, :, 2] -= moves
    return warp(images, matrices, border, interpolation)


@dataclass(frozen=True)
class RandomAffine:
    """A random rotation, shift and zoom at once (reports 000 and 001, which used Keras).

    One interpolation blurs less than three, and takes a third of their time.
    """

    degrees: float = 15.0
    """The largest angle to either side."""
    shift: float = 0.1
    """The largest shift in any direction, as a share of the size."""
    zoom: float = 0.1
    """Height and width are stretched or shrunk by factors of their own in 1 ± zoom."""
    border: Border = "edge"
    interpolation: Interpolation = "bilinear"

    def __post_init__(self) -> None:
        if not (math.isfinite(self.degrees) and self.degrees >= 0):
            raise UserError(f"RandomAffine: degrees must be a finite number from 0, found {self.degrees}")
        if not 0 <= self.shift <= 1:
            raise UserError(f"RandomAffine: shift must lie in 0 … 1, found {self.shift}")
        if not 0 <= self.zoom <= 0.9:
            raise UserError(f"RandomAffine: zoom must lie in 0 … 0.9, found {self.zoom}")

    def draw(self, count: int, randomness: Generator) -> Tensor:
        """Angle, two shifts and two factors, float32 ``[count, 5]``, all uniform."""
        unit = torch.rand(count, 5, generator=randomness) * 2 - 1
        extents = torch.tensor([self.degrees, self.shift, self.shift, self.zoom, self.zoom])
        return unit * extents + torch.tensor([0.0, 0.0, 0.0, 1.0, 1.0])

    def apply(self, images: Tensor, draws: Tensor) -> Tensor:
        """``affine`` as drawn."""
        return affine(images, draws[:, 0], draws[:, 1:3], draws[:, 3:], self.border, self.interpolation)
