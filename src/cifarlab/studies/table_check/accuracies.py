"""Accuracies: what no count gives, means of classes, halves of a data set, and ranks."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from cifarlab.errors import UserError
from cifarlab.statistics import most_discordant, two_proportions
from cifarlab.studies.table_check.finding import Finding
from cifarlab.studies.table_check.printed import Printed, exact, half_unit, plain, require_counts, shown
from cifarlab.studies.table_check.rounding import count_missing

CHANCE = 1e-6
"""Two sets of unseen images differ by chance in hardly any table with a smaller p."""


@dataclass(frozen=True)
class Accuracies:
    """Accuracies in percent, all on the same images."""

    where: str
    values: tuple[Printed, ...]
    images: int | None = None

    def __post_init__(self) -> None:
        require_counts("images", self.images)
        for value in self.values:
            exact(value)

    def findings(self) -> Iterator[Finding]:
        """Those outside 0-100 %, and those that no count over the images gives."""
        for value in self.values:
            if not 0 <= exact(value) <= 100:
                yield Finding("range", self.where, f"{shown(value)} % is no accuracy")
            elif self.images is not None and (message := count_missing(value, self.images)):
                yield Finding("count", self.where, message)


@dataclass(frozen=True)
class ClassAccuracies:
    """The accuracy of each class beside that of all images, in percent, on the same images."""

    where: str
    accuracy: Printed
    classes: tuple[Printed, ...]
    images: tuple[int, ...] = ()
    """Per class; without it all classes have equally many."""

    def __post_init__(self) -> None:
        if not self.classes or len(self.images) not in (0, len(self.classes)):
            raise UserError(
                f"{self.where} needs an accuracy per class, and as many numbers of images or none"
            )
        require_counts("images", *self.images)
        for value in (self.accuracy, *self.classes):
            exact(value)

    def findings(self) -> Iterator[Finding]:
        """A total that is not the mean of its classes."""
        weights = self.images or (1,) * len(self.classes)
        parts = list(zip(weights, self.classes, strict=True))
        mean = sum((weight * exact(value) for weight, value in parts), Decimal(0)) / sum(weights)
        blur = sum((weight * half_unit(value) for weight, value in parts), Decimal(0)) / sum(weights)
        if abs(mean - exact(self.accuracy)) > blur + half_unit(self.accuracy):
            message = f"the mean of the classes is {plain(mean)} %, where {shown(self.accuracy)} % is stated"
            yield Finding("class-mean", self.where, message)


@dataclass(frozen=True)
class Results:
    """One network's accuracies, in percent, on the images it was trained on and on unseen ones."""

    where: str
    train: Printed | None = None
    validation: Printed | None = None
    test: Printed | None = None
    train_images: int = 50_000
    validation_images: int = 10_000
    test_images: int = 10_000
    training_images_were: Literal["plain", "augmented"] = "plain"
    """As they were when the accuracy on them was measured; augmented ones are harder."""

    def __post_init__(self) -> None:
        require_counts("images", self.train_images, self.validation_images, self.test_images)
        if any(not 0 <= exact(v) <= 100 for v in (self.train, self.validation, self.test) if v is not None):
            raise UserError(f"{self.where} has accuracies outside of 0 … 100 %")

    def findings(self) -> Iterator[Finding]:
        """Images that were learned from judged worse than unseen ones, or two unseen sets far apart."""
        unseen = [
            (name, value, images)
            for name, value, images in (
                ("validation", self.validation, self.validation_images),
                ("test", self.test, self.test_images),
            )
            if value is not None
        ]
        for name, value, images in unseen:
            if self.train is None or self.training_images_were == "augmented":
                continue
            if exact(self.train) < exact(value) and self._apart(self.train, self.train_images, value, images):
                yield Finding(
                    "mode",
                    self.where,
                    f"{shown(self.train)} % on the training images lies below {shown(value)} % on the {name}"
                    " images: it was measured with dropout on, in training mode, or on augmented images",
                )
        if len(unseen) == 2 and self._apart(*unseen[0][1:], *unseen[1][1:]):
            yield Finding(
                "mode",
                self.where,
                f"{shown(unseen[0][1])} % on the validation images and {shown(unseen[1][1])} % on the test"
                " images differ by more than chance, and both are unseen: they were evaluated differently",
            )

    @staticmethod
    def _apart(first: Printed, first_images: int, second: Printed, second_images: int) -> bool:
        """Whether chance alone hardly ever makes so large a difference."""
        right = [round(exact(v) * n / 100) for v, n in ((first, first_images), (second, second_images))]
        return two_proportions(right[0], first_images, right[1], second_images) < CHANCE


@dataclass(frozen=True)
class Ranking:
    """Networks ranked by their accuracies, in percent, on the same images."""

    where: str
    images: int
    accuracies: tuple[Printed, ...]
    names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        require_counts("images", self.images)
        if len(self.accuracies) < 2 or len(self.names) not in (0, len(self.accuracies)):
            raise UserError(f"{self.where} needs two accuracies or more, and as many names or none")
        if any(not 0 <= exact(value) <= 100 for value in self.accuracies):
            raise UserError(f"{self.where} has accuracies outside of 0 … 100 %")

    def findings(self) -> Iterator[Finding]:
        """The best two, if the test set is too small to tell them apart."""
        order = sorted(range(len(self.accuracies)), key=lambda i: exact(self.accuracies[i]), reverse=True)
        first, second = (round(exact(self.accuracies[i]) * self.images / 100) for i in order[:2])
        if two_proportions(first, self.images, second, self.images) < 0.05:
            return
        names = [self.names[i] if self.names else f"{shown(self.accuracies[i])} %" for i in order[:2]]
        most = most_discordant(first - second)
        paired = (
            f"a paired test would, if the two disagreed on at most {most:,} images"
            if most
            else "no paired test would, either"
        )
        yield Finding(
            "ranking",
            self.where,
            f"the best two, {names[0]} and {names[1]}, differ by {first - second:,} of {self.images:,}"
            f" images, which does not tell them apart ({paired})",
        )
