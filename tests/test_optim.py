"""Optimizers against the formulas of their papers, written out in NumPy."""

import math
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from cifarlab.errors import UserError
from cifarlab.optim import Adadelta, Adagrad, Adam, AdamW, Muon, Optimizer, Sgd, keep_rates_on, set_rate

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


def adamw_by_hand(config: AdamW) -> list[Array]:
    """Loshchilov and Hutter 2019, algorithm 2: the decay apart from the gradient, times the rate."""
    weights, mean, square = FIRST.copy(), np.zeros(4), np.zeros(4)
    trace = []
    for t in range(1, STEPS + 1):
        lr, g = rate(config.lr, t - 1), gradient(weights)
        mean = config.beta1 * mean + (1 - config.beta1) * g
        square = config.beta2 * square + (1 - config.beta2) * g**2
        step = (mean / (1 - config.beta1**t)) / (np.sqrt(square / (1 - config.beta2**t)) + config.epsilon)
        weights = weights - lr * step - lr * config.weight_decay * weights
        trace.append(weights)
    return trace


def adagrad_by_hand(config: Adagrad) -> list[Array]:
    """Duchi et al. 2011: divided by the root of the sum of all squares."""
    weights, total = FIRST.copy(), np.zeros(4)
    trace = []
    for step in range(STEPS):
        g = gradient(weights) + config.weight_decay * weights
        total = total + g**2
        weights = weights - rate(config.lr, step) * g / (np.sqrt(total) + config.epsilon)
        trace.append(weights)
    return trace


def adadelta_by_hand(config: Adadelta) -> list[Array]:
    """Zeiler 2012, algorithm 1, its step times the rate."""
    weights, squares, moves = FIRST.copy(), np.zeros(4), np.zeros(4)
    trace = []
    for step in range(STEPS):
        g = gradient(weights) + config.weight_decay * weights
        squares = config.decay * squares + (1 - config.decay) * g**2
        move = np.sqrt(moves + config.epsilon) / np.sqrt(squares + config.epsilon) * g
        moves = config.decay * moves + (1 - config.decay) * move**2
        weights = weights - rate(config.lr, step) * move
        trace.append(weights)
    return trace


class OneLayer(nn.Module):
    """A network whose only parameters are a vector's."""

    def __init__(self) -> None:
        super().__init__()
        self.classifier = nn.Linear(4, 1, bias=False, dtype=torch.float64)
        with torch.no_grad():
            self.classifier.weight.copy_(torch.from_numpy(FIRST.copy())[None])


def torch_trace(config: Optimizer) -> list[Array]:
    network = OneLayer()
    inputs, targets = torch.from_numpy(INPUTS), torch.from_numpy(TARGETS)
    optimizer = config.build(network)
    trace = []
    for step in range(STEPS):
        set_rate(optimizer, rate(config.lr, step))
        (network.classifier(inputs).squeeze(1) - targets).square().mean().backward()
        optimizer.step()
        optimizer.zero_grad()
        trace.append(network.classifier.weight.detach()[0].numpy().copy())
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


@pytest.mark.parametrize(
    ("config", "by_hand"),
    [
        (AdamW(lr=0.05, weight_decay=0.1), adamw_by_hand),
        (AdamW(lr=0.2, beta1=0.5, beta2=0.7, epsilon=0.1, weight_decay=0.0), adamw_by_hand),
        (Adagrad(lr=0.1), adagrad_by_hand),
        (Adagrad(lr=0.1, epsilon=0.1, weight_decay=0.1), adagrad_by_hand),
        (Adadelta(), adadelta_by_hand),
        (Adadelta(lr=0.5, decay=0.7, epsilon=0.01, weight_decay=0.1), adadelta_by_hand),
    ],
    ids=lambda value: value.__name__ if callable(value) else repr(value),
)
def test_adaptive_optimizers_are_their_papers(
    config: Optimizer, by_hand: Callable[[Any], list[Array]]
) -> None:
    # A matrix of one row: AdamW's default decays it.
    for found, expected in zip(torch_trace(config), by_hand(config), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)


def test_adadelta_is_not_what_report_002_prints() -> None:
    """Its table divides by the root of a sum of all squares and squares the gradient on top."""
    weights = FIRST - 1.0 / np.abs(gradient(FIRST)) * gradient(FIRST) ** 2
    assert np.abs(torch_trace(Adadelta())[0] - weights).max() > 0.01


@pytest.mark.parametrize("config", [Adam(), AdamW(), Sgd()], ids=repr)
def test_the_steps_are_fused(config: Optimizer) -> None:
    """Only torch's fused optimizers can skip a step by themselves, on which the guard relies on a GPU."""
    assert all(group["fused"] for group in config.build(OneLayer()).param_groups)


@pytest.mark.parametrize("config", [Adam(), Adagrad(), Adadelta(), AdamW(), Sgd(momentum=0.0)], ids=repr)
def test_weights_alone_decay_where_asked(config: Any) -> None:
    """Biases and BatchNorm's factors stay where they are when their gradient is 0, the others shrink."""
    network = nn.ModuleDict({"classifier": nn.Linear(3, 2), "norm": nn.BatchNorm1d(2)})
    for decayed in ("weights", "all"):
        optimizer = replace(config, lr=0.1, weight_decay=0.5, decayed=decayed).build(network)
        before = {name: value.detach().clone() for name, value in network.named_parameters()}
        for parameter in network.parameters():
            parameter.grad = torch.zeros_like(parameter)
        optimizer.step()
        moved = {name for name, value in network.named_parameters() if not torch.equal(value, before[name])}
        everything = {name for name, value in before.items() if bool(value.any())}
        assert moved == ({"classifier.weight"} if decayed == "weights" else everything)
        assert (
            network.get_parameter("classifier.weight").abs().sum() < before["classifier.weight"].abs().sum()
        )


@pytest.mark.parametrize("config", [Sgd(), Adagrad(), Adadelta(), Adam(), AdamW(), Muon()], ids=repr)
def test_frozen_parameters_are_left_alone(config: Optimizer) -> None:
    network = nn.Sequential(OrderedDict(body=nn.Linear(3, 3), classifier=nn.Linear(3, 2)))
    network.get_submodule("body").requires_grad_(False)
    inside = [id(p) for group in config.build(network).param_groups for p in group["params"]]
    assert sorted(inside) == sorted(id(p) for p in network.get_submodule("classifier").parameters())


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
        (AdamW, {"beta1": 1.0}),
        (AdamW, {"weight_decay": math.nan}),
        (Adagrad, {"lr": -1.0}),
        (Adagrad, {"epsilon": math.inf}),
        (Adadelta, {"decay": 1.0}),
        (Adadelta, {"epsilon": 0.0}),
        (Muon, {"lr": 0.0}),
        (Muon, {"momentum": 1.0}),
        (Muon, {"iterations": 0}),
        (Muon, {"other_lr": math.nan}),
        (Muon, {"bias_lr": -1.0}),
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


@pytest.mark.parametrize(
    "config", [Sgd(), Sgd(nesterov=True, weight_decay=0.1), Adam(), AdamW(), Muon()], ids=repr
)
def test_a_rate_on_the_device_is_read_at_every_step(config: Optimizer) -> None:
    """As a recorded step reads it: the same bits, from the same place in memory."""
    weights = []
    for on_device in (False, True):
        network = OneLayer()
        optimizer = config.build(network)
        if on_device:
            keep_rates_on(torch.device("cpu"), optimizer)
        place = optimizer.param_groups[0]["lr"]
        for step in range(STEPS):
            set_rate(optimizer, rate(config.lr, step))
            network.classifier(torch.from_numpy(INPUTS)).square().mean().backward()
            optimizer.step()
            optimizer.zero_grad()
        assert not on_device or optimizer.param_groups[0]["lr"] is place
        weights.append(network.classifier.weight.detach().clone())
    assert torch.equal(*weights)
