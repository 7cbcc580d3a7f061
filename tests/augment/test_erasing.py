"""Random Erasing and Cutout: sizes, places and fills of what they take away."""

import math

import pytest
import torch
from scipy import stats
from torch import Tensor

from augment.pillow import random_images
from cifarlab.augment import Cutout, RandomErasing
from cifarlab.augment.cutout import cut_out
from cifarlab.augment.erasing import erase, rectangles
from cifarlab.runtime import generator

DRAWS = 10_000


def boxes(augmentation: RandomErasing, height: int, width: int) -> Tensor:
    """The drawn rectangles of the chosen images, by the public functions."""
    draws = augmentation.draw(DRAWS, generator(1, "erasing"))
    draws = draws[draws[:, 0] > 0]
    return rectangles(draws[:, 4:14], draws[:, 14:], draws[:, 2:4], height, width)


def by_the_paper(augmentation: RandomErasing, size: int) -> list[tuple[int, int]]:
    """Heights and widths by the authors' loop, one image at a time."""
    randomness = torch.Generator().manual_seed(5)

    def uniform(low: float, high: float) -> float:
        return low + (high - low) * float(torch.rand((), generator=randomness))

    found: list[tuple[int, int]] = []
    while len(found) < DRAWS:
        area = uniform(*augmentation.area) * size**2
        if augmentation.law == "uniform":
            aspect = uniform(augmentation.aspect, 1 / augmentation.aspect)
        else:
            aspect = math.exp(uniform(math.log(augmentation.aspect), -math.log(augmentation.aspect)))
        height, width = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
        if height < size and width < size:
            found.append((height, width))
    return found


@pytest.mark.parametrize("law", ["uniform", "log-uniform"])
def test_areas_and_aspects_follow_the_paper_s_loop(law: str) -> None:
    augmentation = RandomErasing(probability=1.0, law=law)  # type: ignore[arg-type]
    sizes = boxes(augmentation, 100, 100)[:, 2:].double()
    expected = torch.tensor(by_the_paper(augmentation, 100)).double()
    for of in (lambda s: s[:, 0] * s[:, 1], lambda s: s[:, 0] / s[:, 1]):
        assert stats.ks_2samp(of(sizes).numpy(), of(expected).numpy()).pvalue > 1e-4
    area = sizes.prod(1) / 100**2
    assert 0.018 < area.min() < 0.03 and 0.38 < area.max() < 0.41
    taller = float((sizes[:, 0] > sizes[:, 1]).double().mean())
    assert (taller > 0.65) if law == "uniform" else (abs(taller - 0.5) < 0.05)


@pytest.mark.parametrize(("height", "width"), [(32, 32), (20, 45)])
def test_rectangles_lie_inside_and_everywhere(height: int, width: int) -> None:
    top, left, tall, wide = boxes(RandomErasing(1.0), height, width).unbind(1)
    assert (top >= 0).all() and (left >= 0).all()
    assert (top + tall <= height).all() and (left + wide <= width).all()
    for place, side, length in ((top, tall, height), (left, wide, width)):
        assert (place + side == length).any() and (place == 0).any()
        relative = (place.double() + torch.rand(len(place), generator=generator(2))) / (length - side + 1)
        assert stats.kstest(relative.numpy(), "uniform").pvalue > 1e-4


def test_the_first_rectangle_that_fits_is_taken() -> None:
    areas = torch.tensor([[0.9, 0.25, 0.04], [0.9, 0.9, 0.04], [0.9, 0.9, 0.9]])
    aspects = torch.tensor([[2.0, 1.0, 1.0], [2.0, 0.5, 4.0], [2.0, 3.0, 0.4]])
    found = rectangles(areas, aspects, torch.zeros(3, 2), 20, 20)
    assert found[:, 2:].tolist() == [[10, 10], [8, 2], [0, 0]]
    corners = torch.full((3, 2), 0.999999)
    assert rectangles(areas, aspects, corners, 20, 20)[:2, :2].tolist() == [[10, 10], [12, 18]]


def test_images_are_erased_at_their_rate_with_noise_of_their_own() -> None:
    augmentation = RandomErasing(probability=0.3)
    images = torch.full((2000, 3, 32, 32), 77, dtype=torch.uint8)
    draws = augmentation.draw(2000, generator(1))
    found = augmentation.apply(images, draws)
    changed = (found != 77).flatten(1).any(1)
    assert abs(float(changed.double().mean()) - 0.3) < 6 * math.sqrt(0.21 / 2000)
    filled = found[changed]
    inside = (filled != 77).any(1, keepdim=True).expand_as(filled)
    noise = filled[inside].double()
    assert noise.min() == 0 and noise.max() == 255
    assert abs(float(noise.mean()) - 127.5) < 6 * 74 / math.sqrt(len(noise))
    assert not torch.equal(filled[0], filled[1])
    area = inside[:, 0].double().mean((1, 2))
    assert 0.17 < float(area.mean()) < 0.22  # uniform over 0.02 … 0.4, but large long ones do not fit


def test_erase_changes_its_box_alone() -> None:
    images = random_images(3, 3, 10, 12)
    box = torch.tensor([[2, 3, 4, 5], [0, 0, 10, 12], [5, 5, 0, 0]])
    found = erase(images, box, torch.arange(3, dtype=torch.int32))
    differs = (found != images).any(1)
    assert differs[0, 2:6, 3:8].double().mean() > 0.9
    differs[0, 2:6, 3:8] = False
    assert not differs[0].any()
    assert differs[1].double().mean() > 0.95
    assert torch.equal(found[2], images[2])


def test_one_rectangle_s_bytes_differ_between_channels() -> None:
    black, all_of_it = torch.zeros(1, 3, 32, 32, dtype=torch.uint8), torch.tensor([[0, 0, 32, 32]])
    found = erase(black, all_of_it, torch.tensor([9], dtype=torch.int32))
    assert float((found[:, 0] == found[:, 1]).double().mean()) < 0.05


@pytest.mark.parametrize("size", [16, 5, 0, 100])
def test_a_hole_reaches_half_its_size_around_the_center(size: int) -> None:
    images = random_images(40, 3, 20, 30).clamp(min=1)
    augmentation = Cutout(size=size)
    draws = augmentation.draw(40, generator(0))
    found = augmentation.apply(images, draws)
    for image, hole, (y, x) in zip(images, found, draws[:, 0].tolist(), strict=True):
        top, left = int(y * 20) - size // 2, int(x * 30) - size // 2
        expected = image.clone()
        expected[:, max(top, 0) : max(top + size, 0), max(left, 0) : max(left + size, 0)] = 0
        assert torch.equal(hole, expected)


def test_centers_are_uniform_so_that_holes_are_clipped() -> None:
    images = torch.full((5000, 3, 32, 32), 200, dtype=torch.uint8)
    augmentation = Cutout(16)
    area = (augmentation.apply(images, augmentation.draw(5000, generator(1)))[:, 0] == 0).sum((1, 2)).double()
    side = [min(c + 8, 32) - max(c - 8, 0) for c in range(32)]
    expected = (sum(side) / 32) ** 2
    assert abs(float(area.mean()) - expected) < 6 * float(area.std()) / math.sqrt(5000)
    assert area.max() == 256 and area.min() <= 81


def test_several_holes_and_their_color() -> None:
    images = torch.zeros(2, 3, 32, 32, dtype=torch.uint8)
    centers = torch.tensor([[[0.25, 0.25], [0.75, 0.75]]] * 2)
    found = cut_out(images, centers, 4, (10, 20, 30))
    assert (found[:, :, 6:10, 6:10] == torch.tensor([10, 20, 30])[:, None, None]).all()
    assert (found[:, :, 22:26, 22:26] == torch.tensor([10, 20, 30])[:, None, None]).all()
    assert int((found[:, 0] == 10).sum()) == 2 * 2 * 16
    none = Cutout(holes=0)
    assert torch.equal(none.apply(images, none.draw(2, generator(0))), images)
