"""Parts of a training set: the validation set that is held out, and smaller training sets.

Every function takes labels (int64 ``[N]``) and a seed, gives indices (int64, ascending), and gives the same
ones on every machine: the draws come from ``numpy.random.RandomState``, whose stream NumPy has frozen.
"""

from dataclasses import dataclass

import numpy as np
import torch
from sklearn.model_selection import train_test_split
from torch import Tensor

from cifarlab.errors import UserError


@dataclass(frozen=True)
class Fraction:
    """Hold out a fraction of the training set; the rest is trained on."""

    fraction: float = 0.1
    """More than 0, at most 0.5."""

    def __post_init__(self) -> None:
        if not 0 < self.fraction <= 0.5:
            raise UserError(f"fraction: {self.fraction} is not more than 0 and at most 0.5")

    def divide(self, labels: Tensor, seed: int) -> tuple[Tensor, Tensor]:
        """Indices to train on and to validate on, each class with its share in both, at least an image."""
        validation = max(round(len(labels) * self.fraction), len(labels.unique()))
        return _with_every_class(labels, _divide(labels, len(labels) - validation, validation, seed))


@dataclass(frozen=True)
class Counts:
    """Train on one number of images and validate on another; images left over are not used."""

    train: int
    validation: int

    def __post_init__(self) -> None:
        if self.train < 1 or self.validation < 1:
            raise UserError(f"counts: {self.train} and {self.validation} must both be at least 1")

    def divide(self, labels: Tensor, seed: int) -> tuple[Tensor, Tensor]:
        """Indices to train on and to validate on, each class with its share in both."""
        if self.train + self.validation > len(labels):
            raise UserError(
                f"{self.train:,} images to train on and {self.validation:,} to validate on are more than "
                f"the {len(labels):,} of the training set; ask for fewer"
            )
        parts = _divide(labels, self.train, self.validation, seed)
        _refuse_absent(labels, parts)
        return parts


@dataclass(frozen=True)
class NoHoldout:
    """Train on the whole training set and validate on nothing, as reports did that chose on the test set."""

    def divide(self, labels: Tensor, seed: int) -> tuple[Tensor, Tensor]:
        """All indices to train on, and none."""
        return torch.arange(len(labels)), torch.arange(0)


Holdout = Fraction | Counts | NoHoldout


def per_class_subset(labels: Tensor, size: int, seed: int) -> Tensor:
    """Indices of ``size`` images, equally many of each class; smaller sizes are parts of larger ones.

    With one seed, the 1,560 images of a small training set are among the 3,120 of the next larger one, so
    that a curve over the training set's size compares nested sets.

    Raises:
        UserError: ``size`` is not a multiple of the number of classes, or a class has too few images.
    """
    _check_seed(seed)
    classes, counts = np.unique(labels.numpy(), return_counts=True)
    if size < 1:
        raise UserError(f"a subset of {size:,} images is none; ask for at least {len(classes)}")
    if size % len(classes):
        raise UserError(f"a subset of {size:,} images cannot be equal over {len(classes)} classes")
    each = size // len(classes)
    if each > int(counts.min()):
        smallest = int(classes[counts.argmin()])
        raise UserError(
            f"a subset of {size:,} images takes {each:,} of each class, but class {smallest} has only "
            f"{int(counts.min()):,}; ask for at most {int(counts.min()) * len(classes):,}"
        )
    random = np.random.RandomState(seed)
    chosen = [random.permutation(np.flatnonzero(labels.numpy() == label))[:each] for label in classes]
    return torch.from_numpy(np.sort(np.concatenate(chosen)).astype(np.int64))


def one_of_each_class(labels: Tensor, count: int, seed: int) -> Tensor:
    """Indices of ``count`` images at random, one class after the other, int64; fewer if there are fewer."""
    _check_seed(seed)
    order = np.random.RandomState(seed).permutation(len(labels))
    shuffled = labels.numpy()[order]
    # The place of an image among those of its class decides the round in which it is taken.
    rounds = np.zeros(len(labels), dtype=np.int64)
    for label in np.unique(shuffled):
        places = np.flatnonzero(shuffled == label)
        rounds[places] = np.arange(len(places))
    chosen = np.lexsort((shuffled, rounds))[:count]
    return torch.from_numpy(order[chosen].astype(np.int64))


def _divide(labels: Tensor, train: int, validation: int, seed: int) -> tuple[Tensor, Tensor]:
    _check_seed(seed)
    classes, counts = np.unique(labels.numpy(), return_counts=True)
    if int(counts.min()) < 2:
        smallest = int(classes[counts.argmin()])
        raise UserError(
            f"class {smallest} has one image, and one cannot be divided; add images or leave it out"
        )
    if min(train, validation) < len(classes):
        raise UserError(
            f"{train:,} images to train on and {validation:,} to validate on are too few for "
            f"{len(classes)} classes; each part needs one image of each class at least"
        )
    parts = train_test_split(
        np.arange(len(labels)),
        train_size=train,
        test_size=validation,
        stratify=labels.numpy(),
        random_state=seed,
    )
    first, second = (torch.from_numpy(np.sort(part).astype(np.int64)) for part in parts)
    return first, second


def _with_every_class(labels: Tensor, parts: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    """Both parts, where a class that one of them lacks has moved its first image there.

    A small class's share may round to nothing.
    """
    train, validation = parts
    for label in labels.unique().tolist():
        first = (labels == label).nonzero().flatten()[:1]
        if not bool((labels[train] == label).any()):
            train, validation = torch.cat([train, first]).sort().values, validation[validation != first]
        elif not bool((labels[validation] == label).any()):
            train, validation = train[train != first], torch.cat([validation, first]).sort().values
    return train, validation


def _refuse_absent(labels: Tensor, parts: tuple[Tensor, Tensor]) -> None:
    for part, purpose in zip(parts, ("train", "validate"), strict=True):
        absent = set(labels.tolist()) - set(labels[part].tolist())
        if absent:
            label = min(absent)
            raise UserError(
                f"class {label} has {int((labels == label).sum())} images, too few to leave one to "
                f"{purpose} on; add images, or hold out another share"
            )


def _check_seed(seed: int) -> None:
    if not 0 <= seed < 2**32:
        raise UserError(f"seed: {seed} is not between 0 and {2**32 - 1}")
