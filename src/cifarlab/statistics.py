"""Intervals and tests for what is measured on a limited number of images, or with a few seeds.

scipy does the arithmetic. All intervals have a confidence of 95 %. Equal values have no spread: their
intervals are points, and a test of equal differences says nothing.
"""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from scipy.stats import binomtest, norm
from scipy.stats import t as student

_UPPER = 0.975
"""The quantile that leaves 2.5 % on each side."""
_LEVEL = 0.05


def accuracy_interval(correct: int, images: int) -> tuple[float, float]:
    """The 95 % Wilson interval of an accuracy, as fractions.

    It covers the choice of the test images alone, not the seed of the training.
    """
    interval = binomtest(correct, images).proportion_ci(confidence_level=0.95, method="wilson")
    return float(interval.low), float(interval.high)


def mean_interval(values: Sequence[float]) -> tuple[float, float]:
    """The t interval of the mean of at least two values."""
    mean, deviation, quantile = _spread(values)
    half = quantile * deviation / math.sqrt(len(values))
    return mean - half, mean + half


def prediction_interval(values: Sequence[float]) -> tuple[float, float]:
    """Where one more value lies with 95 %: m ± t · s · √(1 + 1/k), from k ≥ 2 values.

    A published number is one such value, if ours are made in the same way (Hahn and Meeker 1991, chapter 4).
    """
    mean, deviation, quantile = _spread(values)
    half = quantile * deviation * math.sqrt(1 + 1 / len(values))
    return mean - half, mean + half


def paired_t(first: Sequence[float], second: Sequence[float]) -> tuple[tuple[float, float], float] | None:
    """The 95 % interval of the mean of ``first − second``, value by value, and the two-sided p of the t test.

    At least two pairs. None where all differences are alike: without spread nothing can be said of others.
    """
    differences = [a - b for a, b in zip(first, second, strict=True)]
    mean, deviation, _ = _spread(differences)
    error = deviation / math.sqrt(len(differences))
    # Differences of equal accuracies carry rounding errors of floats, which are no spread.
    if error <= 1e-12:
        return None
    p = 2 * float(student.sf(abs(mean) / error, len(differences) - 1))
    return mean_interval(differences), p


def mcnemar(only_first: int, only_second: int) -> float:
    """The two-sided p of McNemar's exact test.

    Args:
        only_first: images that the first network alone classifies right.
        only_second: images that the second alone classifies right; all others say nothing about which is
            better. Without any such image p is 1.
    """
    discordant = only_first + only_second
    return float(binomtest(only_first, discordant).pvalue) if discordant else 1.0


def most_discordant(difference: int) -> int:
    """With how many discordant images at most McNemar's test tells two networks apart (p < 0.05).

    ``difference`` is that of their numbers of right answers. 0 if no number is small enough.
    """
    if difference < 1 or mcnemar(difference, 0) >= _LEVEL:
        return 0
    # p grows with the number of images that cancel out; find the last number with a small p by halving.
    low, high = 0, 1
    while mcnemar(difference + high, high) < _LEVEL:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if mcnemar(difference + middle, middle) < _LEVEL else (low, middle)
    return difference + 2 * low


def two_proportions(first: int, first_images: int, second: int, second_images: int) -> float:
    """The two-sided p of equal accuracies: ``first`` right answers of so many, and ``second``.

    The pooled z test takes the two as independent. Two networks on the same images are not, and a paired
    test sees more; this one needs no more than the two accuracies.
    """
    pooled = (first + second) / (first_images + second_images)
    error = math.sqrt(pooled * (1 - pooled) * (1 / first_images + 1 / second_images))
    difference = abs(first / first_images - second / second_images)
    return 2 * float(norm.sf(difference / error)) if error else 1.0


def holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """p values corrected for their number (Holm 1979), in the order given.

    Calling what stays below 0.05 a difference errs in a whole family of tests with at most 5 %.
    """
    order = sorted(range(len(p_values)), key=lambda place: p_values[place])
    corrected = [0.0] * len(p_values)
    highest = 0.0
    for rank, place in enumerate(order):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[place]))
        corrected[place] = highest
    return tuple(corrected)


@dataclass(frozen=True)
class Discordance:
    """On how many of the same images two networks differ in being right."""

    only_first: int
    only_second: int
    images: int

    @property
    def p(self) -> float:
        """Of McNemar's exact test."""
        return mcnemar(self.only_first, self.only_second)


def _spread(values: Sequence[float]) -> tuple[float, float, float]:
    """Mean, sample standard deviation, and t's quantile for a 95 % interval."""
    if len(values) < 2:
        raise ValueError("one value has no spread")
    quantile = float(student.ppf(_UPPER, len(values) - 1))
    return statistics.fmean(values), statistics.stdev(values), quantile
