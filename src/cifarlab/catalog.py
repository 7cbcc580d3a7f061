"""What there is, as rows for ``cifarlab list``: every row is a dict with a ``name``."""

import functools
from pathlib import Path
from typing import Any

import torch

from cifarlab import run
from cifarlab.data.sources import NAMES
from cifarlab.errors import UserError
from cifarlab.models import CATALOG, Model
from cifarlab.models.cost import count_parameters, forward_flops
from cifarlab.recipes import RECIPES

RUN_COLUMNS = ("name", "recipe", "data", "seed", "status", "test_accuracy")


def models() -> list[dict[str, Any]]:
    """The networks that the reports name, with 10 classes, and their parameter counts and FLOPs."""
    return [{"name": name, "report": report, **_cost(model)} for name, (report, model) in CATALOG.items()]


@functools.cache
def _cost(model: Model) -> dict[str, int]:
    """Counted once in a process."""
    with torch.device("meta"):  # shapes are enough to count
        network = model.build(classes=10, image_size=32)
        count = count_parameters(network)
        return {
            "trainable": count.trainable,
            "statistics": count.statistics,
            "total": count.total,
            "flops": forward_flops(network, 32),
        }


def recipes() -> list[dict[str, Any]]:
    """The recipes with the first line of what each says of itself."""
    return [
        {
            "name": name,
            "report": named.report,
            "data": named.data,
            "epochs": named.make().epochs,
            "summary": named.claim.splitlines()[0],
        }
        for name, named in RECIPES.items()
    ]


def data_sets() -> list[dict[str, Any]]:
    """What ``--data`` takes."""
    return [{"name": name, "description": description} for name, description in NAMES]


def runs(folder: Path) -> list[dict[str, Any]]:
    """The run folders in ``folder``: name, recipe, seed, state and, where finished, test accuracy."""
    rows = []
    for path in run.list_runs(folder):
        try:
            description = run.read_description(path)
            result = run.read_ending(path) or {"status": "unfinished"}
        except UserError:
            rows.append({**dict.fromkeys(RUN_COLUMNS), "name": path.name, "status": "damaged"})
            continue
        values = (
            path.name,
            description.recipe_name,
            description.data.name,
            description.seed,
            result["status"],
            result.get("test_accuracy"),
        )
        rows.append(dict(zip(RUN_COLUMNS, values, strict=True)))
    return rows
