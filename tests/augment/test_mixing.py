"""Mixup and CutMix: λ's law, exact shares, and that no label is lost."""

import math
from collections.abc import Callable

import pytest
import torch
from scipy import stats

from cifarlab.augment import CutMix, Mixing, Mixup, mixed_labels
from cifarlab.config import from_json, to_json
from cifarlab.errors import UserError
from cifarlab.runtime import generator

DRAWS = 10_000
BOTH: list[Mixing] = [Mixup(), CutMix(probability=1.0)]


@pytest.mark.parametrize("alpha", [0.4, 1.0, 3.5])
@pytest.mark.parametrize("kind", [Mixup, CutMix])
def test_shares_are_drawn_from_beta(kind: type[Mixup] | type[CutMix], alpha: float) -> None:
    drawn = kind(alpha, 1.0).draw(DRAWS, generator(1, "mixing"))
    assert drawn.dtype is torch.float32
    assert stats.kstest(drawn[:, 0].double().numpy(), stats.beta(alpha, alpha).cdf).pvalue > 1e-4


@pytest.mark.parametrize("mixing", BOTH, ids=repr)
def test_the_share_is_the_own_part_of_the_image(mixing: Mixing) -> None:
    """Of an image of ones and another one of zeros, the mean is what is left of the first."""
    images, others = torch.ones(500, 3, 17, 32), torch.zeros(500, 3, 17, 32)
    mixed, share = mixing.apply(images, others, mixing.draw(500, generator(2)))
    assert share.dtype is torch.float32
    assert share.shape == (500,)
    assert (mixed.mean((1, 2, 3)) - share).abs().max() < 1e-5
    assert share.min() < 0.2 and share.max() > 0.9


@pytest.mark.parametrize("mixing", [Mixup(0.4, 0.3), CutMix(1.0, 0.3)], ids=repr)
def test_images_that_are_not_chosen_stay_the_same_to_the_bit(mixing: Mixing) -> None:
    images, others = torch.randn(1000, 3, 8, 8), torch.randn(1000, 3, 8, 8)
    draws = mixing.draw(1000, generator(3))
    mixed, share = mixing.apply(images, others, draws)
    whole = draws[:, 0] == 1
    assert abs(float(whole.double().mean()) - 0.7) < 6 * math.sqrt(0.21 / 1000)
    assert torch.equal(mixed[whole], images[whole])
    assert (share[whole] == 1).all()
    same = (mixed == images).flatten(1).all(1)
    assert torch.equal(same, share == 1)


def test_mixup_is_the_weighted_mean() -> None:
    images, others = torch.randn(4, 3, 5, 5), torch.randn(4, 3, 5, 5)
    share = torch.tensor([0.0, 0.25, 0.8, 1.0])
    mixed, found = Mixup().apply(images, others, share[:, None])
    weight = share.double()[:, None, None, None]
    expected = weight * images + (1 - weight) * others
    torch.testing.assert_close(mixed.double(), expected, atol=1e-6, rtol=0)
    assert torch.equal(found, share)
    assert torch.equal(mixed[0], others[0]) and torch.equal(mixed[3], images[3])


def test_cutmix_pastes_a_clipped_box() -> None:
    images, others = torch.zeros(3, 3, 32, 20), torch.ones(3, 3, 32, 20)
    draws = torch.tensor([[0.75, 0.5, 0.5], [0.75, 0.0, 0.99], [0.0, 0.5, 0.5]])
    mixed, share = CutMix().apply(images, others, draws)
    expected = torch.zeros(3, 32, 20)
    expected[0, 8:24, 5:15] = 1  # half of each side, around the center
    expected[1, :8, 14:] = 1  # clipped
    expected[2] = 1
    assert torch.equal(mixed, expected[:, None].expand(-1, 3, -1, -1))
    assert share.tolist() == pytest.approx([0.75, 1 - 48 / 640, 0.0])


@pytest.mark.parametrize("mixing", BOTH, ids=repr)
@pytest.mark.parametrize("count", [0, 1])
def test_none_and_one(mixing: Mixing, count: int) -> None:
    images = torch.randn(count, 3, 8, 8)
    mixed, share = mixing.apply(images, images, mixing.draw(count, generator(0)))
    torch.testing.assert_close(mixed, images)
    assert share.shape == (count,)


@pytest.mark.parametrize("mixing", BOTH, ids=repr)
def test_draws_belong_to_images(mixing: Mixing) -> None:
    images, others = torch.randn(50, 3, 8, 8), torch.randn(50, 3, 8, 8)
    draws = mixing.draw(50, generator(0))
    whole, shares = mixing.apply(images, others, draws)
    order = torch.randperm(50, generator=torch.Generator().manual_seed(0))
    for rows in order.split(7):
        mixed, share = mixing.apply(images[rows], others[rows], draws[rows])
        assert torch.equal(mixed, whole[rows]) and torch.equal(share, shares[rows])


def test_labels_keep_their_mass() -> None:
    randomness = torch.Generator().manual_seed(0)
    labels, others = (torch.randint(0, 10, (1000,), generator=randomness) for _ in range(2))
    share = torch.rand(1000, generator=randomness)
    mixed = mixed_labels(labels, others, share, 10)
    assert mixed.dtype is torch.float32
    assert (mixed.sum(1) - 1).abs().max() < 1e-6
    assert (mixed >= 0).all()
    rows, same = torch.arange(1000), labels == others
    assert torch.equal(mixed[rows, labels] == 1, same)
    torch.testing.assert_close(mixed[rows, labels][~same], share[~same])
    torch.testing.assert_close(mixed[rows, others][~same], 1 - share[~same])
    assert ((mixed > 0).sum(1) == 2 - same.long()).all()


def test_a_share_of_1_is_the_plain_label() -> None:
    mixed = mixed_labels(torch.tensor([2, 0]), torch.tensor([1, 1]), torch.tensor([1.0, 0.0]), 3)
    assert mixed.tolist() == [[0, 0, 1], [0, 1, 0]]
    none = torch.zeros(0)
    assert mixed_labels(none.long(), none.long(), none, 3).shape == (0, 3)


@pytest.mark.parametrize("mixing", [*BOTH, Mixup(0.3, 0.2)], ids=repr)
def test_configs_survive_json(mixing: Mixing) -> None:
    assert from_json(Mixing, to_json(mixing)) == mixing


@pytest.mark.parametrize(
    "make",
    [
        lambda: Mixup(0.0),
        lambda: Mixup(math.nan),
        lambda: Mixup(math.inf),
        lambda: Mixup(1.0, 1.5),
        lambda: CutMix(-1.0),
        lambda: CutMix(1.0, -0.1),
    ],
)
def test_values_that_make_no_sense_are_refused(make: Callable[[], Mixing]) -> None:
    with pytest.raises(UserError, match=r"^(Mixup|CutMix): (alpha|probability) must"):
        make()
