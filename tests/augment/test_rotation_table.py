"""Report 004's table of angles: how often each comes, under both readings of its sums."""

import math

import pytest
import torch

from augment.pillow import random_images
from cifarlab.augment import RotationTable
from cifarlab.augment.warps import rotate
from cifarlab.runtime import generator

DRAWS = 100_000
MODELS_3_AND_4 = (0.89, 0.03, 0.03, 0.02, 0.02, 0.01, 0.01)


def rates(table: RotationTable) -> dict[float, float]:
    drawn = table.draw(DRAWS, generator(0, "table"))
    return {angle: float((drawn == angle).double().mean()) for angle in table.angles}


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        (RotationTable(), (0.7, 0.08, 0.08, 0.05, 0.05, 0.02, 0.02)),
        (RotationTable(reading="normalized"), (0.7, 0.08, 0.08, 0.05, 0.05, 0.02, 0.02)),
        (RotationTable(probabilities=MODELS_3_AND_4), (0.89, 0.03, 0.03, 0.02, 0.02, 0.01, 0.0)),
        (
            RotationTable(probabilities=MODELS_3_AND_4, reading="normalized"),
            tuple(p / 1.01 for p in MODELS_3_AND_4),
        ),
        (RotationTable((0.0, 45.0), (0.25, 0.25)), (0.25, 0.75)),
        (RotationTable((0.0, 45.0), (0.25, 0.25), "normalized"), (0.5, 0.5)),
    ],
    ids=["model 2", "model 2 normalized", "models 3, 4", "models 3, 4 normalized", "rest", "halves"],
)
def test_each_angle_comes_at_its_rate(table: RotationTable, expected: tuple[float, ...]) -> None:
    for (angle, found), probability in zip(rates(table).items(), expected, strict=True):
        tolerance = 6 * math.sqrt(probability * (1 - probability) / DRAWS)
        assert abs(found - probability) <= tolerance, angle


def test_as_published_the_limit_of_270_degrees_is_exactly_1() -> None:
    assert RotationTable(probabilities=MODELS_3_AND_4).limits()[-1] == 1.0
    assert RotationTable().limits() == [0.7, 0.78, 0.86, 0.91, 0.96, 0.98]  # the report's code


@pytest.mark.parametrize("interpolation", ["nearest", "bilinear"])
def test_images_are_turned_by_their_angle_and_stay_at_0(interpolation: str) -> None:
    table = RotationTable(interpolation=interpolation)  # type: ignore[arg-type]
    images = random_images(7, 3, 20, 20)
    angles = torch.tensor(table.angles)
    found = table.apply(images, angles)
    assert torch.equal(found, rotate(images, angles, "black", interpolation))  # type: ignore[arg-type]
    assert torch.equal(found[0], images[0])
    assert torch.equal(found[5], torch.rot90(images[5], 1, (1, 2)))
    assert torch.equal(found[6], torch.rot90(images[6], 3, (1, 2)))
