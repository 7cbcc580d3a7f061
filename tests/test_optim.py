"""Optimizers against the formulas of their papers, written out in NumPy."""

import math

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from cifarlab.errors import UserError
from cifarlab.optim import Adam, Optimizer, Sgd

STEPS = 20
Array = NDArray[np.float64]

_random = np.random.RandomState(0)
INPUTS, TARGETS = _random.randn(12, 4), _random.randn(12)
FIRST: Array = _random.randn(4)


def gradient(weights: Array) -> Array:
    """Of the mean squared error of a linear model: 2 Xᵀ(Xw − y) / n."""
    return np.asarray(2 * INPUTS.T @ (INPUTS @ weights - TARGETS) / len(TARGETS), dtype=np.float64)


def rate(base: float, step: int) -> float:
    """A rate that changes on the way, as a schedule changes it."""
    return base if step < 12 else base / 10


def adam_by_hand(config: Adam) -> list[Array]:
    """Kingma and Ba 2015, algorithm 1, the L2 penalty added to the gradient."""
    weights, mean, square = FIRST.copy(), np.zeros(4), np.zeros(4)
    trace = []
    for t in range(1, STEPS + 1):
        g = gradient(weights) + config.weight_decay * weights
        mean = config.beta1 * mean + (1 - config.beta1) * g
        square = config.beta2 * square + (1 - config.beta2) * g**2
        corrected = mean / (1 - config.beta1**t), square / (1 - config.beta2**t)
        weights = weights - rate(config.lr, t - 1) * corrected[0] / (np.sqrt(corrected[1]) + config.epsilon)
        trace.append(weights)
    return trace


def sgd_by_hand(config: Sgd) -> list[Array]:
    """Velocity v ← μv + g and w ← w − lr·v, or w ← w − lr·(g + μv) after Nesterov."""
    weights, velocity = FIRST.copy(), np.zeros(4)
    trace = []
    for step in range(STEPS):
        g = gradient(weights) + config.weight_decay * weights
        velocity = config.momentum * velocity + g
        move = g + config.momentum * velocity if config.nesterov else velocity
        weights = weights - rate(config.lr, step) * move
        trace.append(weights)
    return trace


def torch_trace(config: Optimizer) -> list[Array]:
    weights = nn.Parameter(torch.from_numpy(FIRST.copy()))
    inputs, targets = torch.from_numpy(INPUTS), torch.from_numpy(TARGETS)
    optimizer = config.build([weights])
    trace = []
    for step in range(STEPS):
        for group in optimizer.param_groups:
            group["lr"] = rate(config.lr, step)
        (inputs @ weights - targets).square().mean().backward()
        optimizer.step()
        optimizer.zero_grad()
        trace.append(weights.detach().numpy().copy())
    return trace


@pytest.mark.parametrize(
    "config",
    [
        Adam(),
        Adam(lr=0.3),
        Adam(lr=0.05, weight_decay=0.1),
        Adam(lr=0.05, beta1=0.5, beta2=0.7, epsilon=0.1),
        Adam(lr=0.1, beta1=0.0, beta2=0.0),
    ],
    ids=repr,
)
def test_adam_is_the_paper_s(config: Adam) -> None:
    for found, expected in zip(torch_trace(config), adam_by_hand(config), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(
    "config",
    [
        Sgd(lr=0.05),
        Sgd(lr=0.05, momentum=0.0),
        Sgd(lr=0.05, momentum=0.5, nesterov=True),
        Sgd(lr=0.05, momentum=0.9, weight_decay=0.1),
        Sgd(lr=0.05, momentum=0.9, nesterov=True, weight_decay=0.1),
    ],
    ids=repr,
)
def test_sgd_is_the_plain_formula(config: Sgd) -> None:
    for found, expected in zip(torch_trace(config), sgd_by_hand(config), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("config", [Adam(), Sgd()], ids=repr)
def test_the_steps_are_fused(config: Optimizer) -> None:
    """The guard against values that are not finite works through torch's fused optimizers only."""
    optimizer = config.build([nn.Parameter(torch.zeros(1))])
    assert all(group["fused"] for group in optimizer.param_groups)


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        (Adam, {"lr": -0.1}),
        (Adam, {"lr": math.nan}),
        (Adam, {"lr": math.inf}),
        (Adam, {"weight_decay": -1.0}),
        (Adam, {"weight_decay": math.inf}),
        (Adam, {"beta1": 1.0}),
        (Adam, {"beta1": -0.1}),
        (Adam, {"beta2": 1.0}),
        (Adam, {"beta2": math.nan}),
        (Adam, {"epsilon": -1.0}),
        (Adam, {"epsilon": math.nan}),
        (Sgd, {"lr": -0.1}),
        (Sgd, {"lr": math.inf}),
        (Sgd, {"weight_decay": math.nan}),
        (Sgd, {"momentum": -0.1}),
        (Sgd, {"momentum": math.nan}),
        (Sgd, {"momentum": 0.0, "nesterov": True}),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else str(value),
)
def test_bad_values_are_refused_in_one_line(kind: type[Optimizer], values: dict[str, float]) -> None:
    with pytest.raises(UserError) as caught:
        kind(**values)  # type: ignore[arg-type]
    assert str(caught.value).startswith(f"{kind.__name__}: ")
    assert str(caught.value).isprintable()
