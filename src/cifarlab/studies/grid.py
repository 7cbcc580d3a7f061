"""A study of the user's own: some fields of a recipe in all combinations of some values."""

import contextlib
import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cifarlab.config import vary
from cifarlab.errors import UserError
from cifarlab.recipe import Protocols, Recipe
from cifarlab.recipes import recipe_named
from cifarlab.studies.plan import PlannedRun

SEPARATOR = " · "


@dataclass(frozen=True)
class Variant:
    """One combination of values, once per seed."""

    label: str
    """Such as ``optimizer.lr=0.1 · batch_size=64``; the recipe's name where nothing is varied."""
    runs: tuple[PlannedRun, ...]


def grid(
    recipe_name: str,
    varied: Sequence[tuple[str, Sequence[Any]]] = (),
    *,
    seeds: Sequence[int] = (0,),
    data: str | None = None,
    protocols: Protocols = "C",
    recipe: Recipe | None = None,
) -> list[Variant]:
    """The runs of every combination of the ``varied`` fields' values.

    Args:
        varied: dotted fields and their values: ``[("optimizer.lr", [0.1, 0.05]), ("batch_size", [64])]``.
        data: what ``open_source`` takes; the recipe's own where it is None.
        recipe: what to begin from in the place of the recipe called ``recipe_name``.

    Raises:
        UserError: no such recipe or field, a value of the wrong kind, or a field or value given twice.
    """
    named = recipe_named(recipe_name)
    base = named.make() if recipe is None else recipe
    fields = [field for field, _ in varied]
    for field, values in varied:
        if fields.count(field) > 1:
            raise UserError(f"{field} is varied twice; give all its values at once")
        if not values:
            raise UserError(f"{field} is varied, but no value is given")
    variants: dict[str, Variant] = {}
    for values in itertools.product(*(values for _, values in varied)):
        changed = base
        for field, value in zip(fields, values, strict=True):
            changed = vary(changed, field, value)
        pairs = zip(fields, values, strict=True)
        label = SEPARATOR.join(f"{field}={value_text(value)}" for field, value in pairs) or recipe_name
        if label in variants:
            raise UserError(f"{label} is there twice; give every value once")
        runs = (
            PlannedRun(recipe_name, changed, data or named.data, seed, protocols)
            for seed in dict.fromkeys(seeds)
        )
        variants[label] = Variant(label, tuple(runs))
    return list(variants.values())


def values_of(recipe: Recipe, field: str, text: str) -> list[Any]:
    """The values for a dotted field that a user has typed, such as ``0.1,0.05``.

    Numbers, ``true``, ``false`` and ``none`` mean themselves where the field takes them; a list is written
    with spaces: ``16 32 64,32 64 128``.

    Raises:
        UserError: no such field, or a value that it does not take.
    """
    return [_value_of(recipe, field, part.strip()) for part in text.split(",")]


def value_text(value: Any) -> str:
    """A value as a user would type it."""
    if isinstance(value, list | tuple):
        return " ".join(map(value_text, value))
    if isinstance(value, bool) or value is None:
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) and float(f"{value:g}") == value else str(value)


def _value_of(recipe: Recipe, field: str, text: str) -> Any:
    """The first reading of ``text`` that the field takes; the error of the likeliest where it takes none."""
    if not text:
        raise UserError(f"{field}: a value is missing; write them with a comma between: {field} 1,2")
    likeliest = _scalar(text)
    parts = tuple(_scalar(part) for part in text.split())
    readings = [parts, likeliest, text] if len(parts) > 1 else [likeliest, text, parts]
    for reading in readings:
        with contextlib.suppress(UserError):
            vary(recipe, field, reading)
            return reading
    vary(recipe, field, readings[0])
    raise AssertionError("a reading that was refused is refused again")


def _scalar(text: str) -> Any:
    """A number, True, False or None where ``text`` is one; else ``text``."""
    words = {"true": True, "false": False, "none": None}
    if text.lower() in words:
        return words[text.lower()]
    for kind in (int, float):
        with contextlib.suppress(ValueError, OverflowError):
            number = kind(text)
            return number if math.isfinite(number) else text
    return text
