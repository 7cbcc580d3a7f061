"""What follows from pairs of duplicates: groups that show the same, and test images to leave out."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from cifarlab.audit.candidates import LEAST_IMAGES
from cifarlab.audit.duplicates import Kind, Pair

CROWDED = 0.25
"""The share of images with a near-duplicate from which on the near-duplicates themselves are doubted."""


@dataclass(frozen=True)
class Exclusion:
    """A test image that is left out, and the image that it repeats; numbers as in ``duplicates``."""

    image: int
    partner: int
    kind: Kind


def group_of_each(pairs: Iterable[Pair], images: int) -> list[int]:
    """For each of ``images`` the number of its connected component; an image without a pair has its own."""
    links = np.array([(pair.first, pair.second) for pair in pairs], dtype=np.int64).reshape(-1, 2)
    graph = coo_array((np.ones(len(links)), (links[:, 0], links[:, 1])), shape=(images, images))
    return [int(number) for number in connected_components(graph, directed=False)[1]]


def groups(pairs: Iterable[Pair], images: int) -> list[list[int]]:
    """The connected components of two images or more, the largest first, each in ascending order."""
    members: dict[int, list[int]] = {}
    for image, number in enumerate(group_of_each(pairs, images)):
        members.setdefault(number, []).append(image)
    return sorted((group for group in members.values() if len(group) > 1), key=lambda g: (-len(g), g))


def is_crowded(pairs: Iterable[Pair], images: int) -> bool:
    """Whether so many images have near-duplicates that they may just be of one kind, as digits are."""
    near = {image for pair in pairs if pair.kind == "near" for image in (pair.first, pair.second)}
    return images >= LEAST_IMAGES and len(near) > CROWDED * images


def trusted(pairs: Sequence[Pair], images: int) -> list[Pair]:
    """The pairs to exclude images for: all of them or, in a crowded set, those of equal pixels."""
    crowded = is_crowded(pairs, images)
    return [pair for pair in pairs if pair.kind != "near" or not crowded]


def exclusions(pairs: Iterable[Pair], train_images: int, images: int) -> list[Exclusion]:
    """Test images that repeat a training image, or repeat another test image that stays.

    A test image goes if it is itself a duplicate of a training image; to be linked to one through a third is
    not enough. Of the others that form a group, the first stays.
    """
    pairs = sorted(pairs, key=lambda pair: (pair.first, pair.second))
    # Equal images are paired with the first of them alone, which speaks for all.
    speaks_for = {pair.second: pair.first for pair in pairs if pair.kind == "exact"}
    closest: dict[int, Pair] = {}
    for pair in pairs:
        if pair.first < train_images <= pair.second:
            known = closest.get(pair.second)
            if known is None or pair.pixels > known.pixels:
                closest[pair.second] = pair
    found = {image: Exclusion(image, pair.first, pair.kind) for image, pair in closest.items()}
    for image, first in speaks_for.items():
        if image >= train_images and image not in found and first in closest:
            found[image] = Exclusion(image, closest[first].first, closest[first].kind)
    staying = [
        pair
        for pair in pairs
        if pair.first >= train_images and pair.first not in found and pair.second not in found
    ]
    kinds = {pair.second: pair.kind for pair in reversed(staying)}
    for first, *others in groups(staying, images):
        for image in others:
            found[image] = Exclusion(image, first, kinds.get(image, "near"))
    return [found[image] for image in sorted(found)]
