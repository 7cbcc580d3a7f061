"""Recipes take a step on real images, and one recipe per family learns from photographs.

The short test takes recipes that bring something new, on digits; the long ones take all, on photographs.
"""

import math
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from cifarlab import run
from cifarlab.config import to_json
from cifarlab.data.digits import open_digits
from cifarlab.data.holdout import Counts, Fraction
from cifarlab.data.sources import open_source
from cifarlab.data.split import Source, Split, source_of
from cifarlab.job import build_network
from cifarlab.recipe import Judging, Recipe
from cifarlab.recipes import RECIPES
from cifarlab.schedules import Constant
from cifarlab.train import train
from support import Recorder

FAMILIES = (
    "tiny-attention",
    "lenet-5",
    "slim-attention",
    "cnn-augmented",
    "resnet10-nesterov",
    "plain-20",
    "resnet18",
    "resnet18-cbam",
    "resnet18-cbam-aspp",
    "resnet18-cbam-spp",
    "shake-shake",
    "fast-cnn",
)
"""One recipe per family of networks."""
CLASSES = 4


def with_something_new() -> list[str]:
    """Recipes that hold a class or a word that no recipe before them holds: all kinds of parts run."""
    seen: set[str] = set()
    chosen = []
    for name, entry in RECIPES.items():
        found = set(words_of(to_json(entry.make())))
        if found - seen:
            chosen.append(name)
        seen |= found
    return chosen


def words_of(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
    return [word for item in inside for word in words_of(item)]


def part_of(source: Source, train_each: int, test_each: int, classes: int) -> Source:
    """The first images of the first classes of a data set."""

    def first(split: Split, each: int) -> Split:
        places = [(split.labels == label).nonzero().flatten()[:each] for label in range(classes)]
        return replace(split.select(torch.cat(places)), class_names=split.class_names[:classes])

    description = source.description
    train_part, test_part = first(source.read_train(), train_each), first(source.read_test(), test_each)
    return source_of(description.name, train_part, test_part, description.test_set, description.preparation)


def shortened(recipe: Recipe, epochs: int, batch_size: int, judging: Judging) -> Recipe:
    return replace(
        recipe, epochs=epochs, batch_size=batch_size, train_images=None, judging=judging, patience=None
    )


def two_epochs(recipe: Recipe) -> Recipe:
    """``recipe`` cut down to 200 steps on 5,000 images."""
    judging = Judging(Counts(train=5_000, validation=1_000), select_by="val_loss")
    return shortened(recipe, 2, 50, judging)


def take_one_step(name: str, source: Source, folder: Path) -> None:
    judging = Judging(Fraction(0.5), select_by="last")
    recipe = shortened(RECIPES[name].make(), 1, CLASSES, judging)
    # The first step of a warm-up has the rate 0, and a full rate is too much for a network that has seen
    # four images: BatchNorm's statistics lag behind.
    optimizer = replace(recipe.optimizer, lr=1e-3)
    recipe = replace(recipe, schedule=Constant(), optimizer=optimizer, average=None)
    display = Recorder()
    result = train(recipe, source, folder, display=display)
    assert result["status"] == "finished"
    assert len(display.rates) == 1
    assert math.isfinite(display.lines[0]["train_loss"])
    before = build_network(run.read_description(folder), None).state_dict()
    after = run.read_weights(folder)[1]
    moved = [key for key, value in after.items() if not torch.equal(value, before[key])]
    assert any(key.startswith("classifier") or ".classifier" in key for key in moved)
    assert len(moved) >= 0.5 * len(after)
    assert all(bool(value.isfinite().all()) for value in after.values())


@pytest.fixture(scope="module")
def digits() -> Source:
    return part_of(open_digits(), train_each=2, test_each=1, classes=CLASSES)


@pytest.fixture(scope="module")
def photographs() -> Source:
    path = os.environ.get("CIFARLAB_PHOTOS")
    if not path:
        pytest.skip("the photographs are not here: set CIFARLAB_PHOTOS to their archive")
    return open_source(path)


@pytest.mark.parametrize("name", with_something_new())
def test_every_kind_of_part_takes_a_step(name: str, digits: Source, tmp_path: Path) -> None:
    take_one_step(name, digits, tmp_path / "run")


@pytest.mark.soak
@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_takes_a_step_on_photographs(name: str, photographs: Source, tmp_path: Path) -> None:
    take_one_step(name, part_of(photographs, 2, 1, CLASSES), tmp_path / "run")


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", FAMILIES)
def test_a_family_learns_from_5000_photographs(name: str, photographs: Source, tmp_path: Path) -> None:
    """Two epochs: the loss falls, and the accuracy on 1,000 test images is above chance."""
    source = part_of(photographs, train_each=600, test_each=100, classes=10)
    display = Recorder()
    result = train(two_epochs(RECIPES[name].make()), source, tmp_path / "run", display=display)
    first, second = display.lines
    assert second["train_loss"] < first["train_loss"]
    assert result["interval"][0] > 0.1, "the lower end of the interval is above one in ten"
