"""Rotation, shift and zoom at once: each part alone, all together by matrices, and what is drawn."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from augment.pillow import from_pillow, random_images, to_pillow
from cifarlab.augment import RandomAffine
from cifarlab.augment.affine import Interpolation
from cifarlab.augment.random_affine import affine
from cifarlab.augment.warps import rotate, translate, zoom
from cifarlab.errors import UserError
from cifarlab.runtime import generator

COUNT = 40
NO_TURN, NO_SHIFT, NO_ZOOM = torch.zeros(COUNT), torch.zeros(COUNT, 2), torch.ones(COUNT, 2)


def uniform(low: float, high: float, *shape: int) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(1)) * (high - low) + low


@pytest.mark.parametrize("interpolation", ["nearest", "bilinear"])
@pytest.mark.parametrize(("height", "width"), [(32, 32), (20, 33)])
def test_each_part_alone_is_the_plain_one(height: int, width: int, interpolation: Interpolation) -> None:
    images = random_images(COUNT, 3, height, width)
    degrees, shares = uniform(-180, 180, COUNT), uniform(-0.3, 0.3, COUNT, 2)
    factors = uniform(0.5, 1.5, COUNT, 2)
    how: Any = ("edge", interpolation)
    assert torch.equal(affine(images, degrees, NO_SHIFT, NO_ZOOM, *how), rotate(images, degrees, *how))
    assert torch.equal(affine(images, NO_TURN, shares, NO_ZOOM, *how), translate(images, shares, *how))
    assert torch.equal(affine(images, NO_TURN, NO_SHIFT, factors, *how), zoom(images, factors, *how))
    assert torch.equal(affine(images, NO_TURN, NO_SHIFT, NO_ZOOM, *how), images)


def keras_matrix(
    degrees: float, down: float, right: float, factors: list[float], size: tuple[int, int]
) -> Any:
    """Rotation · shift · zoom about the center, as ``apply_affine_transform`` multiplies them; (x, y, 1)."""
    height, width = size
    angle = math.radians(degrees)
    turn = np.array(
        [[math.cos(angle), -math.sin(angle), 0], [math.sin(angle), math.cos(angle), 0], [0, 0, 1]]
    )
    shift = np.array([[1, 0, -right * width], [0, 1, -down * height], [0, 0, 1]])
    stretch = np.diag([factors[1], factors[0], 1])
    center = np.array([[1, 0, width / 2], [0, 1, height / 2], [0, 0, 1]])
    return center @ turn @ shift @ stretch @ np.linalg.inv(center)


@pytest.mark.parametrize(("height", "width"), [(32, 32), (20, 33)])
def test_all_together_is_one_transform_of_pillow_s(height: int, width: int) -> None:
    images = random_images(COUNT, 3, height, width)
    degrees, shares = uniform(-40, 40, COUNT), uniform(-0.2, 0.2, COUNT, 2)
    factors = uniform(0.7, 1.3, COUNT, 2)
    ours = affine(images, degrees, shares, factors, "black", "nearest")
    theirs = []
    for place, image in enumerate(images):
        down, right = shares[place].tolist()
        matrix = keras_matrix(float(degrees[place]), down, right, factors[place].tolist(), (height, width))
        moved = to_pillow(image).transform(
            (width, height), Image.Transform.AFFINE, tuple(matrix[:2].ravel()), Image.Resampling.NEAREST
        )
        theirs.append(from_pillow(moved))
    equal = (ours == torch.stack(theirs)).all(1)
    assert equal.double().mean() >= 0.999


def test_draws_are_uniform_and_independent() -> None:
    drawn = RandomAffine(degrees=20, shift=0.2, zoom=0.1).draw(20_000, generator(0))
    middle, extent = torch.tensor([0.0, 0, 0, 1, 1]), torch.tensor([20.0, 0.2, 0.2, 0.1, 0.1])
    unit = (drawn - middle) / extent
    assert unit.abs().max() <= 1.0001
    assert unit.mean(0).abs().max() < 0.02
    assert (unit.var(0) - 1 / 3).abs().max() < 0.01
    correlations = torch.corrcoef(unit.T) - torch.eye(5)
    assert correlations.abs().max() < 0.03


@pytest.mark.parametrize(
    "values",
    [{"degrees": -1.0}, {"degrees": math.nan}, {"shift": 1.1}, {"shift": -0.1}, {"zoom": 0.95}],
    ids=str,
)
def test_values_that_make_no_sense_are_refused(values: Any) -> None:
    with pytest.raises(UserError, match="RandomAffine: ") as caught:
        RandomAffine(**values)
    assert str(caught.value).isprintable()
