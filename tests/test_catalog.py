"""The rows that ``cifarlab list`` shows."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from cifarlab import catalog
from cifarlab.config import to_json
from cifarlab.data.digits import open_digits
from cifarlab.models import CATALOG, PlainCnn
from cifarlab.recipe import Recipe
from cifarlab.recipes import RECIPES
from cifarlab.run import RunDescription


def write_run(folder: Path, result: Any = None, **changes: Any) -> Path:
    """A run folder with a description and, where given, a result."""
    folder.mkdir(parents=True)
    description = RunDescription("tiny", Recipe(PlainCnn()), open_digits().description, 7, "C")
    (folder / "recipe.json").write_text(json.dumps({**to_json(description), **changes}))
    if result is not None:
        (folder / "result.json").write_text(json.dumps(result))
    return folder


def test_models_have_the_published_sizes() -> None:
    rows = {row["name"]: row for row in catalog.models()}
    assert list(rows) == list(CATALOG)
    for row in rows.values():
        assert set(row) == {"name", "report", "trainable", "statistics", "total", "flops"}
        assert row["total"] == row["trainable"] + row["statistics"]
        assert row["flops"] > row["trainable"]
    assert rows["plain-cnn"] == {
        "name": "plain-cnn",
        "report": "cnn-to-shake-shake",
        "trainable": 307_498,
        "statistics": 0,
        "total": 307_498,
        "flops": 77_307_904,
    }
    assert rows["plain-cnn-regularized"]["total"] == 308_394 + 896


def test_listing_models_leaves_the_randomness_alone() -> None:
    torch.manual_seed(0)
    before = torch.get_rng_state()
    catalog.models()
    assert torch.equal(torch.get_rng_state(), before)


def test_recipes_say_what_they_are() -> None:
    rows = catalog.recipes()
    assert [row["name"] for row in rows] == list(RECIPES)
    for row in rows:
        assert set(row) == {"name", "report", "data", "epochs", "summary"}
        assert row["summary"]
        assert row["epochs"] == RECIPES[row["name"]].make().epochs
    assert rows[0]["name"] == "demo"
    assert rows[0]["data"] == "digits"


def test_data_sets_have_names() -> None:
    assert "digits" in [row["name"] for row in catalog.data_sets()]
    assert all(row["description"] for row in catalog.data_sets())


def test_runs_in_every_state_are_listed(tmp_path: Path) -> None:
    write_run(tmp_path / "c-begun")
    write_run(tmp_path / "b-diverged", {"status": "diverged", "reason": "boom"})
    write_run(tmp_path / "a-finished", {"status": "finished", "test_accuracy": 0.75})
    (tmp_path / "no run").mkdir()
    common = {"recipe": "tiny", "data": "digits", "seed": 7}
    assert catalog.runs(tmp_path) == [
        {"name": "a-finished", **common, "status": "finished", "test_accuracy": 0.75},
        {"name": "b-diverged", **common, "status": "diverged", "test_accuracy": None},
        {"name": "c-begun", **common, "status": "unfinished", "test_accuracy": None},
    ]
    assert catalog.runs(tmp_path / "absent") == []


@pytest.mark.parametrize("result", [{}, [], "finished", 3, {"status": "odd"}], ids=repr)
def test_a_damaged_run_hides_no_other(tmp_path: Path, result: Any) -> None:
    write_run(tmp_path / "bad", result)
    write_run(tmp_path / "good")
    bad, good = catalog.runs(tmp_path)
    assert bad == {**dict.fromkeys(good), "name": "bad", "status": "damaged"}
    assert (good["name"], good["status"]) == ("good", "unfinished")


def test_a_run_of_another_version_counts_as_damaged(tmp_path: Path) -> None:
    write_run(tmp_path / "old", schema=0)
    assert [row["status"] for row in catalog.runs(tmp_path)] == ["damaged"]
