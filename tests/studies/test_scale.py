"""The three scales: what becomes shorter, and that nothing else changes."""

import math
from dataclasses import replace

import pytest

from cifarlab.config import differences, to_json
from cifarlab.data.holdout import Fraction, NoHoldout
from cifarlab.recipe import Recipe
from cifarlab.recipes import RECIPES, recipe_named
from cifarlab.schedules import (
    CosineRestarts,
    Exponential,
    Moment,
    MultiStep,
    Piecewise,
    Plateau,
    Schedule,
    Step,
    WarmupCosine,
)
from cifarlab.studies.scale import (
    REPORTED_SIZES,
    SHORT_SECONDS,
    DataSize,
    Extent,
    predicted_seconds,
    short_extent,
    shortened,
    smoke_extent,
    squeezed,
)

CIFAR10 = REPORTED_SIZES["cifar10"]


def made(name: str) -> Recipe:
    return recipe_named(name).make()


@pytest.mark.parametrize(
    "schedule",
    [
        Exponential(gamma=0.9),
        Step(every=20, gamma=0.1),
        MultiStep(milestones=(20, 40), gamma=0.5),
        Piecewise(milestones=(10, 40), factors=(0.5, 0.1)),
        CosineRestarts(period=20),
        WarmupCosine(warmup=0.1),
    ],
)
def test_a_squeezed_schedule_is_the_same_curve(schedule: Schedule) -> None:
    short = squeezed(schedule, 60, 12)
    for epoch in range(12):
        before = schedule.factor(Moment(epoch * 500, 100, 60))
        assert short.factor(Moment(epoch * 100, 100, 12)) == pytest.approx(before, rel=0.02), epoch


def test_patience_shrinks_and_stays_at_least_one() -> None:
    assert squeezed(Plateau(patience=6), 50, 25) == Plateau(patience=3)
    assert squeezed(Plateau(patience=3), 50, 2) == Plateau(patience=1)
    recipe = shortened(made("slim-base"), Extent(5_000, 1_000, 20), CIFAR10)
    assert recipe.patience == 3


def test_milestones_stay_apart() -> None:
    short = squeezed(MultiStep(milestones=(75, 100)), 125, 2)
    assert isinstance(short, MultiStep)
    assert short.milestones == (1, 2)


def test_all_of_the_data_and_all_epochs_change_nothing() -> None:
    for name in RECIPES:
        recipe = made(name)
        assert shortened(recipe, Extent(50_000, 10_000, recipe.epochs), CIFAR10) == recipe


def test_what_becomes_shorter() -> None:
    recipe = made("cnn-regularized")
    short = shortened(recipe, Extent(5_000, 1_000, 4), CIFAR10)
    assert (short.epochs, short.patience) == (4, 2)
    assert short.judging.holdout == Fraction(0.2)
    assert short.published is not None
    assert recipe.published is not None
    assert short.published == replace(recipe.published, holdout=Fraction(0.2))
    changed = {line.split(":")[0] for line in differences(to_json(recipe), to_json(short))}
    assert {each.split(".")[0] for each in changed} == {"epochs", "patience", "judging", "published"}


def test_counts_become_shares_of_a_small_data_set() -> None:
    small = DataSize(10, 1_000, 200)
    whole = Extent(1_000, 200, 20)
    assert shortened(made("cnn-regularized"), whole, small).judging.holdout == Fraction(0.2)
    assert shortened(made("tiny-attention-25000"), whole, small).train_images == 500
    assert shortened(made("cnn-regularized"), whole, small).epochs == 20


def test_no_holdout_stays_none() -> None:
    short = shortened(made("tiny-attention"), Extent(5_000, 1_000, 4), CIFAR10)
    assert short.published is not None
    assert short.published.holdout == NoHoldout()


@pytest.mark.parametrize("extent", [Extent(9_000, 1_800, 4), Extent(256, 256, 2)])
def test_subsets_keep_their_order_and_every_class(extent: Extent) -> None:
    sizes = []
    for images in (25_000, 12_500, 6_250, 3_120, 1_560):
        short = shortened(made(f"tiny-attention-{images}"), extent, CIFAR10)
        assert short.train_images is not None
        assert short.train_images % 10 == 0
        sizes.append(short.train_images)
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[-1] >= 10
    assert sizes[0] < 0.9 * extent.train_images  # what is left after a tenth is held out


def test_short_takes_what_it_may_and_no_more() -> None:
    for names in (["cnn-basic"] * 8, ["tiny-attention"] * 2, ["resnet18"] * 4, ["lenet-5"]):
        recipes = [made(name) for name in names]
        extent = short_extent(recipes, CIFAR10)
        used = replace(CIFAR10, train_images=extent.train_images, test_images=extent.test_images)
        seconds = sum(predicted_seconds(shortened(recipe, extent, CIFAR10), used) for recipe in recipes)
        assert seconds <= SHORT_SECONDS
        everything = extent.train_images == CIFAR10.train_images and extent.epochs == 12
        assert everything or seconds > 0.7 * SHORT_SECONDS


def test_small_data_sets_are_not_cut_beyond_what_they_have() -> None:
    tiny = DataSize(3, 90, 30, 32)
    assert smoke_extent(tiny) == Extent(90, 30, 2)
    extent = short_extent([made("lenet-5")], tiny)
    assert (extent.train_images, extent.test_images) == (90, 30)


def test_smoke_is_256_images_and_two_epochs() -> None:
    assert smoke_extent(CIFAR10) == Extent(256, 256, 2)
    for name in RECIPES:
        recipe = shortened(made(name), smoke_extent(CIFAR10), CIFAR10)
        assert recipe.epochs == 2
        steps = math.ceil(256 / recipe.batch_size)
        assert recipe.average is None or recipe.average.every < 2 * steps
        factors = [recipe.schedule.factor(Moment(step, steps, 2, (1.0,))) for step in range(2 * steps)]
        assert all(math.isfinite(factor) for factor in factors)
