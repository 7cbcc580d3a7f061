"""Making a network as sure as it should be: temperature scaling."""

import math
from dataclasses import dataclass

from scipy.optimize import minimize_scalar
from torch import Tensor

from cifarlab.metrics import calibration, mean_loss

LOWEST, HIGHEST = 0.05, 20.0
"""Temperatures that are tried. A network that is always right would be made surer without end."""


@dataclass(frozen=True)
class Temperature:
    """A temperature, and what it does to images that it was not fitted on."""

    value: float
    fitted_on: int
    """Images."""
    error_before: float
    """Expected calibration error, see ``metrics.calibration``."""
    error_after: float
    loss_before: float
    """Mean cross-entropy."""
    loss_after: float


def fit_temperature(logits: Tensor, labels: Tensor) -> float:
    """The temperature T that makes the mean cross-entropy of ``logits / T`` smallest.

    Source: Guo et al. 2017, "On Calibration of Modern Neural Networks" (arXiv 1706.04599), section 4.2. The
    loss is convex in 1 / T. No class changes: above 1 the network becomes less sure, below 1 surer.

    Args:
        logits: float ``[N, K]``, of images that the network was not trained on.
        labels: int64 ``[N]``.
    """
    found = minimize_scalar(
        lambda exponent: mean_loss(logits.double() / math.exp(exponent), labels),
        bounds=(math.log(LOWEST), math.log(HIGHEST)),
        method="bounded",
        options={"xatol": 1e-6},
    )
    return math.exp(float(found.x))


def temperature_scaling(held_out: tuple[Tensor, Tensor], judged: tuple[Tensor, Tensor]) -> Temperature:
    """Fit a temperature on one set and judge it on another, both given as (logits, labels)."""
    value = fit_temperature(*held_out)
    logits, labels = judged
    scaled = logits.double() / value
    return Temperature(
        value,
        len(held_out[1]),
        calibration(logits, labels)[0],
        calibration(scaled, labels)[0],
        mean_loss(logits, labels),
        mean_loss(scaled, labels),
    )
