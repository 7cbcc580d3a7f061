"""Recipes by name: one module per report, and the demo."""

from collections.abc import Callable
from dataclasses import dataclass

from cifarlab.errors import UserError, nearest
from cifarlab.recipe import Recipe
from cifarlab.recipes import cnn_to_shake_shake, demo


@dataclass(frozen=True)
class NamedRecipe:
    """An entry of the list that ``cifarlab list recipes`` shows."""

    make: Callable[[], Recipe]
    report: str | None
    """The report's name, or None for a recipe of our own."""
    data: str
    """The data set that the recipe is meant for, taken where ``--data`` is not given."""


RECIPES = {
    "demo": NamedRecipe(demo.demo, None, "digits"),
    "cnn-basic": NamedRecipe(cnn_to_shake_shake.cnn_basic, "cnn-to-shake-shake", "cifar10"),
    "cnn-regularized": NamedRecipe(cnn_to_shake_shake.cnn_regularized, "cnn-to-shake-shake", "cifar10"),
    "cnn-augmented": NamedRecipe(cnn_to_shake_shake.cnn_augmented, "cnn-to-shake-shake", "cifar10"),
    "cnn-final": NamedRecipe(cnn_to_shake_shake.cnn_final, "cnn-to-shake-shake", "cifar10"),
}


def recipe_named(name: str) -> NamedRecipe:
    """The recipe called ``name``.

    Raises:
        UserError: there is none; the nearest right name is said.
    """
    if name not in RECIPES:
        raise UserError(f"no recipe is called {name!r}; {nearest(name, RECIPES)}")
    return RECIPES[name]
