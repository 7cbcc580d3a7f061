"""The description of a run refuses what makes no sense, and says how a run is judged."""

from dataclasses import FrozenInstanceError
from typing import Any

import pytest

from cifarlab.errors import UserError
from cifarlab.models import PlainCnn
from cifarlab.recipe import EvaluationMode, Judging, Recipe, TrainingMode, judging_under

PUBLISHED = Judging(select_by="test_accuracy", mode=TrainingMode())


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"epochs": 0}, "epochs must be at least 1, found 0"),
        ({"epochs": -3}, "epochs must be at least 1, found -3"),
        ({"batch_size": 0}, "batch_size must be at least 1, found 0"),
        ({"patience": 0}, "patience must be at least 1, found 0; leave it out to switch it off"),
    ],
)
def test_numbers_below_one_are_refused(values: Any, message: str) -> None:
    with pytest.raises(UserError) as caught:
        Recipe(PlainCnn(), **values)
    assert str(caught.value) == message


@pytest.mark.parametrize("mode", [EvaluationMode, TrainingMode])
def test_batches_of_no_images_are_refused(mode: Any) -> None:
    with pytest.raises(UserError, match="batch_size must be at least 1"):
        mode(batch_size=0)


def test_a_validation_batch_of_no_images_is_refused() -> None:
    with pytest.raises(UserError, match="validation_batch_size must be at least 1"):
        TrainingMode(validation_batch_size=0)


def test_a_recipe_is_frozen_and_hashable() -> None:
    recipe = Recipe(PlainCnn())
    with pytest.raises(FrozenInstanceError):
        recipe.epochs = 3  # type: ignore[misc]
    assert hash(recipe) == hash(Recipe(PlainCnn()))


def test_a_new_recipe_is_judged_honestly() -> None:
    recipe = Recipe(PlainCnn())
    assert recipe.judging.select_by == "val_accuracy"
    assert recipe.judging.mode == EvaluationMode()
    assert recipe.published is None


def test_each_protocol_has_its_judging() -> None:
    recipe = Recipe(PlainCnn(), published=PUBLISHED)
    assert judging_under(recipe, "C") == recipe.judging
    assert judging_under(recipe, "B,C") == recipe.judging
    assert judging_under(recipe, "A") == PUBLISHED


def test_a_recipe_without_a_published_judging_has_no_protocol_a() -> None:
    with pytest.raises(UserError, match="protocol A"):
        judging_under(Recipe(PlainCnn()), "A")


@pytest.mark.parametrize("protocols", ["C", "B,C"])
def test_the_test_set_never_chooses_under_protocol_c(protocols: Any) -> None:
    recipe = Recipe(PlainCnn(), judging=PUBLISHED, published=PUBLISHED)
    with pytest.raises(UserError, match="only protocol A may choose the epoch on the test set"):
        judging_under(recipe, protocols)
    assert judging_under(recipe, "A") == PUBLISHED
