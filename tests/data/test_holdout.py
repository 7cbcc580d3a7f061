"""Hold-outs and subsets: disjoint, by class, and the same on every machine."""

import hashlib
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from cifarlab.data.holdout import Counts, Fraction, per_class_subset
from cifarlab.errors import UserError
from data_samples import class_counts

SIZES = (1_560, 3_120, 6_250, 12_500, 25_000, 50_000)


def cifar_like_labels() -> Tensor:
    """50,000 labels, 5,000 of each of 10 classes, in a fixed mixed order."""
    return (torch.arange(50_000) * 7919) % 10


def digest(indices: Tensor) -> str:
    return hashlib.sha256(indices.numpy().astype("<i8").tobytes()).hexdigest()[:16]


def assert_parts_of(labels: Tensor, *parts: Tensor) -> None:
    together = torch.cat(parts)
    assert len(set(together.tolist())) == len(together)
    for part in parts:
        assert part.dtype == torch.int64
        assert torch.equal(part, part.sort().values)
        assert int(part.min()) >= 0
        assert int(part.max()) < len(labels)


@pytest.mark.parametrize(
    ("holdout", "seed", "golden"),
    [
        (Fraction(0.1), 0, ("01cb9de9cf1780be", "38d9459227585011")),
        (Fraction(0.2), 1, ("9191c92b5ec1f461", "8805c7e09dec78a9")),
        (Counts(45_000, 5_000), 0, ("01cb9de9cf1780be", "38d9459227585011")),
        (Counts(10_000, 10_000), 2, ("47ce83ccafe2d398", "2ca885ff9d69c455")),
    ],
)
def test_a_division_is_the_same_on_every_machine(
    holdout: Fraction | Counts, seed: int, golden: tuple[str, str]
) -> None:
    train, validation = holdout.divide(cifar_like_labels(), seed)
    assert (digest(train), digest(validation)) == golden


def test_a_division_has_equal_shares_of_equal_classes() -> None:
    labels = cifar_like_labels()
    train, validation = Counts(20_000, 5_000).divide(labels, seed=3)
    assert_parts_of(labels, train, validation)
    assert class_counts(labels[train], 10) == [2_000] * 10
    assert class_counts(labels[validation], 10) == [500] * 10


@given(
    counts=st.lists(st.integers(8, 60), min_size=2, max_size=6),
    fraction=st.floats(0.15, 0.5),
    seed=st.integers(0, 2**32 - 1),
)
@settings(max_examples=100, deadline=None)
def test_a_fraction_of_unequal_classes_is_taken_of_each(
    counts: list[int], fraction: float, seed: int
) -> None:
    labels = torch.repeat_interleave(torch.arange(len(counts)), torch.tensor(counts))
    train, validation = Fraction(fraction).divide(labels, seed)
    assert_parts_of(labels, train, validation)
    assert len(train) + len(validation) == len(labels)
    assert len(validation) == round(len(labels) * fraction)
    for count, held_out in zip(counts, class_counts(labels[validation], len(counts)), strict=True):
        assert math.floor(count * fraction) - 1 <= held_out <= math.ceil(count * fraction) + 1


def test_seeds_differ() -> None:
    labels = cifar_like_labels()
    assert not torch.equal(Fraction().divide(labels, 0)[1], Fraction().divide(labels, 1)[1])
    assert not torch.equal(per_class_subset(labels, 1_560, 0), per_class_subset(labels, 1_560, 1))


def test_subsets_are_nested_and_equal_per_class() -> None:
    labels = cifar_like_labels()
    smaller: set[int] = set()
    for size in SIZES:
        subset = per_class_subset(labels, size, seed=0)
        assert_parts_of(labels, subset)
        assert class_counts(labels[subset], 10) == [size // 10] * 10
        assert smaller < set(subset.tolist())
        smaller = set(subset.tolist())


def test_subsets_are_the_same_on_every_machine() -> None:
    labels = cifar_like_labels()
    assert [digest(per_class_subset(labels, size, seed=0)) for size in SIZES] == [
        "1acb0088130a0b18",
        "aca320bec09f777a",
        "2d18a69a4f2c0d39",
        "88e27e3645fdb55e",
        "81bd64cf96334386",
        "33236cc6bd19fa6b",
    ]


LABELS = torch.arange(100) % 10


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Fraction(0.0), "fraction: 0.0"),
        (lambda: Fraction(0.51), "fraction: 0.51"),
        (lambda: Fraction(float("nan")), "fraction: nan"),
        (lambda: Counts(0, 5), "at least 1"),
        (lambda: Counts(91, 10).divide(LABELS, 0), "more than the 100 of the training set"),
        (lambda: Counts(50, 9).divide(LABELS, 0), "too few for 10 classes"),
        (lambda: Fraction().divide(LABELS, -1), "seed: -1"),
        (lambda: Fraction().divide(torch.tensor([0] * 50 + [1]), 0), "class 1 has one image"),
        (lambda: Counts(46, 6).divide(torch.tensor([0] * 50 + [1] * 2), 0), "class 1 has 2 images, too few"),
        (lambda: per_class_subset(LABELS, 55, 0), "cannot be equal over 10 classes"),
        (lambda: per_class_subset(LABELS, 0, 0), "a subset of 0 images is none; ask for at least 10"),
        (lambda: per_class_subset(LABELS, 110, 0), "ask for at most 100"),
        (lambda: per_class_subset(LABELS, 10, 2**32), "seed"),
    ],
)
def test_what_cannot_be_divided_is_one_line(call: object, message: str) -> None:
    assert callable(call)
    with pytest.raises(UserError, match=message) as caught:
        call()
    assert str(caught.value).isprintable()


@given(
    sizes=st.lists(st.integers(2, 60), min_size=2, max_size=12),
    fraction=st.floats(0.01, 0.5),
    seed=st.integers(0, 20),
)
def test_a_fraction_leaves_every_class_in_both_parts(sizes: list[int], fraction: float, seed: int) -> None:
    labels = torch.cat([torch.full((size,), label) for label, size in enumerate(sizes)])
    train, validation = Fraction(fraction).divide(labels, seed)
    assert_parts_of(labels, train, validation)
    assert len(train) + len(validation) == len(labels)
    for part in (train, validation):
        assert set(labels[part].tolist()) == set(range(len(sizes)))
    wanted = max(round(len(labels) * fraction), len(sizes))
    assert abs(len(validation) - wanted) <= len(sizes)


def test_a_thousand_to_one_can_be_divided() -> None:
    labels = torch.tensor([0] * 2000 + [1] * 2)
    train, validation = Fraction(0.1).divide(labels, 0)
    assert class_counts(labels[train], 2)[1] == class_counts(labels[validation], 2)[1] == 1
