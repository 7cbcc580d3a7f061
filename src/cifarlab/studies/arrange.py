"""From an item of a report to the runs that it needs, at one of the three scales."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace

from cifarlab.errors import UserError
from cifarlab.recipe import Protocols, Recipe
from cifarlab.recipes import recipe_named
from cifarlab.studies.items.item import Item, Variant
from cifarlab.studies.plan import PlannedRun
from cifarlab.studies.scale import DataSize, Extent, Scale, short_extent, shortened, smoke_extent


@dataclass(frozen=True)
class PlannedRow:
    """A row of an item's table and its runs, one per seed."""

    variant: Variant
    recipe: Recipe
    """As it is trained: at the item's scale."""
    runs: tuple[PlannedRun, ...]
    """Under protocols C and B."""
    published_runs: tuple[PlannedRun, ...]
    """Under protocol A, where that is a run of its own."""


@dataclass(frozen=True)
class Arrangement:
    """An item ready to be made."""

    item: Item
    scale: Scale
    seeds: tuple[int, ...]
    data: str
    """What ``open_source`` takes, the part of the scale included."""
    extent: Extent | None
    """None at full scale."""
    rows: tuple[PlannedRow, ...]

    @property
    def runs(self) -> tuple[PlannedRun, ...]:
        """All runs, each seed of every row before the next seed, so that a finished part counts."""
        by_seed = (
            [
                *itertools.chain.from_iterable(row.runs[place : place + 1] for row in self.rows),
                *itertools.chain.from_iterable(row.published_runs[place : place + 1] for row in self.rows),
            ]
            for place in range(len(self.seeds))
        )
        return tuple(each for runs in by_seed for each in runs)

    def size(self, data: DataSize) -> DataSize:
        """Of the part that is used of ``data``."""
        if self.extent is None:
            return data
        return replace(data, train_images=self.extent.train_images, test_images=self.extent.test_images)

    @property
    def scale_note(self) -> str:
        """What was shortened; empty at full scale."""
        if self.extent is None:
            return ""
        return (
            f"{self.extent.train_images:,} training and {self.extent.test_images:,} test images, at most "
            f"{self.extent.epochs} epochs; schedules, patience, hold-outs and subsets shrink with them"
            f"{self._equal_rows}"
        )

    @property
    def _equal_rows(self) -> str:
        """A warning where rows that differ in the report's number of epochs no longer do."""
        lengths = {recipe_named(row.variant.recipe).make().epochs for row in self.rows}
        if len(lengths) == 1:
            return ""
        told = ", ".join(f"{length:,}" for length in sorted(lengths))
        return f"; rows of {told} epochs in the report are equally long here"


def data_of(item: Item) -> str:
    """The name of the data set that the item's report used."""
    names = {recipe_named(variant.recipe).data for variant in item.variants} or {"cifar10"}
    if len(names) > 1:
        raise ValueError(f"{item.report} {item.name} mixes data sets")
    return names.pop()


def arrange(item: Item, scale: Scale, seeds: Sequence[int], data_name: str, data: DataSize) -> Arrangement:
    """The runs of ``item`` on the data set that ``data_name`` opens.

    Raises:
        UserError: the item is not offered; the reason is said.
    """
    if item.not_offered:
        raise UserError(f"{item.report} {item.name} is not offered: {item.not_offered}")
    if not item.trained:
        scale, seeds = "full", ()  # counts, curves of rates and pictures of images have no scale
    extent = extent_of(item, scale, data)
    used = data_name
    if extent is not None and (extent.train_images, extent.test_images) != (
        data.train_images,
        data.test_images,
    ):
        used = extent.data_name(data_name)
    recipes = {
        variant.label: _at_scale(recipe_named(variant.recipe).make(), extent, data)
        for variant in item.variants
    }
    rows = []
    for variant in item.variants:
        recipe = recipes[variant.label]
        rows.append(
            PlannedRow(
                variant,
                recipe,
                tuple(_planned(item, variant, recipes, used, seed, "B,C") for seed in seeds)
                if item.trained
                else (),
                tuple(_planned(item, variant, recipes, used, seed, "A") for seed in seeds)
                if item.trained and recipe.published is not None
                else (),
            )
        )
    return Arrangement(item, scale, tuple(seeds), used, extent, tuple(rows))


def extent_of(item: Item, scale: Scale, data: DataSize) -> Extent | None:
    """What part of the data the item takes at ``scale``; None for all of it."""
    if scale == "full":
        return None
    if scale == "smoke":
        return smoke_extent(data)
    recipes = [recipe_named(variant.recipe).make() for variant in item.variants]
    published = [recipe for recipe in recipes if recipe.published is not None]
    return short_extent([*recipes, *published], data)


def _at_scale(recipe: Recipe, extent: Extent | None, data: DataSize) -> Recipe:
    whole = Extent(data.train_images, data.test_images, recipe.epochs)
    return shortened(recipe, extent or whole, data)


def _planned(
    item: Item, variant: Variant, recipes: dict[str, Recipe], data: str, seed: int, protocols: Protocols
) -> PlannedRun:
    before = next((each for each in item.variants if each.label == variant.after), None)
    after = None if before is None else _planned(item, before, recipes, data, seed, protocols)
    return PlannedRun(variant.recipe, recipes[variant.label], data, seed, protocols, after)
