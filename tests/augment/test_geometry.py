"""Crop and flips against Pillow, and what they draw."""

import math
from collections.abc import Callable
from typing import Literal

import numpy as np
import pytest
import torch
from PIL import ImageOps
from torch import Tensor

from augment.pillow import from_pillow, random_images, to_pillow
from cifarlab.augment import AlternatingFlip, HorizontalFlip, RandomCrop, VerticalFlip, draw_epoch
from cifarlab.augment.geometry import crop, flip_horizontally, flip_vertically
from cifarlab.runtime import generator

DRAWS = 10_000


@pytest.mark.parametrize(("height", "width", "padding"), [(32, 32, 4), (32, 32, 1), (9, 14, 6)])
def test_crop_is_pillow_s(height: int, width: int, padding: int) -> None:
    corners = [(row, column) for row in range(2 * padding + 1) for column in range(2 * padding + 1)]
    images = random_images(len(corners), 3, height, width)
    ours = crop(images, torch.tensor(corners), padding)
    for image, (row, column), found in zip(images, corners, ours, strict=True):
        padded = ImageOps.expand(to_pillow(image), border=padding, fill=0)
        expected = from_pillow(padded.crop((column, row, column + width, row + height)))
        assert torch.equal(found, expected), (row, column)


@pytest.mark.parametrize("border", ["edge", "reflect"])
@pytest.mark.parametrize(("height", "width", "padding"), [(32, 32, 2), (9, 14, 6), (3, 5, 8), (1, 2, 3)])
def test_borders_are_numpy_s(
    height: int, width: int, padding: int, border: Literal["edge", "reflect"]
) -> None:
    corners = [(row, column) for row in range(2 * padding + 1) for column in range(2 * padding + 1)]
    images = random_images(len(corners), 3, height, width)
    ours = crop(images, torch.tensor(corners), padding, border)
    sides = (padding, padding)
    for image, (row, column), found in zip(images, corners, ours, strict=True):
        padded = np.pad(image.numpy(), ((0, 0), sides, sides), mode=border)
        assert np.array_equal(found.numpy(), padded[:, row : row + height, column : column + width])


def test_an_augmentation_pads_as_it_was_told() -> None:
    images, corner = random_images(1, 3, 8, 8) | 1, torch.tensor([[0, 0]])
    assert not RandomCrop(2).apply(images, corner)[..., 0].any()
    assert RandomCrop(2, border="reflect").apply(images, corner)[..., 0].all()


def test_a_crop_keeps_any_dtype() -> None:
    floats = random_images(3, 3, 9, 14).float()
    found = crop(floats, torch.tensor([[0, 0], [4, 1], [2, 2]]), 2)
    assert found.dtype is torch.float32
    assert torch.equal(found[2], floats[2])


def test_flips_are_pillow_s_where_chosen() -> None:
    images = random_images(6, 3, 10, 15)
    chosen = torch.tensor([True, False, True, True, False, False])
    for ours, theirs in ((flip_horizontally, ImageOps.mirror), (flip_vertically, ImageOps.flip)):
        for image, flipped, found in zip(images, chosen, ours(images, chosen), strict=True):
            expected = from_pillow(theirs(to_pillow(image))) if flipped else image
            assert torch.equal(found, expected)


@pytest.mark.parametrize("flip", [flip_horizontally, flip_vertically])
def test_two_flips_are_none(flip: Callable[[Tensor, Tensor], Tensor]) -> None:
    images, chosen = random_images(6, 3, 10, 15), torch.tensor([True, False] * 3)
    assert torch.equal(flip(flip(images, chosen), chosen), images)


def test_crop_offsets_are_uniform_and_independent() -> None:
    offsets = RandomCrop(padding=4).draw(DRAWS, generator(1, "crop"))
    assert offsets.shape == (DRAWS, 2)
    assert offsets.dtype is torch.int64
    pairs = torch.bincount(offsets[:, 0] * 9 + offsets[:, 1], minlength=81)
    assert len(pairs) == 81
    expected = DRAWS / 81
    assert (pairs - expected).abs().max() < 6 * math.sqrt(expected)
    for axis in range(2):
        counts = torch.bincount(offsets[:, axis], minlength=9)
        assert (counts - DRAWS / 9).abs().max() < 6 * math.sqrt(DRAWS / 9)


@pytest.mark.parametrize("flip", [HorizontalFlip, VerticalFlip])
@pytest.mark.parametrize("probability", [0.0, 0.1, 0.5, 1.0])
def test_flips_come_at_their_rate(
    flip: type[HorizontalFlip] | type[VerticalFlip], probability: float
) -> None:
    chosen = flip(probability).draw(DRAWS, generator(1, "flip"))
    assert chosen.dtype is torch.bool
    tolerance = 6 * math.sqrt(probability * (1 - probability) / DRAWS)
    assert abs(float(chosen.double().mean()) - probability) <= tolerance


def test_an_alternating_flip_shows_the_other_side_in_every_other_epoch() -> None:
    """The first epoch's choice is kept for the whole run, whatever else is drawn and where a run goes on."""
    chain = (RandomCrop(), AlternatingFlip())
    epochs = [draw_epoch(chain, DRAWS, seed=4, epoch=epoch)[1] for epoch in range(5)]
    assert all(torch.equal(epochs[epoch], epochs[0]) for epoch in (2, 4))
    assert all(torch.equal(epochs[epoch], ~epochs[0]) for epoch in (1, 3))
    assert abs(float(epochs[0].double().mean()) - 0.5) < 6 * math.sqrt(0.25 / DRAWS)
    other = draw_epoch(chain, DRAWS, seed=5, epoch=0)[1]
    assert abs(float((other == epochs[0]).double().mean()) - 0.5) < 6 * math.sqrt(0.25 / DRAWS)
    images, drawn = random_images(4, 3, 6, 6), torch.tensor([True, False, False, True])
    assert torch.equal(AlternatingFlip().apply(images, drawn), flip_horizontally(images, drawn))
