"""Runs of every kind that the page has to show, made once."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

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
def picture() -> bytes:
    """A PNG of 40 × 30 random pixels."""
    return png(np.random.RandomState(0).randint(0, 256, (30, 40, 3), dtype=np.uint8))
