"""How alike two pictures are when small shifts, a small crop, brightness and compression do not count.

Everything here works on pairs of thumbnails. Normalized cross-correlation (J. P. Lewis, Fast Normalized
Cross-Correlation, 1995) ignores brightness and contrast. By itself it is fooled by pictures that are little
more than a horizon, so two further witnesses must agree: the correlation of the gradients, and the
correlation after the mean of each row and of each column has been taken away, which leaves nothing of a
horizon or of a plain background that darkens to one side.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

THUMBNAIL = 32
"""Height and width in pixels at which pictures are compared."""
ZOOM_CROP = 28
"""Height and width of the middle that a zoom enlarges to a whole thumbnail: by 8/7."""
REACH = 3
"""The largest shift along each axis, in thumbnail pixels."""
_EPSILON = 1e-6

Zoom = Literal["none", "first", "second"]
"""Which of two pictures is enlarged, since the other may be a crop of it."""


ZOOMS: tuple[Zoom, ...] = ("none", "first", "second")
SHIFTS = tuple((down, right) for down in (-1, 0, 1) for right in (-1, 0, 1))
"""Pixel ``(y, x)`` of the second picture lies on ``(y + down, x + right)`` of the first."""


@dataclass(frozen=True)
class Likeness:
    """What is found for ``M`` pairs at the alignment that fits each best; float32 ``[M]``, −1 to 1."""

    pixels: Tensor
    """Correlation of the pixels."""
    gradients: Tensor
    """Correlation of the gray gradients."""
    structure: Tensor
    """Correlation of the pixels without the means of rows and columns."""

    def better(self, other: "Likeness") -> "Likeness":
        """For each pair the one of both whose pixels correlate more."""
        mine = self.pixels >= other.pixels
        return Likeness(
            self.pixels.where(mine, other.pixels),
            self.gradients.where(mine, other.gradients),
            self.structure.where(mine, other.structure),
        )

    def spread(self, places: Tensor, count: int) -> "Likeness":
        """These pairs at ``places`` (int64 ``[M]``) among ``count``; the others are not alike at all."""
        filled = torch.full((3, count), -1.0)
        filled[:, places] = torch.stack([self.pixels, self.gradients, self.structure])
        return Likeness(*filled)

    def select(self, chosen: Tensor) -> "Likeness":
        """The pairs at ``chosen``: bool ``[M]``, or int64 indices."""
        return Likeness(self.pixels[chosen], self.gradients[chosen], self.structure[chosen])


def thumbnails(images: Tensor) -> Tensor:
    """uint8 images ``[N, 3, H, W]`` of any size as uint8 ``[N, 3, 32, 32]``; equal ones stay equal."""
    if images.shape[-2:] == (THUMBNAIL, THUMBNAIL):
        return images
    mode = "area" if min(images.shape[-2:]) > THUMBNAIL else "bilinear"
    size = (THUMBNAIL, THUMBNAIL)
    made = [F.interpolate(part.float(), size, mode=mode) for part in images.split(1024)]
    return torch.cat([part.round().to(torch.uint8) for part in made])


def texture(images: Tensor) -> Tensor:
    """Standard deviation of each picture's pixels about its channel means, float32 ``[N]``, from uint8."""
    return torch.cat([_centered(part.float()).square().mean((1, 2, 3)).sqrt() for part in images.split(4096)])


def coarse_likeness(first: Tensor, second: Tensor) -> dict[Zoom, tuple[Tensor, Tensor]]:
    """For each zoom the best correlation at half size, ``[M]``, and the index of its shift in ``SHIFTS``.

    A pixel here is two of the thumbnail, so that a shift by an odd number of those costs much of the
    correlation.

    Args:
        first: float32 ``[M, 3, 16, 16]``, as ``second``.
    """
    found = {}
    for zoom in ZOOMS:
        pair = _zoomed(first, second, zoom)
        values = torch.stack([correlation(*overlap(*pair, *shift)) for shift in SHIFTS])
        best, place = values.max(0)
        found[zoom] = (best, place)
    return found


def likeness(first: Tensor, second: Tensor, zoom: Zoom, places: Tensor) -> Likeness:
    """The likeness at full size, near the shifts that ``coarse_likeness`` has found for ``zoom``.

    Args:
        first: float32 ``[M, 3, 32, 32]``, as ``second``.
        places: int64 ``[M]``, indices into ``SHIFTS``.
    """
    found = torch.full((3, len(first)), -1.0)
    for place in places.unique().tolist():
        chosen = places == place
        found[:, chosen] = _refined(*_zoomed(first[chosen], second[chosen], zoom), *SHIFTS[place])
    return Likeness(*found)


def _refined(first: Tensor, second: Tensor, down: int, right: int) -> Tensor:
    """``[3, M]``: the three correlations at the best shift within a pixel of twice the given one."""
    shifts = [(2 * down + more_down, 2 * right + more_right) for more_down, more_right in SHIFTS]
    values = torch.stack([correlation(*overlap(first, second, *shift)) for shift in shifts])
    best, place = values.max(0)
    found = torch.cat([best[None], torch.full((2, len(first)), -1.0)])
    for index in place.unique().tolist():
        chosen = place == index
        a, b = overlap(first[chosen], second[chosen], *shifts[index])
        found[1, chosen] = correlation(_gradients(a), _gradients(b))
        found[2, chosen] = correlation(_structure(a), _structure(b))
    return found


def overlap(first: Tensor, second: Tensor, down: int, right: int) -> tuple[Tensor, Tensor]:
    """The parts of two batches ``[M, C, H, W]`` that lie on each other when the second is shifted."""
    height, width = first.shape[-2] - abs(down), first.shape[-1] - abs(right)
    top, left = max(down, 0), max(right, 0)
    other_top, other_left = max(-down, 0), max(-right, 0)
    return (
        first[..., top : top + height, left : left + width],
        second[..., other_top : other_top + height, other_left : other_left + width],
    )


def correlation(first: Tensor, second: Tensor) -> Tensor:
    """Normalized correlation ``[M]`` of batches ``[M, C, H, W]``, about channel means; 0 if one is flat."""
    a, b = _centered(first).flatten(1), _centered(second).flatten(1)
    value: Tensor = (a * b).sum(1) / (a.norm(dim=1) * b.norm(dim=1)).clamp(min=_EPSILON)
    return value


def _centered(images: Tensor) -> Tensor:
    return images - images.mean((2, 3), keepdim=True)


def _gradients(images: Tensor) -> Tensor:
    gray = images.mean(1, keepdim=True)
    down = gray[..., 1:, :-1] - gray[..., :-1, :-1]
    right = gray[..., :-1, 1:] - gray[..., :-1, :-1]
    return torch.cat([down, right], 1)


def _structure(images: Tensor) -> Tensor:
    return images - images.mean(2, keepdim=True) - images.mean(3, keepdim=True)


def _zoomed(first: Tensor, second: Tensor, zoom: Zoom) -> tuple[Tensor, Tensor]:
    match zoom:
        case "first":
            return _enlarged(first), second
        case "second":
            return first, _enlarged(second)
        case _:
            return first, second


def _enlarged(images: Tensor) -> Tensor:
    """The middle of each picture at the size of the whole."""
    size = images.shape[-1]
    margin = size * (THUMBNAIL - ZOOM_CROP) // (2 * THUMBNAIL)
    middle = images[..., margin : size - margin, margin : size - margin]
    return F.interpolate(middle, (size, size), mode="bilinear")
