"""Intervals for what is measured on a limited number of images."""

from scipy.stats import binomtest


def accuracy_interval(correct: int, images: int) -> tuple[float, float]:
    """The 95 % Wilson interval of an accuracy, as fractions.

    It covers the choice of the test images alone, not the seed of the training.
    """
    interval = binomtest(correct, images).proportion_ci(confidence_level=0.95, method="wilson")
    return float(interval.low), float(interval.high)
