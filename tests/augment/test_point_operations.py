"""Tables and blends against Pillow, to the bit, on random and on structured images."""

import pytest
import torch
from PIL import Image, ImageEnhance, ImageFilter, ImageOps
from torch import Tensor

from augment.pillow import from_pillow, in_pillow, random_images, structured_images, to_pillow
from cifarlab.augment.blending import blend, gray, smooth
from cifarlab.augment.magnitudes import NARROW, WIDE, strengths
from cifarlab.augment.operations import Operation, operate
from cifarlab.augment.pixels import BLACK
from cifarlab.augment.point_operations import (
    autocontrast_tables,
    brightness_tables,
    contrast_tables,
    equalize_tables,
    look_up,
    posterize_tables,
    solarize_tables,
)

SIZES = [(32, 32), (13, 40), (2, 3), (1, 1), (64, 48)]
BLENDS = (Operation.COLOR, Operation.SHARPNESS, Operation.BRIGHTNESS, Operation.CONTRAST)
POINTS = (Operation.INVERT, Operation.AUTO_CONTRAST, Operation.EQUALIZE)


def all_images(height: int, width: int) -> Tensor:
    return torch.cat([structured_images(height, width), random_images(20, 3, height, width)])


def assert_pillow_s(operation: Operation, images: Tensor, strength: float) -> None:
    kinds = torch.full((len(images),), float(operation))
    found = operate(images, kinds, torch.full((len(images),), strength), BLACK)
    strength = float(torch.tensor(strength))
    for image, ours in zip(images, found, strict=True):
        theirs = from_pillow(in_pillow(to_pillow(image), operation, strength, BLACK))
        assert torch.equal(ours, theirs), (operation, strength, image.unique()[:5])


@pytest.mark.parametrize(("height", "width"), SIZES)
@pytest.mark.parametrize("operation", POINTS, ids=lambda operation: operation.name)
def test_operations_without_strength(operation: Operation, height: int, width: int) -> None:
    assert_pillow_s(operation, all_images(height, width), 0.0)


@pytest.mark.parametrize("operation", BLENDS, ids=lambda operation: operation.name)
def test_blends_inside_and_beyond_0_and_1(operation: Operation) -> None:
    strength = {*strengths(NARROW, 10)[operation].tolist(), *strengths(WIDE, 31)[operation].tolist()}
    images = all_images(32, 32)
    for value in sorted(strength)[::3]:
        assert_pillow_s(operation, images, value)
        assert_pillow_s(operation, images, -value)
    for value in (-1.0, 0.0, 2.5, -1.5):  # factors 0 and 1 exactly, far beyond 1, below 0
        assert_pillow_s(operation, images, value)


@pytest.mark.parametrize("operation", BLENDS, ids=lambda operation: operation.name)
@pytest.mark.parametrize(("height", "width"), SIZES)
def test_blends_at_any_size(operation: Operation, height: int, width: int) -> None:
    assert_pillow_s(operation, all_images(height, width), 0.37)


def test_posterize_and_solarize_at_every_strength() -> None:
    images = all_images(16, 16)
    for bits in range(1, 9):
        assert_pillow_s(Operation.POSTERIZE, images, float(bits))
    for threshold in (*strengths(NARROW, 10)[Operation.SOLARIZE].tolist(), 256.0, 1.0, 128.0):
        assert_pillow_s(Operation.SOLARIZE, images, threshold)


def test_autocontrast_at_every_pair_of_limits() -> None:
    """Pillow truncates doubles, so that which byte 255 becomes depends on both limits."""
    pairs = [(low, high) for low in range(0, 256, 5) for high in range(low, 256, 3)]
    images = torch.tensor(pairs, dtype=torch.uint8)[:, None, :, None].repeat(1, 3, 1, 4)
    images = torch.cat([images, torch.zeros_like(images)], 2)
    for channel in range(3):  # a few values between the limits
        between = torch.rand(len(pairs), 2, 4, generator=torch.Generator().manual_seed(channel))
        low, high = images[:, channel, :1], images[:, channel, 1:2]
        images[:, channel, 2:] = (low + between * (high.float() - low)).to(torch.uint8)
    found = look_up(images, autocontrast_tables(images))
    for image, ours in zip(images, found, strict=True):
        assert torch.equal(ours, from_pillow(ImageOps.autocontrast(to_pillow(image))))


def test_single_tables_are_pillow_s() -> None:
    """Each with strengths of its own in one batch."""
    images = random_images(40, 3, 9, 9)
    factors = torch.linspace(-0.5, 3, 40)
    bits = torch.arange(40) % 8 + 1
    thresholds = torch.linspace(0, 256, 40)
    found = {
        "brightness": look_up(images, brightness_tables(factors)),
        "contrast": look_up(images, contrast_tables(images, factors)),
        "posterize": look_up(images, posterize_tables(bits)),
        "solarize": look_up(images, solarize_tables(thresholds)),
        "equalize": look_up(images, equalize_tables(images)),
    }
    for i, image in enumerate(images):
        picture = to_pillow(image)
        expected = {
            "brightness": ImageEnhance.Brightness(picture).enhance(float(factors[i])),
            "contrast": ImageEnhance.Contrast(picture).enhance(float(factors[i])),
            "posterize": ImageOps.posterize(picture, int(bits[i])),
            "solarize": ImageOps.solarize(picture, float(thresholds[i])),  # type: ignore[arg-type]
            "equalize": ImageOps.equalize(picture),
        }
        for name, theirs in expected.items():
            assert torch.equal(found[name][i], from_pillow(theirs)), (name, i)


def test_blend_is_pillow_s_for_all_pairs_of_bytes() -> None:
    bytes_ = torch.arange(256, dtype=torch.uint8)
    start, end = bytes_[:, None].expand(256, 256), bytes_[None].expand(256, 256)
    first, second = (Image.fromarray(part.contiguous().numpy()) for part in (start, end))
    for factor in (-1.3, -0.1, 0.0, 0.1, 1 / 3, 0.5, 0.9, 1.0, 1.1, 1.9, 4.0):
        theirs = torch.frombuffer(bytearray(Image.blend(first, second, factor).tobytes()), dtype=torch.uint8)
        assert torch.equal(blend(start, end, torch.tensor(factor)).flatten(), theirs), factor


def test_gray_is_pillow_s_for_many_colors() -> None:
    images = random_images(1, 3, 300, 300)
    theirs = torch.frombuffer(bytearray(to_pillow(images[0]).convert("L").tobytes()), dtype=torch.uint8)
    assert torch.equal(gray(images).flatten().to(torch.uint8), theirs)


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_smooth_is_pillow_s(height: int, width: int) -> None:
    images = all_images(height, width)
    for image, ours in zip(images, smooth(images), strict=True):
        assert torch.equal(ours, from_pillow(to_pillow(image).filter(ImageFilter.SMOOTH)))
