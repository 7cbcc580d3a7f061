"""Confusion matrices: their sums and their trace."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from cifarlab.errors import UserError
from cifarlab.studies.table_check.finding import Finding
from cifarlab.studies.table_check.printed import MOST_IMAGES, Printed, exact, require_counts, shown
from cifarlab.studies.table_check.rounding import counts_behind

MOST_CLASSES = 10_000


@dataclass(frozen=True)
class ConfusionMatrix:
    """How often images of each class were taken for each class."""

    where: str
    counts: tuple[tuple[int, ...], ...]
    """``[K][K]``."""
    classes: tuple[str, ...] = ()
    images_per_class: int | None = None
    images: int | None = None
    """In all, where the classes differ in size."""
    accuracy: Printed | None = None
    """In percent, as the report states it."""
    rows: Literal["true", "predicted"] = "true"
    """What a row stands for."""

    def __post_init__(self) -> None:
        if not 2 <= len(self.counts) <= MOST_CLASSES or any(len(r) != len(self.counts) for r in self.counts):
            raise UserError(f"a confusion matrix has as many columns as rows, from 2; {self.where} has not")
        if any(not 0 <= count <= MOST_IMAGES for row in self.counts for count in row):
            raise UserError(f"a confusion matrix holds counts, from 0; {self.where} has others")
        if self.classes and len(self.classes) != len(self.counts):
            raise UserError(f"{self.where} names {len(self.classes)} classes for {len(self.counts)} rows")
        require_counts("images", self.images_per_class, self.images)
        if self.accuracy is not None:
            exact(self.accuracy)

    def findings(self) -> Iterator[Finding]:
        """Classes of a wrong size, a wrong total, and an accuracy that is not the trace's."""
        yield from self._class_sizes()
        images = sum(map(sum, self.counts))
        if self.images is not None and images != self.images:
            message = f"the matrix holds {images:,} images, not {self.images:,}"
            yield Finding("row-sum", self.where, message)
        if not images:
            yield Finding("row-sum", self.where, "the matrix holds no image")
            return
        right = sum(row[place] for place, row in enumerate(self.counts))
        if self.accuracy is not None and right not in counts_behind(self.accuracy, images):
            yield Finding(
                "trace",
                self.where,
                f"the diagonal holds {right:,} of {images:,} images, which is {100 * right / images:.4g} %,"
                f" where {shown(self.accuracy)} % is stated",
            )

    def _class_sizes(self) -> Iterator[Finding]:
        """Classes without the stated number of images; where none is stated, the one odd class out."""
        lines = self.counts if self.rows == "true" else tuple(zip(*self.counts, strict=True))
        sums = [sum(line) for line in lines]
        expected = self.images_per_class
        if expected is None:
            usual, times = Counter(sums).most_common(1)[0]
            if len(sums) < 3 or times != len(sums) - 1:
                return
            expected = usual
        for place, found in enumerate(sums):
            if found != expected:
                name = self.classes[place] if self.classes else f"class {place + 1}"
                yield Finding("row-sum", self.where, f"{name} has {found:,} images, not {expected:,}")
