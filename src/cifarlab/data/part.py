"""A part of a data set, for trials: ``cifar10[5000,1000]`` is 5,000 training and 1,000 test images of it."""

import re
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.model_selection import train_test_split
from torch import Tensor

from cifarlab.data.split import Source, Split, source_of
from cifarlab.errors import UserError

_SYNTAX = re.compile(r"(?P<name>.+)\[(?P<train>\d+)(?:,(?P<test>\d+))?\]", re.DOTALL)


def divided_name(name: str) -> tuple[str, tuple[int, int] | None]:
    """A data set's name without its part, and the numbers of training and test images, if it names any.

    ``cifar10[256]`` asks for 256 of both.
    """
    found = _SYNTAX.fullmatch(name)
    if found is None:
        return name, None
    train = int(found["train"])
    return found["name"], (train, train if found["test"] is None else int(found["test"]))


def part_of(source: Source, train: int, test: int) -> Source:
    """``train`` training and ``test`` test images of ``source``, each class with its share in both.

    The same ones on every machine, whatever the seed of a run.

    Raises:
        UserError: there are not so many, or fewer are asked for than there are classes.
    """
    splits, chosen = [], []
    for half, split, size in (("training", source.read_train(), train), ("test", source.read_test(), test)):
        classes = len(split.class_names)
        if not classes <= size <= len(split):
            raise UserError(
                f"{source.description.name} has {len(split):,} {half} images in {classes} classes; "
                f"a part takes {classes} to {len(split):,} of them, found {size:,}"
            )
        chosen.append(_share(split, size))
        splits.append(split.select(chosen[-1]))
    description = source.description
    name = f"{description.name}[{train},{test}]"
    part = source_of(name, splits[0], splits[1], description.test_set, description.preparation)

    def names() -> tuple[list[str], list[str]]:
        of_train, of_test = source.image_names()  # an archive's listing takes seconds: only when asked for
        first, second = chosen
        return [of_train[place] for place in first.tolist()], [of_test[place] for place in second.tolist()]

    return replace(part, read_names=names)


def _share(split: Split, size: int) -> Tensor:
    """Indices, ascending, of ``size`` images, each class with its share."""
    everything = np.arange(len(split))
    if size == len(split):
        return torch.from_numpy(everything)
    labels = split.labels.numpy()
    least = np.unique(labels, return_counts=True)[1].min()
    if least < 2 or len(split) - size < len(split.class_names):
        chosen = _by_largest_remainder(labels, size)
    else:
        chosen, _ = train_test_split(everything, train_size=size, stratify=labels, random_state=0)
    return torch.from_numpy(np.sort(chosen).astype(np.int64))


def _by_largest_remainder(labels: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    """Where scikit-learn cannot stratify: each class has its share, rounded down, or one more."""
    classes, counts = np.unique(labels, return_counts=True)
    shares = counts * size / len(labels)
    taken = np.floor(shares).astype(np.int64)
    for place in np.argsort(taken - shares, kind="stable")[: size - int(taken.sum())]:
        taken[place] += 1
    random = np.random.RandomState(0)
    some = [
        random.permutation(np.flatnonzero(labels == label))[:count]
        for label, count in zip(classes, taken, strict=True)
    ]
    return np.concatenate(some)
