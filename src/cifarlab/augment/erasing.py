"""Random Erasing (Zhong et al. 2017, arXiv:1708.04896): a rectangle of noise on some images."""

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Generator, Tensor

from cifarlab.augment.hashing import random_bytes
from cifarlab.augment.pixels import change_chosen, choose
from cifarlab.errors import UserError

TRIES = 10
"""Rectangles drawn per image, of which the first that fits is taken (torchvision's number)."""


def rectangles(areas: Tensor, aspects: Tensor, corners: Tensor, height: int, width: int) -> Tensor:
    """The first rectangle that fits: top, left, height and width, int64 ``[N, 4]``; all 0 where none does.

    Args:
        areas: float ``[N, K]``, candidates' shares of the image's area.
        aspects: float ``[N, K]``, their height over width.
        corners: float ``[N, 2]`` in 0 … 1, where the rectangle lies among the places that it can have.
        height: of the image.
        width: of the image.
    """
    heights = torch.sqrt(areas * (height * width) * aspects).round().long()
    widths = torch.sqrt(areas * (height * width) / aspects).round().long()
    fits = (heights < height) & (widths < width)
    first = fits.to(torch.uint8).argmax(1, keepdim=True)  # of equal ones the first; 0 where none fits
    sizes = [side.gather(1, first)[:, 0] * fits.any(1) for side in (heights, widths)]
    rooms = [height - sizes[0], width - sizes[1]]
    places = [
        torch.minimum((share * (room + 1)).long(), room)
        for share, room in zip(corners.unbind(1), rooms, strict=True)
    ]
    return torch.stack(places + sizes, 1)


def inside(boxes: Tensor, height: int, width: int) -> Tensor:
    """The pixels of boxes (top, left, height, width; int64 ``[N, 4]``): bool ``[N, H, W]``."""
    top, left, tall, wide = boxes[:, :, None].unbind(1)
    y = torch.arange(height, device=boxes.device)
    x = torch.arange(width, device=boxes.device)
    rows, columns = (y >= top) & (y < top + tall), (x >= left) & (x < left + wide)
    return rows[:, :, None] & columns[:, None, :]


def erase(images: Tensor, boxes: Tensor, seeds: Tensor) -> Tensor:
    """Uniform random bytes in each image's box; uint8 ``[N, C, H, W]``, seeds int32 ``[N]``."""
    noise = random_bytes(seeds, images[0].numel() if len(images) else 0).reshape(images.shape)
    return choose(inside(boxes, *images.shape[2:])[:, None], noise, images)


@dataclass(frozen=True)
class RandomErasing:
    """A rectangle of uniform random bytes, drawn anew until it fits; report 000's "cutout".

    As in the authors' code a side is rounded and must be shorter than the image's, and the place is uniform
    among those inside. Ten tries (torchvision's number, the authors make 100): the share of images left
    whole for want of a fit is below 1e-9 on square ones.
    """

    probability: float = 0.5
    """Share of images with a rectangle."""
    area: tuple[float, float] = (0.02, 0.4)
    """Smallest and largest share of the image."""
    aspect: float = 0.3
    """Height over width lies in aspect … 1/aspect."""
    law: Literal["uniform", "log-uniform"] = "uniform"
    """How height over width is drawn: uniform in the paper, which favors tall ones; torchvision: its log."""

    def __post_init__(self) -> None:
        if not 0 <= self.probability <= 1:
            raise UserError(f"RandomErasing: probability must lie in 0 … 1, found {self.probability}")
        if not 0 <= self.area[0] <= self.area[1] <= 1:
            raise UserError(f"RandomErasing: area must be two rising shares in 0 … 1, found {self.area}")
        if not 0.01 <= self.aspect <= 1:
            raise UserError(f"RandomErasing: aspect must lie in 0.01 … 1, found {self.aspect}")

    def draw(self, count: int, randomness: Generator) -> Tensor:
        """float32 ``[count, 24]``: chosen or not, seed, place (2), areas (10), aspects (10)."""
        chosen = (torch.rand(count, 1, generator=randomness) < self.probability).float()
        seeds = torch.randint(
            1 << 24, (count, 1), generator=randomness
        ).float()  # float32 holds these exactly
        corners = torch.rand(count, 2, generator=randomness)
        areas = self.area[0] + (self.area[1] - self.area[0]) * torch.rand(count, TRIES, generator=randomness)
        uniform = torch.rand(count, TRIES, generator=randomness)
        if self.law == "uniform":
            aspects = self.aspect + (1 / self.aspect - self.aspect) * uniform
        else:
            aspects = torch.exp(math.log(self.aspect) * (1 - 2 * uniform))
        return torch.cat([chosen, seeds, corners, areas, aspects], 1)

    def apply(self, images: Tensor, draws: Tensor) -> Tensor:
        """``erase`` in the drawn images."""
        return change_chosen(draws[:, 0] > 0, images, _erase_drawn, images, draws)


def _erase_drawn(images: Tensor, draws: Tensor) -> Tensor:
    areas, aspects = draws[:, 4 : 4 + TRIES], draws[:, 4 + TRIES :]
    return erase(images, rectangles(areas, aspects, draws[:, 2:4], *images.shape[2:]), draws[:, 1].int())
