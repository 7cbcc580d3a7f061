"""Laws that every augmentation keeps."""

import math
from collections.abc import Callable
from typing import get_args

import pytest
import torch

from augment.pillow import random_images
from cifarlab.augment import (
    AlternatingFlip,
    Augmentation,
    AutoAugment,
    Cutout,
    GaussianNoise,
    HorizontalFlip,
    RandAugment,
    RandomAffine,
    RandomCrop,
    RandomErasing,
    Rotation,
    RotationTable,
    Translate,
    TrivialAugment,
    VerticalFlip,
    Zoom,
    apply_all,
    draw_epoch,
)
from cifarlab.augment.warps import rotate
from cifarlab.config import from_json, to_json
from cifarlab.errors import UserError
from cifarlab.runtime import generator

SHAPES = [(1, 3, 32, 32), (5, 3, 32, 32), (4, 3, 12, 31), (4, 3, 31, 12), (2, 3, 2, 1), (0, 3, 32, 32)]
ALL: list[Augmentation] = [
    RandomCrop(),
    HorizontalFlip(),
    VerticalFlip(),
    Rotation(),
    Rotation(30.0, "edge", "bilinear"),
    RotationTable(),
    Translate(),
    Translate(0.2, "edge"),
    Zoom(),
    Zoom(0.3, "edge", "bilinear"),
    RandomAffine(),
    RandomAffine(30.0, 0.2, 0.2, "black", "nearest"),
    GaussianNoise(),
    RandomErasing(),
    RandomErasing(1.0, law="log-uniform"),
    Cutout(),
    Cutout(5, 3, (9, 8, 7)),
    AutoAugment(),
    RandAugment(),
    TrivialAugment(),
    AlternatingFlip(),
    RandomCrop(2, "reflect"),
    RandomCrop(3, "edge"),
]
NOTHING: list[Augmentation] = [
    RandomAffine(0.0, 0.0, 0.0),
    RandomCrop(0),
    RandomCrop(0, "reflect"),
    HorizontalFlip(0.0),
    VerticalFlip(0.0),
    Rotation(0.0),
    Rotation(0.0, "edge", "bilinear"),
    RotationTable((0.0,), (1.0,)),
    Translate(0.0),
    Translate(0.0, "edge", "bilinear"),
    Zoom(0.0),
    Zoom(0.0, "edge", "bilinear"),
    GaussianNoise(0.0, 0.0),
    RandomErasing(0.0),
    RandomErasing(1.0, (0.0, 0.0)),
    Cutout(0),
    Cutout(holes=0),
    RandAugment(0),
]
PIXELS_MOVE_ONLY: list[Augmentation] = [
    *ALL[:4],
    *ALL[6:9],
    RotationTable(interpolation="nearest"),
    AlternatingFlip(),
    *ALL[-2:],
]
every = pytest.mark.parametrize("augmentation", ALL, ids=repr)


def test_all_of_the_union_are_here() -> None:
    assert {type(augmentation) for augmentation in ALL} == set(get_args(Augmentation))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("nothing", NOTHING, ids=repr)
def test_strength_zero_is_the_identity(nothing: Augmentation, shape: tuple[int, ...]) -> None:
    images = random_images(*shape)
    assert torch.equal(nothing.apply(images, nothing.draw(shape[0], generator(0))), images)


@pytest.mark.parametrize("shape", SHAPES)
@every
def test_size_and_dtype_stay_and_the_input_is_left_alone(
    augmentation: Augmentation, shape: tuple[int, ...]
) -> None:
    images = random_images(*shape)
    before = images.clone()
    after = augmentation.apply(images, augmentation.draw(shape[0], generator(1)))
    assert after.shape == images.shape
    assert after.dtype is torch.uint8
    assert torch.equal(images, before)
    after.fill_(7)  # and no part of the result is a view of it
    assert torch.equal(images, before)


@every
def test_most_images_change(augmentation: Augmentation) -> None:
    images = random_images(200, 3, 32, 32)
    after = augmentation.apply(images, augmentation.draw(200, generator(1)))
    assert (after != images).flatten(1).any(1).double().mean() > 0.2


@every
def test_the_layout_in_memory_does_not_matter(augmentation: Augmentation) -> None:
    images = random_images(40, 3, 12, 20)
    draws = augmentation.draw(40, generator(1))
    expected = augmentation.apply(images, draws)
    last = images.contiguous(memory_format=torch.channels_last)
    strided = random_images(40, 3, 12, 40)[..., ::2]
    assert torch.equal(augmentation.apply(last, draws), expected)
    assert torch.equal(augmentation.apply(strided, draws), augmentation.apply(strided.contiguous(), draws))


@pytest.mark.parametrize("size", [1, 2, 7, 128])
@every
def test_draws_belong_to_images_not_to_batches(augmentation: Augmentation, size: int) -> None:
    images, chain = random_images(130, 3, 16, 16), (augmentation,)
    draws = draw_epoch(chain, 130, seed=5, epoch=2)
    whole = apply_all(chain, images, draws)
    order = torch.randperm(130, generator=torch.Generator().manual_seed(3))
    for positions in order.split(size):
        batch = apply_all(chain, images[positions], [drawn[positions] for drawn in draws])
        assert torch.equal(batch, whole[positions])


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
@every
def test_a_gpu_gives_the_same_bits(augmentation: Augmentation) -> None:
    images = random_images(300, 3, 32, 32)
    draws = augmentation.draw(300, generator(1))
    found = augmentation.apply(images.cuda(), draws.cuda())
    assert torch.equal(found.cpu(), augmentation.apply(images, draws))


@every
def test_draws_are_small_rows_on_the_cpu(augmentation: Augmentation) -> None:
    drawn = augmentation.draw(100, generator(0))
    assert len(drawn) == 100
    assert drawn.device.type == "cpu"
    assert drawn[0].numel() * drawn.element_size() <= 100


@every
def test_draws_are_a_function_of_seed_epoch_and_place(augmentation: Augmentation) -> None:
    chain = (augmentation, augmentation)
    torch.manual_seed(1)
    first = draw_epoch(chain, 200, seed=0, epoch=0)
    torch.manual_seed(2)
    again = draw_epoch(chain, 200, seed=0, epoch=0)
    assert all(torch.equal(*pair) for pair in zip(first, again, strict=True))
    others = [
        draw_epoch(chain, 200, seed=0, epoch=1)[0],
        draw_epoch(chain, 200, seed=1, epoch=0)[0],
        first[1],
    ]
    assert not any(torch.equal(first[0], other) for other in others)


@every
def test_images_are_drawn_apart(augmentation: Augmentation) -> None:
    """Each number of a row tells nothing of the same number in the next rows."""
    drawn = augmentation.draw(4000, generator(3)).double().reshape(4000, -1)
    for column in drawn.T:
        for lag in (1, 2, 128):
            pair = torch.stack([column[lag:], column[:-lag]])
            assert column.std() == 0 or abs(float(torch.corrcoef(pair)[0, 1])) < 6 / math.sqrt(4000 - lag)


@pytest.mark.parametrize("augmentation", PIXELS_MOVE_ONLY, ids=repr)
def test_every_pixel_comes_from_the_same_image_or_is_black(augmentation: Augmentation) -> None:
    images = torch.arange(1, 51, dtype=torch.uint8)[:, None, None, None].repeat(1, 3, 32, 32)
    after = augmentation.apply(images, augmentation.draw(50, generator(2)))
    assert ((after == images) | (after == 0)).all()
    assert (after == images).double().mean() > 0.7


@pytest.mark.parametrize("augmentation", PIXELS_MOVE_ONLY, ids=repr)
def test_channels_move_together(augmentation: Augmentation) -> None:
    images = random_images(20, 1, 32, 32).repeat(1, 3, 1, 1)
    after = augmentation.apply(images, augmentation.draw(20, generator(0)))
    assert torch.equal(after[:, 0], after[:, 1])
    assert torch.equal(after[:, 0], after[:, 2])


def test_augmentations_are_applied_in_order() -> None:
    images = random_images(10, 3, 16, 16)
    chain = (RandomCrop(4), Rotation(90.0))
    draws = draw_epoch(chain, 10, 0, 0)
    there = rotate(RandomCrop(4).apply(images, draws[0]), draws[1])
    assert torch.equal(apply_all(chain, images, draws), there)
    assert not torch.equal(RandomCrop(4).apply(rotate(images, draws[1]), draws[0]), there)


def test_draws_must_fit_the_augmentations() -> None:
    with pytest.raises(ValueError, match="zip"):
        apply_all(tuple(ALL), random_images(2, 3, 8, 8), [])


@pytest.mark.parametrize("augmentation", [*ALL, *NOTHING], ids=repr)
def test_configs_survive_json(augmentation: Augmentation) -> None:
    assert from_json(Augmentation, to_json(augmentation)) == augmentation


@pytest.mark.parametrize(
    "make",
    [
        lambda: RandomCrop(-1),
        lambda: HorizontalFlip(-0.1),
        lambda: HorizontalFlip(math.nan),
        lambda: VerticalFlip(1.1),
        lambda: Rotation(-1.0),
        lambda: Rotation(math.inf),
        lambda: Rotation(math.nan),
        lambda: RotationTable((), ()),
        lambda: RotationTable((0.0, 30.0), (1.0,)),
        lambda: RotationTable((0.0, math.nan), (0.5, 0.5)),
        lambda: RotationTable((0.0, 30.0), (-0.5, 1.5)),
        lambda: RotationTable((0.0, 30.0), (0.0, 0.0)),
        lambda: RotationTable((0.0, 30.0), (math.nan, 0.5)),
        lambda: Translate(-0.1),
        lambda: Translate(1.1),
        lambda: Zoom(1.0),
        lambda: Zoom(math.nan),
        lambda: GaussianNoise(math.inf),
        lambda: GaussianNoise(0.0, -1.0),
        lambda: GaussianNoise(0.0, math.nan),
        lambda: RandomErasing(1.1),
        lambda: RandomErasing(area=(0.4, 0.02)),
        lambda: RandomErasing(area=(0.1, 1.1)),
        lambda: RandomErasing(aspect=0.0),
        lambda: RandomErasing(aspect=1.1),
        lambda: Cutout(-1),
        lambda: Cutout(10**20),
        lambda: Cutout(holes=-1),
        lambda: Cutout(holes=13),
        lambda: Cutout(fill=(0, 0, 256)),
        lambda: AutoAugment((-1, 0, 0)),
        lambda: RandAugment(-1),
        lambda: RandAugment(2, 31),
        lambda: RandAugment(fill=(0, 0, 999)),
        lambda: TrivialAugment((0, 300, 0)),
    ],
)
def test_values_that_make_no_sense_are_refused(make: Callable[[], Augmentation]) -> None:
    with pytest.raises(UserError, match=r"^\w+: ") as caught:
        make()
    assert str(caught.value).isprintable()
