"""Duplicates within the training set, within the test set and across: exact, mirrored, and near.

Images are numbered through: first those of the training set, then those of the test set. Exact copies are
told by their bytes, near-duplicates by ``similarity``. How often its thresholds are right was measured; see
``records/audit``.

Source of the question: B. Barz and J. Denzler, Do We Train on Test Data? Purging CIFAR of Near-Duplicates,
Journal of Imaging 2020. They compared features of a network and judged the pairs by eye.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from cifarlab.audit.candidates import backgrounds, candidate_pairs
from cifarlab.audit.similarity import Likeness, coarse_likeness, likeness, texture, thumbnails

_ZOOM_MARGIN = 0.1
"""A zoom that looks worse by so much at half size may still be the right one at full size."""

Kind = Literal["exact", "mirrored", "near"]


@dataclass(frozen=True)
class Thresholds:
    """What a pair must reach to count as near-duplicates; all correlations are between −1 and 1."""

    candidate: float = 0.86
    """Product of the coarse vectors."""
    half_size: float = 0.76
    """Correlation of the pixels at half size, where a shift by an odd number of pixels costs much of it."""
    pixels: float = 0.86
    gradients: float = 0.65
    mirrored_gradients: float = 0.75
    """For pairs that are alike only when one is mirrored: airplanes and horses seen from both sides are."""
    structure: float = 0.80
    background: float = 0.5
    """1 − the pair's product, over 1 − that of its pictures with others of their kind; it must be below."""
    texture: float = 4.0
    """Standard deviation, of 255, below which a picture is too flat to be told from others like it."""


@dataclass(frozen=True)
class Pair:
    """Two images that show the same, ``first < second``."""

    first: int
    second: int
    kind: Kind
    mirrored: bool
    """Whether one of them is the mirror image of the other."""
    pixels: float
    gradients: float
    structure: float


@dataclass(frozen=True)
class Duplicates:
    """All pairs that were found, ordered by ``first`` and ``second``.

    Of images that are equal, all are paired with the first of them alone, and only that one with others.
    """

    pairs: tuple[Pair, ...]
    flat_images: int
    """Images with too little texture to be compared; exact copies of them are found all the same."""


def find_duplicates(
    train: Tensor, test: Tensor, thresholds: Thresholds, check_stop: Callable[[], None]
) -> Duplicates:
    """Compare every image with every other.

    Args:
        train: uint8 ``[N, 3, H, W]``.
        test: uint8 ``[M, 3, H, W]``.
        check_stop: asked now and then; raises to stop.
    """
    exact = _exact_pairs(_digests(train) + _digests(test))
    images = torch.cat([thumbnails(train), thumbnails(test)])
    textured = texture(images) >= thresholds.texture
    compared = textured.clone()
    compared[[pair.second for pair in exact if pair.kind == "exact"]] = False
    near = _near_pairs(images, compared.nonzero().flatten(), thresholds, check_stop)
    known = {(pair.first, pair.second) for pair in exact}
    pairs = [*exact, *(pair for pair in near if (pair.first, pair.second) not in known)]
    pairs.sort(key=lambda pair: (pair.first, pair.second))
    return Duplicates(tuple(pairs), int((~textured).sum()))


def _digests(images: Tensor) -> list[tuple[bytes, bytes]]:
    """A hash of each image and one of its mirror image."""
    return [
        (
            hashlib.blake2b(image.contiguous().numpy().data, digest_size=16).digest(),
            hashlib.blake2b(image.flip(2).contiguous().numpy().data, digest_size=16).digest(),
        )
        for image in images
    ]


def _exact_pairs(digests: list[tuple[bytes, bytes]]) -> list[Pair]:
    """Each image with the first one that has its pixels, and first ones that mirror each other."""
    firsts: dict[bytes, int] = {}
    pairs = []
    for index, (digest, mirrored) in enumerate(digests):
        if digest in firsts:
            pairs.append(Pair(firsts[digest], index, "exact", False, 1.0, 1.0, 1.0))
            continue
        firsts[digest] = index
        other = firsts.get(mirrored, index)  # a symmetric picture mirrors itself
        if other != index:
            pairs.append(Pair(other, index, "mirrored", True, 1.0, 1.0, 1.0))
    return pairs


def _near_pairs(
    images: Tensor, compared: Tensor, thresholds: Thresholds, check_stop: Callable[[], None]
) -> list[Pair]:
    """Near-duplicates among the thumbnails at ``compared`` (int64): candidates, then a close look at each."""
    if len(compared) < 2:
        return []
    candidates = candidate_pairs(images[compared], thresholds.candidate, check_stop)
    places = compared[candidates.pairs]
    kept, found = [], []
    for part in torch.arange(len(places)).split(2048):
        check_stop()
        chosen, likenesses = _verified(images, places[part], candidates.mirrored[part], thresholds)
        kept.append(part[chosen])
        found.append(torch.stack([likenesses.pixels, likenesses.gradients, likenesses.structure], 1))
    chosen, figures = (
        torch.cat([torch.empty(0, dtype=torch.int64), *kept]),
        torch.cat([torch.empty(0, 3), *found]),
    )
    outstanding = _stand_out(images, compared, places[chosen], candidates.products[chosen], thresholds)
    chosen, rows = chosen[outstanding], figures[outstanding].tolist()
    best: dict[tuple[int, int], Pair] = {}
    mirrors = candidates.mirrored[chosen].tolist()
    for (first, second), mirror, row in zip(places[chosen].tolist(), mirrors, rows, strict=True):
        known = best.get((first, second))
        if known is None or row[0] > known.pixels:
            best[first, second] = Pair(first, second, "near", mirror, *row)
    return list(best.values())


def _stand_out(
    images: Tensor, compared: Tensor, pairs: Tensor, products: Tensor, thresholds: Thresholds
) -> Tensor:
    """Whether each pair (int64 ``[M, 2]``) is much more alike than its pictures are to others: bool ``[M]``.

    A set of digits is full of pictures that are as alike as two photographs of one scene.
    """
    which, place = pairs.unique(return_inverse=True)
    usual = backgrounds(images[compared], torch.searchsorted(compared, which))
    return 1 - products < thresholds.background * (1 - usual[place].amax(1))


def _verified(
    images: Tensor, places: Tensor, mirrors: Tensor, thresholds: Thresholds
) -> tuple[Tensor, Likeness]:
    """Which pairs (int64 ``[M, 2]``) are near-duplicates: their positions, int64 ``[P]``, and likeness."""
    first, second = images[places[:, 0]].float(), images[places[:, 1]].float()
    second = torch.where(mirrors[:, None, None, None], second.flip(3), second)
    coarse = coarse_likeness(F.avg_pool2d(first, 2), F.avg_pool2d(second, 2))
    best = torch.stack([values for values, _ in coarse.values()]).amax(0)
    worth = (best > thresholds.half_size).nonzero().flatten()
    nothing = torch.full((len(worth),), -1.0)
    found = Likeness(nothing, nothing, nothing)
    for zoom, (values, shifts) in coarse.items():
        tried = (values[worth] > best[worth] - _ZOOM_MARGIN).nonzero().flatten()
        places = worth[tried]
        closer = likeness(first[places], second[places], zoom, shifts[places])
        found = found.better(closer.spread(tried, len(worth)))
    least = torch.where(mirrors[worth], thresholds.mirrored_gradients, thresholds.gradients)
    true = (
        (found.pixels > thresholds.pixels)
        & (found.gradients > least)
        & (found.structure > thresholds.structure)
    )
    return worth[true], found.select(true)
