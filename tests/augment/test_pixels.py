"""What the augmentations share, against torch's plain ways."""

import pytest
import torch
from torch import Tensor

from augment.pillow import random_images
from cifarlab.augment.pixels import change_chosen, choose, color_on, in_pieces, is_color


def test_choose_is_where() -> None:
    images, others = random_images(50, 3, 8, 9), random_images(50, 3, 8, 9, seed=1)
    for shape in ((50, 1, 1, 1), (50, 1, 8, 9), (50, 3, 8, 9)):
        chosen = random_images(*shape, seed=2) > 127
        assert torch.equal(choose(chosen, images, others), torch.where(chosen, images, others))
    chosen = random_images(50, 1, 8, 9, seed=2) > 127
    color = color_on(torch.device("cpu"), (1, 2, 255))
    assert torch.equal(choose(chosen, color, images), torch.where(chosen, color, images))


@pytest.mark.parametrize("share", [0, 90, 256])
def test_chosen_rows_change_with_their_own_values(share: int) -> None:
    images, values = random_images(60, 3, 4, 5), torch.arange(60, dtype=torch.uint8)
    chosen = random_images(60, seed=3) < share
    seen: list[int] = []

    def change(some: Tensor, which: Tensor) -> Tensor:
        seen.extend(which.tolist())
        return some ^ which[:, None, None, None]

    found = change_chosen(chosen, images, change, images, values)
    expected = images.clone()
    expected[chosen] ^= values[chosen][:, None, None, None]
    assert torch.equal(found, expected)
    assert found.data_ptr() != images.data_ptr()
    assert seen == values[chosen].tolist()  # a CPU does no more than it must


@pytest.mark.parametrize("count", [0, 1, 7, 8, 20])
def test_pieces_make_the_whole(count: int) -> None:
    images, values = random_images(count, 3, 4, 5), torch.arange(count, dtype=torch.uint8)

    def change(some: Tensor, which: Tensor) -> Tensor:
        assert len(some) <= 7
        return some ^ which[:, None, None, None]

    assert torch.equal(in_pieces(7, change, images, values), images ^ values[:, None, None, None])


def test_colors_are_three_bytes() -> None:
    assert is_color((0, 255, 3))
    assert not is_color((0, 256, 3))
    assert not is_color((-1, 0, 0))
