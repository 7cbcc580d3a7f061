"""Class balance by hand."""

import pytest

from cifarlab.audit.balance import balance


def test_equal_classes() -> None:
    found = balance([0, 1, 2, 3] * 5, 4)
    assert found.counts == (5, 5, 5, 5)
    assert (found.ratio, found.majority, found.chance) == (1.0, 0.25, 0.25)
    assert found.effective_classes == pytest.approx(4)
    assert not found.unbalanced


def test_unequal_classes() -> None:
    found = balance([0] * 6 + [1] * 3 + [2], 3)
    assert found.ratio == 6
    assert found.majority == 0.6
    assert found.chance == pytest.approx(0.36 + 0.09 + 0.01)
    assert found.effective_classes == pytest.approx(2.4546, abs=1e-3)
    assert found.unbalanced


def test_an_empty_class_has_no_ratio_and_is_unbalanced() -> None:
    found = balance([0, 0, 1], 3)
    assert found.counts == (2, 1, 0)
    assert found.ratio is None
    assert found.unbalanced


def test_a_small_difference_is_no_warning() -> None:
    assert not balance([0] * 14 + [1] * 10, 2).unbalanced
    assert balance([0] * 15 + [1] * 10, 2).unbalanced
