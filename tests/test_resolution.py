"""Growing resolution: the arithmetic beside a plain one, the sizes of every step, and what is refused."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from cifarlab.augment import CutMix, HorizontalFlip, MeanImage, RandomCrop
from cifarlab.config import from_json, to_json
from cifarlab.data.batches import whole
from cifarlab.distributed import ALONE, Group
from cifarlab.errors import UserError
from cifarlab.feed import Feed, feed_of_epoch
from cifarlab.models import FastCnn, LeNet, PlainCnn
from cifarlab.models.cost import forward_flops
from cifarlab.resolution import GrowingResolution, scaled_down
from cifarlab.train import train
from support import small_recipe, synthetic_source, synthetic_split

GROWING = GrowingResolution(sizes=(9, 11), until=(0.4, 0.7))
FAST = FastCnn((4, 4, 4))


def random_floats(count: int, size: int) -> Tensor:
    return torch.randn(count, 3, size, size, generator=torch.Generator().manual_seed(0))


def bilinear(channel: Tensor, size: int) -> Tensor:
    """A channel ``[S, S]``, pixel by pixel: each between its four neighbors, pixels' centers at halves."""
    image, before, result = channel.double().numpy(), len(channel), torch.empty(size, size)
    for row in range(size):
        for column in range(size):
            y = max((row + 0.5) * before / size - 0.5, 0.0)
            x = max((column + 0.5) * before / size - 0.5, 0.0)
            top, left = int(y), int(x)
            bottom, right = min(top + 1, before - 1), min(left + 1, before - 1)
            down, over = y - top, x - left
            result[row, column] = (
                (1 - down) * (1 - over) * image[top, left]
                + (1 - down) * over * image[top, right]
                + down * (1 - over) * image[bottom, left]
                + down * over * image[bottom, right]
            )
    return result


@pytest.mark.parametrize(("before", "size"), [(32, 24), (32, 28), (12, 9), (13, 7), (8, 4)])
def test_every_pixel_lies_between_its_four_neighbors(before: int, size: int) -> None:
    images = random_floats(2, before)
    found = scaled_down(images.contiguous(memory_format=torch.channels_last), size)
    assert found.is_contiguous(memory_format=torch.channels_last)
    expected = torch.stack([torch.stack([bilinear(channel, size) for channel in each]) for each in images])
    torch.testing.assert_close(found, expected, rtol=0, atol=3e-5)


@pytest.mark.parametrize(("before", "size"), [(40, 12), (21, 1)])
def test_far_down_it_is_pillow_s_so_that_every_pixel_counts(before: int, size: int) -> None:
    images = random_floats(1, before)
    found = scaled_down(images, size)[0]
    for channel, ours in zip(images[0], found, strict=True):
        theirs = Image.fromarray(channel.numpy()).resize((size, size), Image.Resampling.BILINEAR)
        torch.testing.assert_close(ours, torch.from_numpy(np.array(theirs)), rtol=0, atol=1e-5)


def test_whole_images_are_left_as_they_are() -> None:
    images = random_floats(2, 12)
    assert scaled_down(images, 12) is images


def test_each_size_ends_at_its_share() -> None:
    shares = {0.0: 9, 0.39: 9, 0.4: 11, 0.69: 11, 0.7: 32, 1.0: 32}
    assert {done: GROWING.size_at(done, 32) for done in shares} == shares
    assert GrowingResolution((24,), (1.0,)).size_at(0.999, 32) == 24


def feed(epoch: int, resolution: GrowingResolution | None = GROWING, **changes: Any) -> Feed:
    """3 epochs of 5 steps over 23 images of 12 pixels, the last batch a small one."""
    recipe = small_recipe(augment=(RandomCrop(2), HorizontalFlip()), batch_size=5, **changes)
    training = whole(synthetic_split(23, 1, size=12), torch.device("cpu"))
    return feed_of_epoch(replace(recipe, resolution=resolution), training, 3, seed=1, epoch=epoch)


def test_the_size_of_a_step_is_a_function_of_the_run_s_progress() -> None:
    sizes = [feed(epoch).batch(step, ALONE).images.shape[-1] for epoch in range(3) for step in range(5)]
    assert sizes == 6 * [9] + 5 * [11] + 4 * [12]  # 0.4 and 0.7 of 15 steps


@pytest.mark.parametrize("mix", [None, CutMix(probability=1.0)], ids=["none", "cutmix"])
def test_what_is_scaled_is_the_augmented_image_in_any_number_of_processes(mix: CutMix | None) -> None:
    growing, plain = feed(1, mix=mix), feed(1, None)
    for step in (0, 1, 4):
        size, batch = growing.size_at(step), growing.batch(step, ALONE)
        expected = scaled_down(plain.batch(step, ALONE).images, size)
        if mix is not None:
            assert growing.mixing_draws is not None
            draws = growing.mixing_draws[growing.order[step * 5 : (step + 1) * 5]]
            expected, _ = mix.apply(expected, expected.flip(0), draws)
        assert torch.equal(batch.images, expected)
        parts = [growing.batch(step, Group(rank, 3)) for rank in range(3)]
        assert torch.equal(torch.cat([part.images for part in parts if part.weight > 0]), batch.images)


@pytest.mark.parametrize(
    ("changes", "size", "message"),
    [
        ({"resolution": GrowingResolution((9, 12), (0.4, 0.7))}, 12, "12 pixels are not below the 12 of"),
        ({"resolution": GrowingResolution((8,), (0.5,))}, 12, "FastCnn takes images from 9 pixels, not 8"),
        ({"resolution": GROWING, "normalize": MeanImage()}, 12, "takes images of 12 pixels only"),
        ({"resolution": GrowingResolution((8,), (0.5,)), "model": PlainCnn()}, 16, "of 16 pixels only"),
        ({"resolution": GrowingResolution((24,), (0.5,)), "model": LeNet()}, 32, "of 32 pixels only"),
        ({"resolution": GROWING, "batch_size": 47}, 18, "cannot be trained on a single image"),
    ],
)
def test_what_the_network_cannot_take_is_refused_before_anything_is_written(
    changes: dict[str, Any], size: int, message: str, tmp_path: Path
) -> None:
    recipe = small_recipe(**({"model": FAST} | changes))
    with pytest.raises(UserError, match=message) as caught:
        train(recipe, synthetic_source(size=size), tmp_path / "run")
    assert str(caught.value).isprintable()
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("sizes", "until"),
    [
        ((), ()),
        ((24, 28), (0.5,)),
        ((28, 24), (0.4, 0.7)),
        ((24, 24), (0.4, 0.7)),
        ((0, 24), (0.4, 0.7)),
        ((24, 28), (0.7, 0.4)),
        ((24,), (0.0,)),
        ((24,), (1.5,)),
        ((24,), (float("nan"),)),
        ((24, 28), (0.4, float("nan"))),
    ],
)
def test_values_that_make_no_sense_are_refused(sizes: tuple[int, ...], until: tuple[float, ...]) -> None:
    with pytest.raises(UserError, match=r"^GrowingResolution: "):
        GrowingResolution(sizes, until)


def test_the_config_survives_json() -> None:
    assert from_json(GrowingResolution, to_json(GROWING)) == GROWING


def test_the_cost_counts_the_true_sizes(tmp_path: Path) -> None:
    recipe = small_recipe(model=FAST, resolution=GROWING)  # 48 images; 6 of 15 steps, then 5, then 4
    result = train(recipe, synthetic_source(size=12), tmp_path / "run")
    network = FAST.build(3, 12)
    images = {9: 48 + 10, 11: 38 + 10, 12: 38}
    by_hand = sum(3 * count * forward_flops(network, size) for size, count in images.items())
    assert result["training_flops"] == by_hand < 3 * result["flops"] * 48 * 3
