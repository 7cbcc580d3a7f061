"""The cost model gives back the times that it was fitted to."""

import json
from pathlib import Path

import pytest

from cifarlab.recipes import recipe_named
from cifarlab.studies.cost import network_cost, slowness

RECORDS = Path(__file__).parents[2] / "records"
MEASURED = {
    row["recipe"]: row["images_per_second"]["ours, eager"]["median"]
    for name in ("training-families-cpu.json", "training-families-cpu-large.json")
    for row in json.loads((RECORDS / name).read_text())["rows"]
}


@pytest.mark.parametrize("name", MEASURED)
def test_measured_speeds_of_the_reports_networks(name: str) -> None:
    cost = network_cost(recipe_named(name).make().model, 10, 32)
    assert 1 / cost.training_seconds == pytest.approx(MEASURED[name], rel=0.35)
    assert cost.evaluation_seconds < cost.training_seconds / 2


def test_a_machine_has_a_speed() -> None:
    assert 0.001 < slowness("cpu") < 1000
