"""The archives that CIFAR's publisher offers: where they are, how large, and their MD5 sums.

Source: A. Krizhevsky, Learning Multiple Layers of Features from Tiny Images, 2009, and his page. MD5 is what
the publisher gives; it guards against accidents, not against attackers.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from cifarlab.data.cache import cache_folder

HOST = "https://www.cs.toronto.edu/~kriz/"


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

    @property
    def url(self) -> str:
        """Where the publisher offers it."""
        return HOST + self.file_name


ARCHIVES = (
    OfficialArchive(
        data_set="cifar10",
        kind="binary",
        file_name="cifar-10-binary.tar.gz",
        size=170_052_171,
        md5="c32a1d4ab5d03f1284b67883e8d87530",
        folder="cifar-10-batches-bin",
    ),
    OfficialArchive(
        data_set="cifar10",
        kind="python",
        file_name="cifar-10-python.tar.gz",
        size=170_498_071,
        md5="c58f30108f718f92721af3b95e74349a",
        folder="cifar-10-batches-py",
    ),
    OfficialArchive(
        data_set="cifar100",
        kind="binary",
        file_name="cifar-100-binary.tar.gz",
        size=168_513_733,
        md5="03b5dce01913d631647c71ecec9e9cb8",
        folder="cifar-100-binary",
    ),
    OfficialArchive(
        data_set="cifar100",
        kind="python",
        file_name="cifar-100-python.tar.gz",
        size=169_001_437,
        md5="eb9058c3a382ffc7106e4002c42a8d85",
        folder="cifar-100-python",
    ),
)
"""For each data set the binary archive first: it is the one that is fetched and read by default."""


def archives_folder() -> Path:
    """Where fetched archives lie, and where one that was fetched by other means is looked for.

    ``$CIFARLAB_DATA``, else ``archives`` in the cache folder.
    """
    if chosen := os.environ.get("CIFARLAB_DATA"):
        return Path(chosen)
    return cache_folder() / "archives"
