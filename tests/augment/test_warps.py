"""Rotation, shift and zoom against Pillow; what lies outside; and what they draw."""

import math

import pytest
import torch
from PIL import Image
from torch import Tensor

from augment.pillow import from_pillow, random_images, to_pillow
from cifarlab.augment import Rotation, Translate, Zoom
from cifarlab.augment.affine import Interpolation, warp
from cifarlab.augment.warps import rotate, translate, zoom
from cifarlab.runtime import generator

DRAWS = 10_000
SIZES = [(32, 32), (20, 33), (7, 5)]
RESAMPLING = {"nearest": Image.Resampling.NEAREST, "bilinear": Image.Resampling.BILINEAR}


def uniform(*shape: int, extent: float = 1.0, seed: int = 1) -> Tensor:
    return (torch.rand(shape, generator=torch.Generator().manual_seed(seed)) * 2 - 1) * extent


def pillow_affine(image: Tensor, matrix: list[float], interpolation: Interpolation) -> Tensor:
    picture = to_pillow(image)
    resample = RESAMPLING[interpolation]
    return from_pillow(picture.transform(picture.size, Image.Transform.AFFINE, matrix, resample))


def assert_pillow_s(ours: Tensor, theirs: Tensor, interpolation: Interpolation) -> None:
    """Nearest neighbor: the same pixels but for rounding. Bilinear: within one gray level."""
    far = (ours.int() - theirs.int()).abs()
    assert (far <= (interpolation == "bilinear")).double().mean() >= 0.9999
    assert (ours != 0).any()


@pytest.mark.parametrize("interpolation", ["nearest", "bilinear"])
@pytest.mark.parametrize(("height", "width"), SIZES)
def test_rotation_is_pillow_s(height: int, width: int, interpolation: Interpolation) -> None:
    images, degrees = random_images(200, 3, height, width), uniform(200, extent=180)
    theirs = [
        from_pillow(to_pillow(image).rotate(angle, RESAMPLING[interpolation]))
        for image, angle in zip(images, degrees.tolist(), strict=True)
    ]
    ours = rotate(images, degrees, interpolation=interpolation)
    assert_pillow_s(ours, torch.stack(theirs), interpolation)


@pytest.mark.parametrize("interpolation", ["nearest", "bilinear"])
@pytest.mark.parametrize(("height", "width"), SIZES)
def test_any_matrix_is_pillow_s(height: int, width: int, interpolation: Interpolation) -> None:
    images = random_images(200, 3, height, width)
    matrices = uniform(200, 2, 3).double() + torch.tensor([[1.0, 0, 0], [0, 1.0, 0]])
    matrices[:, :, 2] *= 5
    theirs = [
        pillow_affine(image, matrix, interpolation)
        for image, matrix in zip(images, matrices.flatten(1).tolist(), strict=True)
    ]
    ours = warp(images, matrices, interpolation=interpolation)
    assert_pillow_s(ours, torch.stack(theirs), interpolation)


@pytest.mark.parametrize("interpolation", ["nearest", "bilinear"])
@pytest.mark.parametrize("angle", [0, 90, 180, 270, -90, 360])
def test_quarter_turns_are_exact(angle: int, interpolation: Interpolation) -> None:
    images = random_images(3, 3, 32, 32)
    turned = rotate(images, torch.full((3,), float(angle)), interpolation=interpolation)
    assert torch.equal(turned, torch.rot90(images, angle // 90, (2, 3)))


def test_rotation_leaves_corners_black_and_turns_counter_clockwise() -> None:
    white = torch.full((1, 3, 33, 33), 255, dtype=torch.uint8)
    turned = rotate(white, torch.tensor([45.0]))
    assert turned[0, :, 0, 0].tolist() == [0, 0, 0]
    assert turned[0, :, 16, 0].tolist() == [255, 255, 255]
    dot = torch.zeros(1, 3, 33, 33, dtype=torch.uint8)
    dot[0, :, 16, 26] = 255  # east of the center
    place = rotate(dot, torch.tensor([45.0]))[0, 0].nonzero().double().mean(0)
    assert (place - torch.tensor([16 - 10 / math.sqrt(2), 16 + 10 / math.sqrt(2)])).abs().max() < 1


def test_translation_moves_down_and_to_the_right_by_whole_pixels() -> None:
    images = random_images(1, 3, 10, 20)
    moved = translate(images, torch.tensor([[0.3, -0.1]]))
    assert torch.equal(moved[:, :, 3:, :-2], images[:, :, :-3, 2:])
    assert (moved[:, :, :3] == 0).all()
    assert (moved[:, :, :, -2:] == 0).all()


def test_translation_rounds_to_the_nearest_pixel() -> None:
    images = random_images(2, 3, 10, 10)
    moved = translate(images, torch.tensor([[0.14, 0.0], [0.16, 0.0]]))
    assert torch.equal(moved[0, :, 1:], images[0, :, :-1])
    assert torch.equal(moved[1, :, 2:], images[1, :, :-2])


def test_zoom_stretches_height_and_width_by_their_own_factors() -> None:
    white = torch.zeros(2, 3, 40, 40, dtype=torch.uint8)
    white[:, :, 10:30, 10:30] = 255
    inside = zoom(white, torch.tensor([[0.5, 1.0], [1.0, 2.0]]))[:, 0] == 255
    expected = torch.zeros(2, 40, 40, dtype=torch.bool)
    expected[0, :, 10:30] = True  # a factor of one half makes it twice as tall
    expected[1, 10:30, 15:25] = True
    assert torch.equal(inside, expected)


def test_the_edge_continues_outside_as_in_keras() -> None:
    """Keras: every pixel outside is the nearest one inside, here of a shift by whole pixels."""
    images = random_images(1, 3, 8, 9)
    for interpolation in ("nearest", "bilinear"):
        moved = translate(images, torch.tensor([[3 / 8, -2 / 9]]), "edge", interpolation)
        rows = (torch.arange(8) - 3).clamp(0, 7)
        columns = (torch.arange(9) + 2).clamp(0, 8)
        difference = moved.int() - images[:, :, rows][:, :, :, columns].int()
        assert difference.abs().max() <= (interpolation == "bilinear")


@pytest.mark.parametrize("interpolation", ["nearest", "bilinear"])
def test_a_border_changes_only_what_lies_outside(interpolation: Interpolation) -> None:
    images, degrees = random_images(30, 3, 16, 16).clamp(min=1), uniform(30, extent=60)
    black = rotate(images, degrees, "black", interpolation)
    edge = rotate(images, degrees, "edge", interpolation)
    outside = (black == 0).all(1, keepdim=True).expand_as(black)
    assert 0.05 < outside.double().mean() < 0.4
    assert torch.equal(black[~outside], edge[~outside])
    assert (edge > 0).all()


def test_a_fill_stands_for_black() -> None:
    images, degrees = random_images(30, 3, 16, 16).clamp(min=1), uniform(30, extent=60)
    black = rotate(images, degrees)
    outside = (black == 0).all(1)
    matrices = torch.eye(2, 3)[None] * torch.tensor([1.0, 1.0, 0.0])
    matrices = matrices.repeat(30, 1, 1)
    matrices[:, 0, 2] = 100  # all of it
    for interpolation in ("nearest", "bilinear"):
        filled = warp(images, matrices, "black", interpolation, fill=(1, 20, 255))
        assert (filled == torch.tensor([1, 20, 255], dtype=torch.uint8)[:, None, None]).all()
    assert outside.any()


def test_angles_are_uniform_to_both_sides() -> None:
    angles = Rotation(15.0).draw(DRAWS, generator(1, "rotation"))
    assert angles.shape == (DRAWS,)
    assert -15 <= float(angles.min()) < -14.9
    assert 14.9 < float(angles.max()) <= 15
    counts = torch.histc(angles.double(), bins=10, min=-15, max=15)
    assert (counts - DRAWS / 10).abs().max() < 6 * math.sqrt(DRAWS / 10)


@pytest.mark.parametrize(
    ("drawn", "middle", "extent"),
    [
        (Translate(0.2).draw(DRAWS, generator(1, "shift")), 0.0, 0.2),
        (Zoom(0.1).draw(DRAWS, generator(1, "zoom")), 1.0, 0.1),
    ],
    ids=["Translate", "Zoom"],
)
def test_height_and_width_are_drawn_apart(drawn: Tensor, middle: float, extent: float) -> None:
    assert drawn.shape == (DRAWS, 2)
    for side in drawn.double().unbind(1):
        low, high = middle - extent, middle + extent
        counts = torch.histc(side, bins=10, min=low, max=high)
        assert counts.sum() >= DRAWS - 2
        assert (counts - DRAWS / 10).abs().max() < 6 * math.sqrt(DRAWS / 10)
    assert abs(float(torch.corrcoef(drawn.T)[0, 1])) < 6 / math.sqrt(DRAWS)
