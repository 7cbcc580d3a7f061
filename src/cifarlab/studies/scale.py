"""The three scales of a reproduction: a recipe on fewer images for fewer epochs, and what that changes.

``full`` is the report's own schedule. ``smoke`` is 256 images and two epochs: it shows that the path works
and nothing else. ``short`` is cut so that an item takes 20 minutes on the reference machine, two cores of a
CPU, which leaves room up to an hour for slower ones; it is the same everywhere.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from cifarlab.data.holdout import Counts, Fraction
from cifarlab.data.split import DataDescription
from cifarlab.recipe import Judging, Recipe
from cifarlab.schedules import CosineRestarts, Exponential, MultiStep, Piecewise, Plateau, Schedule, Step
from cifarlab.studies.cost import network_cost

Scale = Literal["smoke", "short", "full"]
IMAGE_SIZE = 32
SMOKE_IMAGES, SMOKE_EPOCHS = 256, 2
SHORT_SECONDS = 1200.0
"""On the reference machine, of all runs of an item with one seed, judging included."""
FEW_EPOCHS, MANY_EPOCHS = 4, 12
COUNTED_ON = 50_000
"""Training images that the reports' counts, of hold-outs and subsets, are shares of."""
JUDGED_SHARE = 0.3
"""Images that are judged after an epoch, for every training image of the whole set."""


@dataclass(frozen=True)
class DataSize:
    """What a plan has to know of a data set."""

    classes: int
    train_images: int
    test_images: int
    image_size: int = IMAGE_SIZE


def size_of(data: DataDescription) -> DataSize:
    """That of a data set that was opened."""
    return DataSize(len(data.class_names), data.train_images, data.test_images, data.image_size)


REPORTED_SIZES = {"cifar10": DataSize(10, 50_000, 10_000), "cifar12": DataSize(12, 55_000, 11_000)}
"""Of the data sets that the reports used."""


@dataclass(frozen=True)
class Extent:
    """How much of the data a run takes, and for how long."""

    train_images: int
    test_images: int
    epochs: int
    """At most; a recipe with fewer keeps its own."""

    def data_name(self, name: str) -> str:
        """The part of the data set ``name``."""
        return f"{name}[{self.train_images},{self.test_images}]"


def shortened(recipe: Recipe, extent: Extent, data: DataSize) -> Recipe:
    """``recipe`` for the part of its data that ``extent`` names.

    Epochs, the marks of the schedule and the patience shrink together; hold-outs and subsets keep their share
    of the training images, and one image of each class at least.
    """
    epochs = min(recipe.epochs, extent.epochs)
    share = extent.train_images / max(data.train_images, COUNTED_ON)
    changed = replace(recipe, epochs=epochs, schedule=squeezed(recipe.schedule, recipe.epochs, epochs))
    if recipe.patience is not None:
        changed = replace(changed, patience=max(1, round(recipe.patience * epochs / recipe.epochs)))
    if recipe.average is not None:
        steps = epochs * (extent.train_images // recipe.batch_size)
        every = max(1, min(recipe.average.every, steps // 4))  # a run of a few steps has an average, too
        changed = replace(changed, average=replace(recipe.average, every=every))
    if share == 1:
        return changed
    if recipe.train_images is not None:
        each = max(1, round(recipe.train_images * share / data.classes))
        changed = replace(changed, train_images=each * data.classes)
    published = None if recipe.published is None else _with_share(recipe.published)
    return replace(changed, judging=_with_share(recipe.judging), published=published)


def squeezed(schedule: Schedule, before: int, after: int) -> Schedule:
    """``schedule``, made for ``before`` epochs, in ``after`` of them: the same curve over the whole run."""
    ratio = after / before

    def mark(epochs: int) -> int:
        return max(1, round(epochs * ratio))

    match schedule:
        case Exponential():
            return replace(schedule, gamma=schedule.gamma ** (1 / ratio))
        case Step():
            return replace(schedule, every=mark(schedule.every))
        case MultiStep() | Piecewise():
            marks = tuple(mark(milestone) for milestone in schedule.milestones)
            return replace(schedule, milestones=_ascending(marks))
        case CosineRestarts():
            return replace(schedule, period=mark(schedule.period))
        case Plateau():
            return replace(schedule, patience=max(1, round(schedule.patience * ratio)))
        case _:
            return schedule  # a function of the run's share already


def short_extent(recipes: Sequence[Recipe], data: DataSize) -> Extent:
    """What each of an item's runs may take at the scale ``short``, one recipe per run.

    More images rather than more epochs, until all images are used for a few epochs; then more epochs.
    """
    everything = data.train_images
    seconds = sum(_epoch_seconds(recipe, data, _share_trained(recipe), JUDGED_SHARE) for recipe in recipes)
    passes = SHORT_SECONDS / seconds
    most = max(recipe.epochs for recipe in recipes)
    epochs = min(most, MANY_EPOCHS, max(FEW_EPOCHS, math.floor(passes / everything)))
    images = min(everything, max(SMOKE_IMAGES, math.floor(passes / epochs / 500) * 500))
    return Extent(images, min(data.test_images, max(SMOKE_IMAGES, images // 5)), epochs)


def smoke_extent(data: DataSize) -> Extent:
    """256 images of each set, where there are so many, for two epochs."""
    return Extent(min(SMOKE_IMAGES, data.train_images), min(SMOKE_IMAGES, data.test_images), SMOKE_EPOCHS)


def predicted_seconds(recipe: Recipe, data: DataSize) -> float:
    """Of a run on all of ``data`` on the reference machine, if it does not stop early."""
    trained = recipe.train_images or data.train_images
    return recipe.epochs * _epoch_seconds(recipe, data, trained, JUDGED_SHARE * data.train_images)


def _epoch_seconds(recipe: Recipe, data: DataSize, trained: float, judged: float) -> float:
    cost = network_cost(recipe.model, data.classes, data.image_size)
    return trained * cost.training_seconds + judged * cost.evaluation_seconds


def _share_trained(recipe: Recipe) -> float:
    """Of the training images, by the recipe's own subset."""
    return 1.0 if recipe.train_images is None else recipe.train_images / COUNTED_ON


def _with_share(judging: Judging) -> Judging:
    """Counts of images held out become the share that they are."""
    holdout = judging.holdout
    if isinstance(holdout, Counts):
        return replace(judging, holdout=Fraction(holdout.validation / (holdout.train + holdout.validation)))
    return judging


def _ascending(marks: tuple[int, ...]) -> tuple[int, ...]:
    """``marks`` with ties moved up: milestones must differ."""
    moved: list[int] = []
    for each in marks:
        moved.append(max(each, moved[-1] + 1) if moved else each)
    return tuple(moved)
