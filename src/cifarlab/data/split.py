"""Labeled images in memory, and the source that they come from."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torch import Tensor

from cifarlab.data.pictures import Preparation


@dataclass(frozen=True)
class Split:
    """Labeled images: a training set, a test set, or a part of one."""

    images: Tensor
    """uint8 ``[N, 3, H, W]``, RGB."""
    labels: Tensor
    """int64 ``[N]``, indices into ``class_names``."""
    class_names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.labels)

    def select(self, indices: Tensor) -> "Split":
        """The images at ``indices`` (int64 ``[M]``), copied."""
        return Split(self.images[indices], self.labels[indices], self.class_names)

    def sha256(self) -> str:
        """SHA-256 over shape, pixels, labels and class names: equal data have equal hashes everywhere."""
        digest = hashlib.sha256(repr((tuple(self.images.shape), self.class_names)).encode())
        digest.update(self.images.contiguous().numpy().data)
        digest.update(self.labels.contiguous().numpy().astype("<i8").data)
        return digest.hexdigest()


@dataclass(frozen=True)
class DataDescription:
    """What a run records of its data."""

    name: str
    """``digits``, or the name of the folder or archive."""
    class_names: tuple[str, ...]
    train_images: int
    test_images: int
    train_sha256: str
    test_sha256: str
    image_size: int
    """Height and width in pixels."""
    test_set: str
    """Where the test set comes from, in words: ``given``, or how it was split off."""
    preparation: Preparation
    """What was done to every picture, and is done again by ``predict``."""


@dataclass(frozen=True)
class Source:
    """A data set whose two halves are read when asked for, so that the test set can stay closed."""

    description: DataDescription
    read_train: Callable[[], Split]
    read_test: Callable[[], Split]
    read_names: Callable[[], tuple[Sequence[str], Sequence[str]]] | None = None
    """Reads what the user would call each image of both halves: its file, where it has one of its own."""

    def image_names(self) -> tuple[Sequence[str], Sequence[str]]:
        """A name for every image of the training and of the test set, in their order."""
        if self.read_names is not None:
            return self.read_names()
        counts = {"train": self.description.train_images, "test": self.description.test_images}
        train, test = ([f"{half}[{place}]" for place in range(n)] for half, n in counts.items())
        return train, test


def source_of(name: str, train: Split, test: Split, test_set: str, preparation: Preparation) -> Source:
    """A source for two splits that are in memory already."""
    description = DataDescription(
        name=name,
        class_names=train.class_names,
        train_images=len(train),
        test_images=len(test),
        train_sha256=train.sha256(),
        test_sha256=test.sha256(),
        image_size=train.images.shape[-1],
        test_set=test_set,
        preparation=preparation,
    )
    return Source(description, lambda: train, lambda: test)
