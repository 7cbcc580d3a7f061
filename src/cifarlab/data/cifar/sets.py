"""CIFAR-10, CIFAR-100 and CIFAR-12 from the official archives, or from files like them.

Source: A. Krizhevsky, Learning Multiple Layers of Features from Tiny Images, 2009. CIFAR-12 is report 004's.
"""

import functools
import sys
from pathlib import Path

import numpy as np
import torch

from cifarlab.data.cache import Prepared, open_cached
from cifarlab.data.cifar.batch import Batch, check_names, class_names, join, read_batch
from cifarlab.data.cifar.names import FISH, FLOWERS
from cifarlab.data.cifar.place import (
    Place,
    find_stored,
    identity,
    official_title,
    read_files,
    recognize,
    title,
)
from cifarlab.data.locations import cache_folder
from cifarlab.data.pictures import Preparation
from cifarlab.data.split import Source, Split
from cifarlab.errors import printable

CIFAR12_CLASS_NAMES = (*class_names("cifar10"), "fish", "flowers")
"""CIFAR-10's ten, then the two superclasses of CIFAR-100."""


def open_cifar(data_set: str) -> Source:
    """The official ``cifar10`` or ``cifar100`` (100 fine classes) from the folder of archives.

    Images are uint8 ``[N, 3, 32, 32]`` in the order of the archive: the training batches from 1 to 5, and
    the test batch. The binary and the Python archive give the same bits.

    Raises:
        UserError: the archive is not there, or it is not the official one; the message says what to do.
    """
    place = find_stored(data_set)
    return _open(place, official_title(place))


def open_cifar12() -> Source:
    """CIFAR-10 with the superclasses fish and flowers of CIFAR-100: 55,000 training and 11,000 test images.

    In each half all of CIFAR-10 comes first, then the fish and flowers in CIFAR-100's own order.

    Raises:
        UserError: one of the two archives is not there, or is not the official one.
    """
    ten, hundred = find_stored("cifar10"), find_stored("cifar100")
    names = [official_title(ten), official_title(hundred)]
    name = "cifar12" if names == ["cifar10", "cifar100"] else f"cifar12 (from {' and '.join(names)})"
    return open_cached(
        name,
        Preparation(),
        lambda: f"cifar12 of {identity(ten)} and {identity(hundred)}",
        functools.partial(_prepare_cifar12, ten, hundred),
    )


def open_cifar_at(path: Path) -> Source | None:
    """The CIFAR files at a path, or None where there are none.

    The name of the source is the data set's only where the files are proven to be the official ones.

    Args:
        path: an archive, a folder of its files, or a folder that holds either, as torchvision leaves it.

    Raises:
        UserError: the files are damaged, hostile or incomplete, or of more than one data set.
    """
    place = recognize(path)
    return None if place is None else _open(place, title(place))


def load(place: Place) -> tuple[Batch, Batch]:
    """Every image and label of the training and of the test set, read and checked from first to last byte.

    Raises:
        UserError: anything is damaged, missing or unknown.
    """
    batches: dict[str, Batch] = {}
    halves = {file.name: file.half for file in place.archive.files}
    for file_name, content in read_files(place):
        name = f"{place.name}/{file_name}"
        if halves[file_name] == "names":
            check_names(content, file_name, name)
        else:
            batches[file_name] = read_batch(content, place.archive, name)
    train, test = (
        join([batches[name] for name, each in halves.items() if each == half]) for half in ("train", "test")
    )
    return train, test


def _open(place: Place, name: str) -> Source:
    return open_cached(
        name,
        Preparation(),
        lambda: f"{place.archive.data_set} of {identity(place)}",
        functools.partial(_prepare, place),
    )


def _prepare(place: Place) -> Prepared:
    _say_what_is_read(place)
    names = class_names(place.archive.data_set)
    train, test = (_split(batch, names) for batch in load(place))
    return Prepared(train, test, test_set="given")


def _prepare_cifar12(ten: Place, hundred: Place) -> Prepared:
    _say_what_is_read(ten)
    _say_what_is_read(hundred)
    train, test = (
        _split(join([small, _fish_and_flowers(large)]), CIFAR12_CLASS_NAMES)
        for small, large in zip(load(ten), load(hundred), strict=True)
    )
    return Prepared(train, test, test_set="given")


def _fish_and_flowers(batch: Batch) -> Batch:
    """The images of the two superclasses, with the labels 10 and 11."""
    assert batch.coarse_labels is not None
    chosen = np.isin(batch.coarse_labels, (FISH, FLOWERS))
    labels = np.where(batch.coarse_labels[chosen] == FISH, 10, 11)
    return Batch(batch.images[chosen], labels, coarse_labels=None)


def _split(batch: Batch, names: tuple[str, ...]) -> Split:
    return Split(torch.from_numpy(batch.images), torch.from_numpy(batch.labels), names)


def _say_what_is_read(place: Place) -> None:
    where = printable(cache_folder())
    print(
        f"reading {place.archive.data_set} from {place.name} (once; then cached in {where})", file=sys.stderr
    )
