"""The recipes of the race: as little time as possible to a given accuracy.

All images are trained on and the last weights are judged: what a held-out part would have to say was asked
while the recipes were made (``docs/log.md``). For a run that is judged on held-out images, give
``--recipe.judging`` of ``fast-cnn``.
"""

from dataclasses import replace

from cifarlab.data.holdout import NoHoldout
from cifarlab.recipe import Judging, Recipe
from cifarlab.recipes.modern import fast_cnn
from cifarlab.recipes.named import NamedRecipe, named


def race_cpu85() -> Recipe:
    """85 % in as little time as possible on a processor."""
    return _raced(replace(fast_cnn(), epochs=6, precision="bf16"))


def race_cpu_full() -> Recipe:
    """The accuracy of airbench94_muon's 8 epochs in as little time as possible on a processor."""
    return _raced(replace(fast_cnn(), epochs=12, precision="bf16"))


def race_gpu94() -> Recipe:
    """The accuracy of airbench94_muon in as little time as possible on one GPU."""
    return _raced(fast_cnn())


def race_gpu96() -> Recipe:
    """The accuracy of airbench96 in as little time as possible on one GPU."""
    return _raced(fast_cnn())


def _raced(recipe: Recipe) -> Recipe:
    return replace(recipe, judging=Judging(NoHoldout(), select_by="last"))


RECIPES: dict[str, NamedRecipe] = {
    "race-cpu85": named(race_cpu85, None),
    "race-cpu-full": named(race_cpu_full, None),
    "race-gpu94": named(race_gpu94, None),
    "race-gpu96": named(race_gpu96, None),
}
