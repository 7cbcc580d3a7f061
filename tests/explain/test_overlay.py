"""Pictures and heat maps as PNG: sizes, colors, equal bytes."""

import io

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from cifarlab.explain.overlay import overlay_png, picture_png

PICTURE = torch.randint(0, 256, (3, 5, 7), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))


def _pixels(content: bytes) -> NDArray[np.uint8]:
    with Image.open(io.BytesIO(content)) as image:
        assert image.format == "PNG" and image.mode == "RGB" and not image.info
        return np.asarray(image)


def test_a_picture_keeps_its_pixels() -> None:
    pixels = _pixels(picture_png(PICTURE, zoom=3))
    assert pixels.shape == (15, 21, 3)
    for row in range(15):
        for column in range(21):
            assert pixels[row, column].tolist() == PICTURE[:, row // 3, column // 3].tolist()


def test_heat_is_bright_and_cold_is_dark_also_in_gray() -> None:
    heat = torch.zeros(5, 7)
    heat[2:, 3:] = 1.0
    pixels = _pixels(overlay_png(torch.full((3, 5, 7), 128, dtype=torch.uint8), heat))
    assert pixels.shape == (40, 56, 3)
    cold, hot = pixels[0, 0].astype(int), pixels[-1, -1].astype(int)
    assert hot.mean() > cold.mean() + 40
    assert hot[1] > hot[2] and cold[2] > cold[1], "yellow for 1, dark blue for 0"


@pytest.mark.parametrize("heat", [torch.zeros(5, 7), torch.full((5, 7), 9.0)])
def test_the_picture_shows_through(heat: torch.Tensor) -> None:
    picture = torch.zeros(3, 5, 7, dtype=torch.uint8)
    picture[:, :, 4:] = 255
    pixels = _pixels(overlay_png(picture, heat, zoom=1)).astype(int)
    assert (pixels[:, 4:].sum(2) - pixels[:, :1].sum(2)).min() > 200


def test_equal_input_gives_equal_bytes() -> None:
    heat = torch.rand(5, 7, generator=torch.Generator().manual_seed(2))
    assert overlay_png(PICTURE, heat) == overlay_png(PICTURE.clone(), heat.clone())
    assert overlay_png(PICTURE, heat) != overlay_png(PICTURE, 1 - heat)
