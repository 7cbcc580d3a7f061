"""The picture of a recipe's stages shows what training does."""

import io
from dataclasses import replace

import pytest
import torch
from PIL import Image
from torch import Tensor

from cifarlab.augment import Cutout, HorizontalFlip, MeanImage, Mixup, Normalize, RandomCrop
from cifarlab.recipe import Recipe
from cifarlab.report.stages import Stage, stages_of, stages_picture
from cifarlab.resolution import GrowingResolution, scaled_down
from support import small_recipe, synthetic_split

SPLIT = synthetic_split(30, 1)
CHOSEN = torch.tensor([4, 9, 20, 2])
RECIPE = small_recipe(
    augment=(HorizontalFlip(probability=1.0), RandomCrop(padding=2), Cutout(size=4)),
    normalize=Normalize((0.5, 0.4, 0.3), (0.2, 0.3, 0.4)),
    mix=Mixup(alpha=1.0),
)


def stages(recipe: Recipe = RECIPE, seed: int = 0, epoch: int = 0) -> list[Stage]:
    return stages_of(recipe, SPLIT, CHOSEN, seed, epoch)


def test_every_stage_is_there_in_its_order() -> None:
    names = [stage.name for stage in stages()]
    assert names == ["training image", "horizontal flip", "random crop", "cutout", "normalize", "mixup"]
    assert [stage.name for stage in stages(small_recipe())] == ["training image", "normalize"]
    assert "size 4" in stages()[3].settings


def test_images_that_are_small_at_first_are_shown_so() -> None:
    recipe = replace(RECIPE, resolution=GrowingResolution((4,), (0.5,)), epochs=2)
    *_, normalized, small, mixed = stages(recipe)
    assert (small.name, small.settings) == ("growing resolution", "4 × 4 pixels")
    torch.testing.assert_close(small.images, scaled_down(normalized.images, 4))
    assert mixed.images.shape == small.images.shape == (4, 3, 4, 4)
    assert stages(recipe, epoch=1)[-1].images.shape == SPLIT.images[CHOSEN].shape


def test_pictures_are_the_images_after_each_stage() -> None:
    first, flipped, *_ = stages()
    assert torch.equal(first.images, SPLIT.images[CHOSEN] / 255)
    assert torch.equal(flipped.images, first.images.flip(3))
    assert first.captions == ("dog", "cat", "frog", "frog")


def test_normalization_is_shown_between_black_and_white() -> None:
    cut, normalized = stages()[3:5]
    assert (float(normalized.images.min()), float(normalized.images.max())) == pytest.approx((0, 1))
    mean, deviation = torch.tensor([0.5, 0.4, 0.3]), torch.tensor([0.2, 0.3, 0.4])
    values = (cut.images - mean[:, None, None]) / deviation[:, None, None]
    shown = (values - values.min()) / (values.max() - values.min())
    torch.testing.assert_close(normalized.images, shown)
    assert f"black {float(values.min()):.2f}, white {float(values.max()):.2f}" in normalized.settings


def test_the_mean_image_is_that_of_the_training_set() -> None:
    def centered(images: Tensor) -> Tensor:
        return images / 255 - (SPLIT.images / 255).mean(0)

    found = stages(small_recipe(normalize=MeanImage()))[-1].images
    values = centered(SPLIT.images[CHOSEN])
    torch.testing.assert_close(
        found, (values - values.min()) / (values.max() - values.min()), atol=1e-5, rtol=0
    )


def test_mixed_images_say_their_shares() -> None:
    normalized, mixed = stages()[-2:]
    for place, caption in enumerate(mixed.captions):
        words = dict(pair.rsplit(" ", 1) for pair in caption.split(", "))
        assert sum(map(float, words.values())) == pytest.approx(1, abs=0.011)
        names = {SPLIT.class_names[int(SPLIT.labels[i])] for i in (CHOSEN[place], CHOSEN.flip(0)[place])}
        assert set(words) <= names
    assert not torch.equal(mixed.images, normalized.images)


def test_another_seed_or_epoch_is_another_draw() -> None:
    first = stages()[2].images
    assert torch.equal(first, stages()[2].images)
    assert not torch.equal(first, stages(seed=1)[2].images)
    assert not torch.equal(first, stages(epoch=1)[2].images)


@pytest.mark.parametrize("suffix", ["png", "svg", "pdf"])
def test_equal_stages_give_equal_files(suffix: str) -> None:
    once = stages_picture(stages(), "title", suffix)
    assert once == stages_picture(stages(), "title", suffix)
    assert once[:4] in (b"\x89PNG", b"<?xm", b"%PDF")


def test_the_picture_has_a_cell_for_every_image_and_stage() -> None:
    """Counted by colors: a stage of pure red images and one of pure blue ones."""
    red, blue = torch.zeros(3, 3, 8, 8), torch.zeros(3, 3, 8, 8)
    red[:, 0], blue[:, 2] = 1, 1
    content = stages_picture([Stage("first", "", red), Stage("second", "", blue)], "title", "png")
    pixels = Image.open(io.BytesIO(content)).convert("RGB")
    colors = {color: count for count, color in pixels.getcolors(1 << 20) or []}
    assert colors[(255, 0, 0)] == pytest.approx(colors[(0, 0, 255)], rel=0.02)
    assert colors[(255, 0, 0)] > 3 * 100 * 100
