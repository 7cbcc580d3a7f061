"""The sizes of data sets that everybody uses."""

from collections.abc import Iterator
from dataclasses import dataclass

from cifarlab.errors import UserError, nearest
from cifarlab.studies.table_check.finding import Finding
from cifarlab.studies.table_check.printed import require_counts

SIZES = {
    "cifar10": (50_000, 10_000),
    "cifar100": (50_000, 10_000),
    "cifar12": (55_000, 11_000),
    "mnist": (60_000, 10_000),
    "fashion-mnist": (60_000, 10_000),
    "svhn": (73_257, 26_032),
    "stl10": (5_000, 8_000),
}
"""Training and test images; ``cifar12`` is CIFAR-10 with two superclasses of CIFAR-100 (report 004)."""


@dataclass(frozen=True)
class DataSet:
    """A known data set and its sizes as stated."""

    where: str
    name: str
    """cifar10, cifar100, cifar12, mnist, fashion-mnist, svhn or stl10."""
    train: int | None = None
    """Validation images included."""
    test: int | None = None

    def __post_init__(self) -> None:
        if self.name not in SIZES:
            raise UserError(f"the size of no data set {self.name!r} is known; {nearest(self.name, SIZES)}")
        require_counts("images", self.train, self.test)

    def findings(self) -> Iterator[Finding]:
        """Sizes that are not the data set's."""
        for half, stated, known in zip(
            ("training", "test"), (self.train, self.test), SIZES[self.name], strict=True
        ):
            if stated is not None and stated != known:
                message = f"{self.name} has {known:,} {half} images, where {stated:,} are stated"
                yield Finding("data-set", self.where, message)
