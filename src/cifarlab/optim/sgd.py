"""Stochastic gradient descent."""

from dataclasses import dataclass

import torch
from torch import nn

from cifarlab.errors import UserError
from cifarlab.optim.groups import Decayed, decay_groups, require_not_negative


@dataclass(frozen=True)
class Sgd:
    """Stochastic gradient descent; momentum and Nesterov as in torch (Sutskever et al. 2013, reworded)."""

    lr: float = 0.1
    momentum: float = 0.9
    """0 is plain gradient descent."""
    nesterov: bool = False
    weight_decay: float = 0.0
    """L2 penalty added to the gradient."""
    decayed: Decayed = "all"

    def __post_init__(self) -> None:
        require_not_negative(self, "lr", "momentum", "weight_decay")
        if self.nesterov and self.momentum == 0:
            raise UserError("Sgd: Nesterov's step needs a momentum above 0")

    def build(self, network: nn.Module) -> torch.optim.Optimizer:
        """torch's SGD, one fused kernel per step."""
        groups = decay_groups(network, self.weight_decay, self.decayed)
        return torch.optim.SGD(groups, self.lr, self.momentum, nesterov=self.nesterov, fused=True)
