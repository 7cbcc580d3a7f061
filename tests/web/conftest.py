"""Runs of every kind that the page has to show, made once."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from cifarlab.data.digits import open_digits
from cifarlab.data.split import source_of
from cifarlab.models import PlainCnn
from cifarlab.recipe import Recipe
from cifarlab.train import train
from models.narrow import NARROW
from support import small_recipe, synthetic_source, synthetic_split
from web.samples import HOSTILE, png

if TYPE_CHECKING:
    from selenium.webdriver import Chrome


@pytest.fixture(scope="session")
def shown_runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``digits`` (with data and report), ``attention`` (no data), a hostile, an unfinished, a damaged one."""
    runs = tmp_path_factory.mktemp("shown") / "runs"
    recipe = Recipe(PlainCnn(widths=(4, 4, 8)), epochs=2, batch_size=20, train_images=100)
    train(recipe, open_digits(), runs / "digits", recipe_name="tiny", device="cpu", data_argument="digits")
    (runs / "digits" / "report.html").write_text("<!DOCTYPE html><title>report</title><p>hello")
    attentive = small_recipe(epochs=1, model=NARROW["narrow tiny-attention"])
    train(attentive, synthetic_source(size=32), runs / "attention", device="cpu", data_argument="gone")
    split = replace(synthetic_split(60, 1), class_names=(HOSTILE, "dog\u202e", "frog"))
    source = source_of(HOSTILE, split, split, "given", synthetic_source().description.preparation)
    train(small_recipe(epochs=1), source, runs / HOSTILE, recipe_name=HOSTILE, device="cpu")
    (runs / HOSTILE / "report.html").write_text("<script>parent.document.title = 'hacked'</script><p>evil")
    shutil.copytree(runs / "digits", runs / "unfinished")
    for name in ("result.json", "model.safetensors", "report.html", "test_logits.safetensors"):
        (runs / "unfinished" / name).unlink()
    lines = (runs / "unfinished" / "metrics.jsonl").read_text().splitlines(keepends=True)
    (runs / "unfinished" / "metrics.jsonl").write_text(lines[0])
    shutil.copytree(runs / "unfinished", runs / "damaged")
    (runs / "damaged" / "recipe.json").write_text(json.dumps({"schema": "\ud800"}))
    return runs


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[Chrome]":
    """A browser for all tests of the page."""
    from web.browser import chromium

    with chromium(tmp_path_factory.mktemp("profile")) as started:
        yield started


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A PNG file of 64 × 48 random pixels."""
    path = tmp_path / "picture.png"
    path.write_bytes(png(np.random.RandomState(5).randint(0, 256, (48, 64, 3), dtype=np.uint8)))
    return path


@pytest.fixture(scope="session")
def picture() -> bytes:
    """A PNG of 40 × 30 random pixels."""
    return png(np.random.RandomState(0).randint(0, 256, (30, 40, 3), dtype=np.uint8))
