"""Penalties: their values, and gradients that autograd gives for the same values."""

import math
from collections import OrderedDict
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from cifarlab.errors import UserError
from cifarlab.penalties import L1Penalty, L2Penalty, Penalized, Penalty

NAMES: dict[Penalized, set[str]] = {
    "all": {"body.weight", "body.bias", "norm.weight", "norm.bias", "classifier.weight", "classifier.bias"},
    "weights": {"body.weight", "classifier.weight"},
    "classifier": {"classifier.weight"},
}


def network_of() -> nn.Module:
    torch.manual_seed(0)
    layers = [("body", nn.Conv2d(3, 4, 3)), ("norm", nn.BatchNorm2d(4)), ("classifier", nn.Linear(4, 2))]
    return nn.Sequential(OrderedDict(layers))


def by_hand(penalty: Penalty, network: nn.Module) -> Tensor:
    power = 1 if isinstance(penalty, L1Penalty) else 2
    chosen = [value for name, value in network.named_parameters() if name in NAMES[penalty.on]]
    return penalty.strength * torch.stack([value.abs().pow(power).sum() for value in chosen]).sum()


@pytest.mark.parametrize("on", NAMES)
@pytest.mark.parametrize("kind", [L1Penalty, L2Penalty])
def test_gradients_are_those_of_the_value(kind: type[L1Penalty | L2Penalty], on: Penalized) -> None:
    network, penalty = network_of(), kind(strength=0.03, on=on)
    torch.testing.assert_close(penalty.value(network), by_hand(penalty, network))
    by_hand(penalty, network).backward()
    expected = {
        name: torch.zeros_like(value) if value.grad is None else value.grad
        for name, value in network.named_parameters()
    }
    for parameter in network.parameters():
        parameter.grad = torch.ones_like(parameter)
    penalty.add_gradients(network)
    for name, value in network.named_parameters():
        torch.testing.assert_close(value.grad, 1 + expected[name])


def test_what_has_no_gradient_gets_none() -> None:
    """A frozen parameter is not moved by a penalty either."""
    network = network_of()
    network.get_submodule("body").requires_grad_(False)
    for penalty in (L1Penalty(on="all"), L2Penalty(on="weights")):
        penalty.add_gradients(network)
        assert all(parameter.grad is None for parameter in network.parameters())
        frozen = sum(value.abs().sum() for value in network.get_submodule("body").parameters())
        assert penalty.value(network) < penalty.strength * (frozen + 100)


@pytest.mark.parametrize(
    "make",
    [lambda: L1Penalty(-1.0), lambda: L1Penalty(math.nan), lambda: L2Penalty(math.inf)],
)
def test_bad_values_are_refused_in_one_line(make: Callable[[], Penalty]) -> None:
    with pytest.raises(UserError, match=r"^L[12]Penalty: strength must be") as caught:
        make()
    assert str(caught.value).isprintable()
