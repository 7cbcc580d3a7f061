"""Penalties on the size of parameters, as terms of the loss; weight decay belongs to the optimizer.

Their gradients are simple enough to be added directly, which saves a walk through autograd at every step.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from cifarlab.errors import UserError

Penalized = Literal["all", "weights", "classifier"]
"""Which parameters: all; those of two and more dimensions; or the weight of the last dense layer."""


@dataclass(frozen=True)
class L1Penalty:
    """``strength`` times the sum of absolute values (report 002, section 2.1.4)."""

    strength: float = 1e-4
    on: Penalized = "weights"

    def __post_init__(self) -> None:
        _check(self)

    def value(self, network: nn.Module) -> Tensor:
        """The penalty, a scalar."""
        return (
            self.strength
            * torch.stack(
                [parameter.detach().abs().sum() for parameter in _penalized(network, self.on)]
            ).sum()
        )

    def add_gradients(self, network: nn.Module) -> None:
        """Add ``strength`` · sign to the gradients that are there."""
        for parameter in _penalized(network, self.on):
            if parameter.grad is not None:
                parameter.grad.add_(parameter.detach().sign(), alpha=self.strength)


@dataclass(frozen=True)
class L2Penalty:
    """``strength`` times the sum of squares, as Keras, report 001's framework, has it.

    Its gradient is 2 · strength · weight: half the strength does what a weight decay does in SGD.
    """

    strength: float = 1e-3
    on: Penalized = "weights"

    def __post_init__(self) -> None:
        _check(self)

    def value(self, network: nn.Module) -> Tensor:
        """The penalty, a scalar."""
        return (
            self.strength
            * torch.stack(
                [parameter.detach().square().sum() for parameter in _penalized(network, self.on)]
            ).sum()
        )

    def add_gradients(self, network: nn.Module) -> None:
        """Add 2 · ``strength`` · weight to the gradients that are there."""
        for parameter in _penalized(network, self.on):
            if parameter.grad is not None:
                parameter.grad.add_(parameter.detach(), alpha=2 * self.strength)


Penalty = L1Penalty | L2Penalty


def _penalized(network: nn.Module, on: Penalized) -> list[nn.Parameter]:
    if on == "classifier":
        return [network.get_parameter("classifier.weight")]  # it is trained in every run
    trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
    return trained if on == "all" else [parameter for parameter in trained if parameter.dim() > 1]


def _check(penalty: L1Penalty | L2Penalty) -> None:
    if not 0 <= penalty.strength <= 1e6:
        raise UserError(
            f"{type(penalty).__name__}: strength must be a number in 0 … 1,000,000, found {penalty.strength}"
        )
