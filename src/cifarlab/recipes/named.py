"""What stands behind a recipe's name."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass

from cifarlab.config import vary
from cifarlab.recipe import Recipe

CIFAR_MEAN = (0.491, 0.482, 0.447)
CIFAR_DEVIATION = (0.247, 0.243, 0.261)
"""Of CIFAR-10's training images by channel, on a scale of 0 … 1, as report 002 gives them."""


@dataclass(frozen=True)
class NamedRecipe:
    """An entry of the list that ``cifarlab list recipes`` shows."""

    make: Callable[[], Recipe]
    report: str | None
    """The report's name, or None for a recipe of our own."""
    data: str
    """The data set that the recipe is meant for, taken where ``--data`` is not given."""
    claim: str
    """What it is, in a first line, and what the report says of it."""


def named(make: Callable[[], Recipe], report: str | None, data: str = "cifar10") -> NamedRecipe:
    """The entry of a recipe whose docstring says what it claims."""
    return NamedRecipe(make, report, data, inspect.getdoc(make) or "")


def variant(base: NamedRecipe, field: str, value: object, claim: str) -> NamedRecipe:
    """The entry of a recipe that differs from ``base`` in one ``field``; see ``config.vary``."""
    return NamedRecipe(lambda: vary(base.make(), field, value), base.report, base.data, claim)
