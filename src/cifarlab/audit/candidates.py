"""Pairs of pictures that may be near-duplicates, found among billions by blockwise matrix products.

A picture becomes a short unit vector: its middle, as a 6 × 6 mosaic in three colors, without its mean, turned
into cosines (DCT) of which the low ones are kept and the lowest damped, since all pictures share those. Two
vectors' product then says how alike two pictures are. Shifts are tried by cutting nine middles out of one of
the two, the mirror image by mirroring it.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from cifarlab.audit.similarity import THUMBNAIL

LIMIT = 32
"""The most candidates that are kept for one picture: where all pictures are alike, the best ones."""
SAMPLE = 512
"""Images that stand for the whole set where one asks how alike its pictures are anyway."""
LEAST_IMAGES = 64
_WINDOW = 26
_STEPS = (-2, 0, 2)
"""Shifts tried, in pixels along each axis: with the vectors' tolerance of a pixel they reach 3."""
_CELLS = 6
_ROWS, _COLUMNS = 256, 2048  # a block of products stays in a processor's cache


def features(images: Tensor, down: int = 0, right: int = 0) -> Tensor:
    """Unit vectors, float32 ``[N, 63]``, of the shifted middles of thumbnails (uint8 ``[N, 3, 32, 32]``).

    A picture without any texture gets a vector of zeros, which is like nothing.
    """
    return torch.cat([_features(part.float(), down, right) for part in images.split(4096)])


def _features(images: Tensor, down: int, right: int) -> Tensor:
    margin = (THUMBNAIL - _WINDOW) // 2
    top, left = margin + down, margin + right
    middle = images[..., top : top + _WINDOW, left : left + _WINDOW]
    cosines = _cosines(_CELLS)
    spectrum = cosines @ F.adaptive_avg_pool2d(middle, _CELLS) @ cosines.T
    frequency = torch.arange(_CELLS)
    down_and_right = frequency[:, None] + frequency[None, :]
    # Amplitudes of natural pictures fall with frequency (Field 1987); the square root evens out half of it.
    weight = (frequency[:, None] ** 2 + frequency[None, :] ** 2).float().sqrt().sqrt()
    kept = down_and_right < _CELLS
    vectors = (spectrum * weight)[..., kept].flatten(1)
    units: Tensor = vectors / vectors.norm(dim=1, keepdim=True).clamp(min=1e-3)
    return units


def _cosines(size: int) -> Tensor:
    """The orthonormal matrix of the discrete cosine transform, ``[size, size]``."""
    place, frequency = torch.arange(size) + 0.5, torch.arange(size)[:, None]
    matrix = torch.cos(math.pi / size * frequency * place) * math.sqrt(2 / size)
    matrix[0] /= math.sqrt(2)
    return matrix


@dataclass(frozen=True)
class Candidates:
    """Pairs of pictures; one may be there twice, as it is and mirrored."""

    pairs: Tensor
    """int64 ``[M, 2]``, the smaller index first."""
    mirrored: Tensor
    """bool ``[M]``: whether the second is to be mirrored."""
    products: Tensor
    """float32 ``[M]``: how alike the vectors are at the best shift."""


def candidate_pairs(images: Tensor, threshold: float, check_stop: Callable[[], None]) -> Candidates:
    """Pairs whose vectors' product exceeds ``threshold`` at some shift, as they are or mirrored.

    Args:
        images: thumbnails, uint8 ``[N, 3, 32, 32]``.
        check_stop: asked between blocks; raises to stop.

    """
    middle = features(images)
    pairs, mirrored, products = [], [], []
    for mirror, others in ((False, images), (True, images.flip(3))):
        shifted = [features(others, *shift) for shift in _shifts()]
        for start in range(0, len(images), _ROWS):
            check_stop()
            found, values = _block(middle, shifted, start, threshold)
            pairs.append(found)
            mirrored.append(torch.full((len(found),), mirror))
            products.append(values)
    return Candidates(torch.cat(pairs), torch.cat(mirrored), torch.cat(products))


def backgrounds(images: Tensor, which: Tensor) -> Tensor:
    """How alike the pictures at ``which`` (int64 ``[M]``) are to pictures that merely are of their kind.

    The fourth largest product with ``SAMPLE`` of the images, evenly taken, at the best shift, as they are or
    mirrored. Four, so that a few copies in the sample do not count. Below ``LEAST_IMAGES`` there is no
    telling, and it is −1. Returns float32 ``[M]``.
    """
    if len(images) < LEAST_IMAGES:
        return torch.full((len(which),), -1.0)
    size = min(SAMPLE, len(images))
    sample = torch.arange(size) * len(images) // size
    middle = features(images[which])
    best = torch.full((len(which), size), -1.0)
    for others in (images[sample], images[sample].flip(3)):
        for shift in _shifts():
            torch.maximum(best, middle @ features(others, *shift).T, out=best)
    best[which[:, None] == sample] = -1.0
    return best.topk(4, dim=1).values[:, -1]


def _shifts() -> list[tuple[int, int]]:
    return [(down, right) for down in _STEPS for right in _STEPS]


def _block(middle: Tensor, shifted: list[Tensor], start: int, threshold: float) -> tuple[Tensor, Tensor]:
    """Pairs of ``_ROWS`` pictures from ``start`` on with all behind each: int64 ``[M, 2]``, and products."""
    rows = middle[start : start + _ROWS]
    products = torch.empty(len(rows), len(middle) - start)
    for column in range(start, len(middle), _COLUMNS):
        best = rows @ shifted[0][column : column + _COLUMNS].T
        for vectors in shifted[1:]:
            torch.maximum(best, rows @ vectors[column : column + _COLUMNS].T, out=best)
        products[:, column - start : column - start + _COLUMNS] = best
    later = torch.arange(products.shape[1]) > torch.arange(len(rows))[:, None]
    above = (products > threshold) & later
    crowded = (above.sum(1) > LIMIT).nonzero().flatten()
    if len(crowded):
        best_columns = products[crowded].masked_fill(~above[crowded], -2.0).topk(LIMIT, dim=1).indices
        above[crowded] = torch.zeros_like(above[crowded]).scatter_(1, best_columns, True)
    return above.nonzero() + start, products[above]
