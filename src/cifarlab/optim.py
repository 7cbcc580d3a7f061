"""Optimizers as values; torch's fused implementations do the steps."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import nn

from cifarlab.errors import UserError


@dataclass(frozen=True)
class Adam:
    """Adam (Kingma and Ba 2015), the standard formula with ε outside the root."""

    lr: float = 0.001
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8
    weight_decay: float = 0.0
    """L2 penalty added to the gradient, as in the paper; not AdamW's decoupled decay."""

    def __post_init__(self) -> None:
        for name in ("lr", "epsilon", "weight_decay"):
            _require_not_negative("Adam", name, getattr(self, name))
        if not (0 <= self.beta1 < 1 and 0 <= self.beta2 < 1):
            raise UserError("Adam: beta1 and beta2 must lie in 0 … 1, below 1")

    def build(self, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        """torch's Adam, one fused kernel per step."""
        betas = (self.beta1, self.beta2)
        return torch.optim.Adam(
            parameters, self.lr, betas, self.epsilon, weight_decay=self.weight_decay, fused=True
        )


@dataclass(frozen=True)
class Sgd:
    """Stochastic gradient descent; momentum and Nesterov as in torch (Sutskever et al. 2013, reworded)."""

    lr: float = 0.1
    momentum: float = 0.9
    nesterov: bool = False
    weight_decay: float = 0.0
    """L2 penalty added to the gradient."""

    def __post_init__(self) -> None:
        for name in ("lr", "momentum", "weight_decay"):
            _require_not_negative("Sgd", name, getattr(self, name))
        if self.nesterov and self.momentum == 0:
            raise UserError("Sgd: Nesterov's step needs a momentum above 0")

    def build(self, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        """torch's SGD, one fused kernel per step."""
        return torch.optim.SGD(
            parameters,
            self.lr,
            self.momentum,
            weight_decay=self.weight_decay,
            nesterov=self.nesterov,
            fused=True,
        )


Optimizer = Adam | Sgd


def _require_not_negative(optimizer: str, name: str, value: float) -> None:
    if not (value >= 0 and math.isfinite(value)):
        raise UserError(f"{optimizer}: {name} must be a finite number from 0, found {value}")
