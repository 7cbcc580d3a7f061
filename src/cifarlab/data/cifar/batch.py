"""One file of a CIFAR archive, from its bytes to images and labels.

Binary records are one label byte (CIFAR-100: the coarse, then the fine label) and 3,072 pixels: the red, the
green and the blue plane, row by row. A pickle holds the same pixels as an array and the labels as lists.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cifarlab.data.cifar.names import CIFAR10, CIFAR100_COARSE, CIFAR100_FINE
from cifarlab.data.cifar.official import OfficialArchive
from cifarlab.data.cifar.pickles import read_pickled_dict
from cifarlab.errors import UserError, printable

SIZE = 32
"""Height and width in pixels."""
_PIXELS = 3 * SIZE * SIZE
_LABELS = {
    "cifar10": (("labels", CIFAR10),),
    "cifar100": (("coarse", CIFAR100_COARSE), ("fine", CIFAR100_FINE)),
}
_NAME_KEYS: dict[str, dict[str, tuple[str, ...]]] = {
    "batches.meta": {"label_names": CIFAR10},
    "batches.meta.txt": {"": CIFAR10},
    "meta": {"fine_label_names": CIFAR100_FINE, "coarse_label_names": CIFAR100_COARSE},
    "fine_label_names.txt": {"": CIFAR100_FINE},
    "coarse_label_names.txt": {"": CIFAR100_COARSE},
}


@dataclass(frozen=True)
class Batch:
    """The images of one file, or of several."""

    images: NDArray[np.uint8]
    """``[N, 3, 32, 32]``, RGB."""
    labels: NDArray[np.int64]
    """``[N]``; CIFAR-100's are the fine ones."""
    coarse_labels: NDArray[np.int64] | None
    """``[N]``, CIFAR-100 only."""


def class_names(data_set: str) -> tuple[str, ...]:
    """The names of ``cifar10`` or of ``cifar100``, in the order of the labels."""
    return _LABELS[data_set][-1][1]


def read_batch(content: bytes, archive: OfficialArchive, name: str) -> Batch:
    """The images and labels of one file, in its order.

    Args:
        content: the whole file, of any number of images above 0.
        archive: whose format the file has.
        name: what an error message calls it.

    Raises:
        UserError: the file is damaged, or a label is none of the data set's.
    """
    read = _binary if archive.kind == "binary" else _pickled
    pixels, columns = read(content, archive.data_set, name)
    labels = []
    for column, (_, names) in zip(columns, _LABELS[archive.data_set], strict=True):
        wrong = np.flatnonzero(column >= len(names))
        if len(wrong):
            raise _damaged(name, f"image {wrong[0]} has the label {column[wrong[0]]} of {len(names)} classes")
        labels.append(column)
    images = pixels.reshape(-1, 3, SIZE, SIZE)
    return Batch(images, labels[-1], labels[0] if len(labels) == 2 else None)


def check_names(content: bytes, file_name: str, name: str) -> None:
    """Compare a file of class names with those that are known.

    Raises:
        UserError: it is damaged or has other names, so its labels would mean something else.
    """
    found: dict[str, Any] = (
        {"": [line.strip() for line in content.decode("latin1").splitlines() if line.strip()]}
        if file_name.endswith(".txt")
        else read_pickled_dict(content, name)
    )
    for key, expected in _NAME_KEYS[file_name].items():
        if tuple(_text(each) for each in _list(found, key, name)) != expected:
            raise _damaged(name, "its class names are not the official ones")


def join(batches: Sequence[Batch]) -> Batch:
    """The images of all batches, one after the other."""
    coarse = [batch.coarse_labels for batch in batches if batch.coarse_labels is not None]
    return Batch(
        np.concatenate([batch.images for batch in batches]),
        np.concatenate([batch.labels for batch in batches]),
        np.concatenate(coarse) if coarse else None,
    )


def _binary(content: bytes, data_set: str, name: str) -> tuple[NDArray[np.uint8], list[NDArray[np.int64]]]:
    """Pixels ``[N, 3072]`` and one column of labels ``[N]`` per label byte."""
    labels = len(_LABELS[data_set])
    width = labels + _PIXELS
    if not content or len(content) % width:
        raise _damaged(name, f"its {len(content):,} bytes are not records of {width:,} bytes")
    records = np.frombuffer(content, np.uint8).reshape(-1, width)
    return records[:, labels:], [records[:, place].astype(np.int64) for place in range(labels)]


def _pickled(content: bytes, data_set: str, name: str) -> tuple[NDArray[np.uint8], list[NDArray[np.int64]]]:
    """The same of a pickle."""
    found = read_pickled_dict(content, name)
    pixels = found.get("data")
    if not isinstance(pixels, np.ndarray) or pixels.ndim != 2 or pixels.shape[1] != _PIXELS:
        raise _damaged(name, f"it has no array 'data' of {_PIXELS:,} values per image")
    columns = []
    for kind, _ in _LABELS[data_set]:
        key = kind if kind == "labels" else f"{kind}_labels"
        labels = _list(found, key, name)
        if len(labels) != len(pixels):
            raise _damaged(name, f"it has {len(labels):,} {key} for {len(pixels):,} images")
        if not all(type(label) is int and 0 <= label < 256 for label in labels):
            raise _damaged(name, f"its {key} are not numbers from 0 on")
        columns.append(np.array(labels, np.int64))
    return pixels, columns


def _list(found: dict[str, Any], key: str, name: str) -> list[Any]:
    value = found.get(key)
    if type(value) is not list:
        raise _damaged(name, f"it has no list {key!r}")
    return value


def _text(value: object) -> str:
    return value.decode("latin1") if isinstance(value, bytes) else value if isinstance(value, str) else ""


def _damaged(name: str, reason: str) -> UserError:
    return UserError(f"{printable(name)} is damaged: {printable(reason)}; fetch it again")
