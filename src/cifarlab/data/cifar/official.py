"""The archives that CIFAR's publisher offers: where they are, how large, what is in them, and their MD5 sums.

Source: A. Krizhevsky, Learning Multiple Layers of Features from Tiny Images, 2009, and his page. MD5 is what
the publisher gives; it guards against accidents, not against attackers.
"""

from dataclasses import dataclass
from typing import Literal

HOST = "https://www.cs.toronto.edu/~kriz/"


@dataclass(frozen=True)
class OfficialFile:
    """One file of an archive."""

    name: str
    half: Literal["train", "test", "names"]
    most_bytes: int
    """A larger one is refused, whoever made it."""
    size: int | None = None
    """Bytes, where they are known."""
    md5: str | None = None
    """Where the publisher's loaders give it."""


@dataclass(frozen=True)
class OfficialArchive:
    """One archive of one data set."""

    data_set: str
    """``cifar10`` or ``cifar100``."""
    kind: str
    """``binary``: label bytes and pixels. ``python``: pickles."""
    file_name: str
    size: int
    """Bytes."""
    md5: str
    folder: str
    """The folder that the archive unpacks to."""
    files: tuple[OfficialFile, ...] = ()
    """What is read of it, in the order of the images."""

    @property
    def url(self) -> str:
        """Where the publisher offers it."""
        return HOST + self.file_name


_NAMES_BYTES = 2**16
_BATCH_BYTES = 2**25  # the pickles of 10,000 images are a little longer than their pixels


def _binary_file(name: str, half: Literal["train", "test"], size: int) -> OfficialFile:
    return OfficialFile(name, half, most_bytes=size, size=size)


def _pickled_batch(name: str, half: Literal["train", "test"], md5: str) -> OfficialFile:
    return OfficialFile(name, half, most_bytes=_BATCH_BYTES, md5=md5)


def _names_file(name: str, md5: str | None = None) -> OfficialFile:
    return OfficialFile(name, "names", most_bytes=_NAMES_BYTES, md5=md5)


ARCHIVES = (
    OfficialArchive(
        data_set="cifar10",
        kind="binary",
        file_name="cifar-10-binary.tar.gz",
        size=170_052_171,
        md5="c32a1d4ab5d03f1284b67883e8d87530",
        folder="cifar-10-batches-bin",
        files=(
            *(_binary_file(f"data_batch_{number}.bin", "train", 10_000 * 3_073) for number in range(1, 6)),
            _binary_file("test_batch.bin", "test", 10_000 * 3_073),
            _names_file("batches.meta.txt"),
        ),
    ),
    OfficialArchive(
        data_set="cifar10",
        kind="python",
        file_name="cifar-10-python.tar.gz",
        size=170_498_071,
        md5="c58f30108f718f92721af3b95e74349a",
        folder="cifar-10-batches-py",
        files=(
            _pickled_batch("data_batch_1", "train", "c99cafc152244af753f735de768cd75f"),
            _pickled_batch("data_batch_2", "train", "d4bba439e000b95fd0a9bffe97cbabec"),
            _pickled_batch("data_batch_3", "train", "54ebc095f3ab1f0389bbae665268c751"),
            _pickled_batch("data_batch_4", "train", "634d18415352ddfa80567beed471001a"),
            _pickled_batch("data_batch_5", "train", "482c414d41f54cd18b22e5b47cb7c3cb"),
            _pickled_batch("test_batch", "test", "40351d587109b95175f43aff81a1287e"),
            _names_file("batches.meta", "5ff9c542aee3614f3951f8cda6e48888"),
        ),
    ),
    OfficialArchive(
        data_set="cifar100",
        kind="binary",
        file_name="cifar-100-binary.tar.gz",
        size=168_513_733,
        md5="03b5dce01913d631647c71ecec9e9cb8",
        folder="cifar-100-binary",
        files=(
            _binary_file("train.bin", "train", 50_000 * 3_074),
            _binary_file("test.bin", "test", 10_000 * 3_074),
            _names_file("fine_label_names.txt"),
            _names_file("coarse_label_names.txt"),
        ),
    ),
    OfficialArchive(
        data_set="cifar100",
        kind="python",
        file_name="cifar-100-python.tar.gz",
        size=169_001_437,
        md5="eb9058c3a382ffc7106e4002c42a8d85",
        folder="cifar-100-python",
        files=(
            OfficialFile("train", "train", 5 * _BATCH_BYTES, 155_249_918, "16019d7e3df5f24257cddd939b257f8d"),
            OfficialFile("test", "test", _BATCH_BYTES, 31_049_707, "f0ef6b0ae62326f3e7ffdfab6717acfc"),
            _names_file("meta", "7973b15100ade9c7d40fb424638fde48"),
        ),
    ),
)
"""For each data set the binary archive first: it is the one that is fetched and read by default."""
