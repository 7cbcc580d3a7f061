"""Intervals and tests against scipy's own, textbook figures and brute force."""

import itertools
import math
import warnings

import pytest
from scipy import stats

from cifarlab.statistics import (
    accuracy_interval,
    holm,
    mcnemar,
    mean_interval,
    most_discordant,
    paired_t,
    prediction_interval,
    two_proportions,
)

VALUES = (0.931, 0.937, 0.934, 0.9365)


def test_wilson_s_interval() -> None:
    # Newcombe 1998, table I: 81 of 263 gives 0.2553 to 0.3662.
    assert accuracy_interval(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)


def test_the_mean_s_interval_is_scipy_s() -> None:
    expected = stats.ttest_1samp(VALUES, 0.0).confidence_interval(0.95)
    assert mean_interval(VALUES) == pytest.approx((expected.low, expected.high), rel=1e-12)


def test_the_prediction_interval_of_a_table() -> None:
    # Hand: n = 3, mean 2, s = 1, t = 4.302653 at two degrees of freedom, sqrt(4/3) = 1.154701.
    low, high = prediction_interval([1.0, 2.0, 3.0])
    assert (low, high) == pytest.approx((2 - 4.968276, 2 + 4.968276), abs=1e-6)


def test_equal_values_make_points() -> None:
    assert mean_interval([0.5, 0.5, 0.5]) == (0.5, 0.5)
    assert prediction_interval([0.5, 0.5]) == (0.5, 0.5)


@pytest.mark.parametrize("interval", [mean_interval, prediction_interval])
def test_one_value_has_no_interval(interval: object) -> None:
    with pytest.raises(ValueError, match="spread"):
        interval([0.5])  # type: ignore[operator]


def test_paired_t_is_scipy_s() -> None:
    other = (0.930, 0.9311, 0.9352, 0.932)
    found = paired_t(VALUES, other)
    assert found is not None
    interval, p = found
    expected = stats.ttest_rel(VALUES, other)
    bounds = expected.confidence_interval(0.95)
    assert p == pytest.approx(expected.pvalue, rel=1e-9)
    assert interval == pytest.approx((bounds.low, bounds.high), rel=1e-9)


def test_paired_t_turns_round_with_its_arguments() -> None:
    other = (0.930, 0.9311, 0.9352, 0.932)
    found, turned = paired_t(VALUES, other), paired_t(other, VALUES)
    assert found is not None and turned is not None
    (low, high), p = found
    (other_low, other_high), other_p = turned
    assert p == pytest.approx(other_p)
    assert (other_low, other_high) == pytest.approx((-high, -low))


def test_equal_differences_say_nothing() -> None:
    """0.3 − 0.2 and 0.2 − 0.1 differ as floats, and that is no spread."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert paired_t(VALUES, VALUES) is None
        assert paired_t([0.3, 0.2, 0.9], [0.2, 0.1, 0.8]) is None


def test_pairs_must_match() -> None:
    with pytest.raises(ValueError, match="argument 2"):
        paired_t([1.0, 2.0], [1.0, 2.0, 3.0])


def test_mcnemar_against_the_sum_of_a_fair_coin() -> None:
    for first, second in itertools.product(range(9), repeat=2):
        n, k = first + second, min(first, second)
        tail = sum(math.comb(n, i) for i in range(k + 1)) / 2**n
        assert mcnemar(first, second) == pytest.approx(min(1.0, 2 * tail)), (first, second)


@pytest.mark.parametrize("difference", [0, 1, 5, 6, 7, 20, 33])
def test_most_discordant_is_the_last_that_differs(difference: int) -> None:
    found = most_discordant(difference)
    by_trial = 0
    for cancelled in range(200):
        if difference and mcnemar(difference + cancelled, cancelled) < 0.05:
            by_trial = difference + 2 * cancelled
    assert found == by_trial


def test_most_discordant_is_quick_for_large_sets() -> None:
    assert most_discordant(100_000) > 10**9


def test_two_proportions_is_the_chi_square_test() -> None:
    table = [[950, 50], [1880, 120]]
    expected = stats.chi2_contingency(table, correction=False).pvalue
    assert two_proportions(950, 1000, 1880, 2000) == pytest.approx(expected, rel=1e-9)
    assert two_proportions(10, 10, 20, 20) == 1.0


def test_holm_on_an_example() -> None:
    # Holm 1979: 0.01·4, max(0.04, 0.02·3), max(0.06, 0.03·2), max(0.06, 0.04·1).
    assert holm([0.04, 0.01, 0.03, 0.02]) == pytest.approx((0.06, 0.04, 0.06, 0.06))
    assert holm([0.9, 0.8]) == (1.0, 1.0)
    assert holm([]) == ()


def test_holm_keeps_order_and_lies_between_the_raw_and_bonferroni_s() -> None:
    raw = [0.2, 0.001, 0.04, 0.0004, 0.011]
    found = holm(raw)
    assert sorted(range(5), key=lambda i: raw[i]) == sorted(range(5), key=lambda i: found[i])
    assert all(p <= c <= min(1.0, 5 * p) for p, c in zip(raw, found, strict=True))
    assert min(found) == pytest.approx(5 * min(raw))
