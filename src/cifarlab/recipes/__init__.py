"""Recipes by name: one module per report, the modern ones, and the demo."""

from cifarlab.errors import UserError, nearest
from cifarlab.recipes import (
    cbam_aspp,
    cnn_to_shake_shake,
    demo,
    modern,
    race,
    slim_attention,
    small_resnets,
    tiny_attention,
)
from cifarlab.recipes.named import NamedRecipe

RECIPES: dict[str, NamedRecipe] = {
    **demo.RECIPES,
    **tiny_attention.RECIPES,
    **slim_attention.RECIPES,
    **small_resnets.RECIPES,
    **cnn_to_shake_shake.RECIPES,
    **cbam_aspp.RECIPES,
    **modern.RECIPES,
    **race.RECIPES,
}


def recipe_named(name: str) -> NamedRecipe:
    """The recipe called ``name``.

    Raises:
        UserError: there is none; the nearest right name is said.
    """
    if name not in RECIPES:
        raise UserError(f"no recipe is called {name!r}; {nearest(name, RECIPES)}")
    return RECIPES[name]
