"""Crop, flip and rotation against Pillow, their laws, and what they draw."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps
from torch import Tensor

from cifarlab.augment import Augmentation, HorizontalFlip, RandomCrop, Rotation, apply_all, draw_epoch
from cifarlab.augment.geometry import crop, flip_horizontally, rotate
from cifarlab.errors import UserError
from cifarlab.runtime import generator

DRAWS = 10_000
SHAPES = [(1, 3, 32, 32), (5, 3, 32, 32), (4, 3, 12, 31), (4, 3, 31, 12), (2, 1, 7, 7), (0, 3, 32, 32)]
ALL: list[Augmentation] = [RandomCrop(), HorizontalFlip(), Rotation()]


def random_images(*shape: int, seed: int = 0) -> Tensor:
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(seed))


def to_pillow(image: Tensor) -> Image.Image:
    return Image.fromarray(image.permute(1, 2, 0).contiguous().numpy())


def from_pillow(image: Image.Image) -> Tensor:
    return torch.from_numpy(np.asarray(image).copy()).permute(2, 0, 1)


@pytest.mark.parametrize(("height", "width"), [(32, 32), (20, 33)])
def test_rotation_is_pillow_s(height: int, width: int) -> None:
    images = random_images(200, 3, height, width)
    degrees = torch.rand(200, generator=torch.Generator().manual_seed(1)) * 360 - 180
    ours = rotate(images, degrees)
    theirs = torch.stack(
        [
            from_pillow(to_pillow(image).rotate(angle, Image.Resampling.NEAREST))
            for image, angle in zip(images, degrees.tolist(), strict=True)
        ]
    )
    close = (ours.int() - theirs.int()).abs().amax(1) <= 1
    assert close.double().mean() >= 0.995
    assert close.double().mean((1, 2)).min() >= 0.95


@pytest.mark.parametrize("angle", [0, 90, 180, 270, -90, 360])
def test_quarter_turns_are_exact(angle: int) -> None:
    images = random_images(3, 3, 32, 32)
    turned = rotate(images, torch.full((3,), float(angle)))
    assert torch.equal(turned, torch.rot90(images, angle // 90, (2, 3)))


def test_rotation_leaves_corners_black_and_turns_counter_clockwise() -> None:
    white = torch.full((1, 3, 33, 33), 255, dtype=torch.uint8)
    turned = rotate(white, torch.tensor([45.0]))
    assert turned[0, :, 0, 0].tolist() == [0, 0, 0]
    assert turned[0, :, 16, 0].tolist() == [255, 255, 255]
    dot = torch.zeros(1, 1, 33, 33, dtype=torch.uint8)
    dot[0, 0, 16, 26] = 255  # east of the center
    place = rotate(dot, torch.tensor([45.0]))[0, 0].nonzero().double().mean(0)
    assert (place - torch.tensor([16 - 10 / math.sqrt(2), 16 + 10 / math.sqrt(2)])).abs().max() < 1


@pytest.mark.parametrize(("height", "width", "padding"), [(32, 32, 4), (32, 32, 1), (9, 14, 6)])
def test_crop_is_pillow_s(height: int, width: int, padding: int) -> None:
    corners = [(row, column) for row in range(2 * padding + 1) for column in range(2 * padding + 1)]
    images = random_images(len(corners), 3, height, width)
    ours = crop(images, torch.tensor(corners), padding)
    for image, (row, column), found in zip(images, corners, ours, strict=True):
        padded = ImageOps.expand(to_pillow(image), border=padding, fill=0)
        expected = from_pillow(padded.crop((column, row, column + width, row + height)))
        assert torch.equal(found, expected), (row, column)


def test_flip_is_pillow_s_where_chosen() -> None:
    images = random_images(6, 3, 10, 15)
    chosen = torch.tensor([True, False, True, True, False, False])
    for image, flipped, found in zip(images, chosen, flip_horizontally(images, chosen), strict=True):
        expected = from_pillow(ImageOps.mirror(to_pillow(image))) if flipped else image
        assert torch.equal(found, expected)


def test_two_flips_are_none() -> None:
    images, chosen = random_images(6, 3, 10, 15), torch.tensor([True, False] * 3)
    assert torch.equal(flip_horizontally(flip_horizontally(images, chosen), chosen), images)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("nothing", [RandomCrop(0), HorizontalFlip(0.0), Rotation(0.0)], ids=repr)
def test_strength_zero_is_the_identity(nothing: Augmentation, shape: tuple[int, ...]) -> None:
    images = random_images(*shape)
    assert torch.equal(nothing.apply(images, nothing.draw(shape[0], generator(0))), images)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
@pytest.mark.parametrize("augmentation", ALL, ids=repr)
def test_size_and_dtype_stay_and_the_input_is_left_alone(
    augmentation: Augmentation, dtype: torch.dtype, shape: tuple[int, ...]
) -> None:
    images = random_images(*shape).to(dtype)
    before = images.clone()
    after = augmentation.apply(images, augmentation.draw(shape[0], generator(1)))
    assert after.shape == images.shape
    assert after.dtype is dtype
    assert torch.equal(images, before)
    after.fill_(7)  # and no part of the result is a view of it
    assert torch.equal(images, before)


@pytest.mark.parametrize("augmentation", ALL, ids=repr)
def test_every_pixel_comes_from_the_same_image_or_is_black(augmentation: Augmentation) -> None:
    images = torch.arange(1, 51, dtype=torch.uint8)[:, None, None, None].repeat(1, 3, 32, 32)
    after = augmentation.apply(images, augmentation.draw(50, generator(2)))
    assert ((after == images) | (after == 0)).all()
    assert (after == images).double().mean() > 0.7


def test_channels_move_together() -> None:
    images = random_images(20, 1, 32, 32).repeat(1, 3, 1, 1)
    after = apply_all(tuple(ALL), images, draw_epoch(tuple(ALL), 20, 0, 0))
    assert torch.equal(after[:, 0], after[:, 1])
    assert torch.equal(after[:, 0], after[:, 2])


@pytest.mark.parametrize("size", [1, 2, 7, 128, 300])
def test_draws_belong_to_images_not_to_batches(size: int) -> None:
    images, chain = random_images(300, 3, 16, 16), tuple(ALL)
    draws = draw_epoch(chain, 300, seed=5, epoch=2)
    whole = apply_all(chain, images, draws)
    order = torch.randperm(300, generator=torch.Generator().manual_seed(3))
    for positions in order.split(size):
        batch = apply_all(chain, images[positions], [drawn[positions] for drawn in draws])
        assert torch.equal(batch, whole[positions])


def test_augmentations_are_applied_in_order() -> None:
    images = random_images(10, 3, 16, 16)
    chain = (RandomCrop(4), Rotation(90.0))
    draws = draw_epoch(chain, 10, 0, 0)
    there = rotate(crop(images, draws[0], 4), draws[1])
    assert torch.equal(apply_all(chain, images, draws), there)
    assert not torch.equal(crop(rotate(images, draws[1]), draws[0], 4), there)


def test_draws_must_fit_the_augmentations() -> None:
    with pytest.raises(ValueError, match="zip"):
        apply_all(tuple(ALL), random_images(2, 3, 8, 8), [])


def test_draws_are_a_function_of_seed_epoch_and_place() -> None:
    chain = (HorizontalFlip(), HorizontalFlip())
    torch.manual_seed(1)
    first = draw_epoch(chain, 1000, seed=0, epoch=0)
    torch.manual_seed(2)
    again = draw_epoch(chain, 1000, seed=0, epoch=0)
    assert all(torch.equal(*pair) for pair in zip(first, again, strict=True))
    others = [
        draw_epoch(chain, 1000, seed=0, epoch=1)[0],
        draw_epoch(chain, 1000, seed=1, epoch=0)[0],
        first[1],
    ]
    for other in others:
        assert abs(int((first[0] == other).sum()) - 500) < 6 * math.sqrt(250)


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


@pytest.mark.parametrize("probability", [0.0, 0.1, 0.5, 1.0])
def test_flips_come_at_their_rate(probability: float) -> None:
    chosen = HorizontalFlip(probability).draw(DRAWS, generator(1, "flip"))
    assert chosen.dtype is torch.bool
    tolerance = 6 * math.sqrt(probability * (1 - probability) / DRAWS)
    assert abs(float(chosen.double().mean()) - probability) <= tolerance


def test_angles_are_uniform_to_both_sides() -> None:
    angles = Rotation(15.0).draw(DRAWS, generator(1, "rotation"))
    assert angles.shape == (DRAWS,)
    assert -15 <= float(angles.min()) < -14.9
    assert 14.9 < float(angles.max()) <= 15
    counts = torch.histc(angles.double(), bins=10, min=-15, max=15)
    assert (counts - DRAWS / 10).abs().max() < 6 * math.sqrt(DRAWS / 10)


@pytest.mark.parametrize(
    "make",
    [
        lambda: RandomCrop(-1),
        lambda: HorizontalFlip(-0.1),
        lambda: HorizontalFlip(1.1),
        lambda: HorizontalFlip(math.nan),
        lambda: Rotation(-1.0),
        lambda: Rotation(math.inf),
        lambda: Rotation(math.nan),
    ],
)
def test_values_that_make_no_sense_are_refused(make: Callable[[], Augmentation]) -> None:
    with pytest.raises(UserError) as caught:
        make()
    assert str(caught.value).isprintable()
