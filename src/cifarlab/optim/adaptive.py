"""Optimizers that scale every parameter's step by what its gradients were; torch does the arithmetic."""

from dataclasses import dataclass

import torch
from torch import nn

from cifarlab.errors import UserError
from cifarlab.optim.groups import Decayed, decay_groups, require_not_negative, require_share


@dataclass(frozen=True)
class Adam:
    """Adam (Kingma and Ba 2015), the standard formula with ε outside the root."""

    lr: float = 0.001
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8
    weight_decay: float = 0.0
    """L2 penalty added to the gradient, as in the paper; not AdamW's decoupled decay."""
    decayed: Decayed = "all"

    def __post_init__(self) -> None:
        require_not_negative(self, "lr", "epsilon", "weight_decay")
        require_share(self, "beta1", "beta2")

    def build(self, network: nn.Module) -> torch.optim.Optimizer:
        """torch's Adam, one fused kernel per step."""
        groups = decay_groups(network, self.weight_decay, self.decayed)
        return torch.optim.Adam(groups, self.lr, (self.beta1, self.beta2), self.epsilon, fused=True)


@dataclass(frozen=True)
class AdamW:
    """Adam with decoupled weight decay (Loshchilov and Hutter 2019)."""

    lr: float = 0.001
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8
    weight_decay: float = 0.01
    """Each step takes lr · weight_decay of a weight away from it."""
    decayed: Decayed = "weights"

    def __post_init__(self) -> None:
        require_not_negative(self, "lr", "epsilon", "weight_decay")
        require_share(self, "beta1", "beta2")

    def build(self, network: nn.Module) -> torch.optim.Optimizer:
        """torch's AdamW, one fused kernel per step."""
        groups = decay_groups(network, self.weight_decay, self.decayed)
        return torch.optim.AdamW(groups, self.lr, (self.beta1, self.beta2), self.epsilon, fused=True)


@dataclass(frozen=True)
class Adagrad:
    """Adagrad (Duchi, Hazan and Singer 2011): a step divided by the root of all squared gradients so far."""

    lr: float = 0.01
    epsilon: float = 1e-10
    weight_decay: float = 0.0
    """L2 penalty added to the gradient."""
    decayed: Decayed = "all"

    def __post_init__(self) -> None:
        require_not_negative(self, "lr", "epsilon", "weight_decay")

    def build(self, network: nn.Module) -> torch.optim.Optimizer:
        """torch's Adagrad."""
        groups = decay_groups(network, self.weight_decay, self.decayed)
        return torch.optim.Adagrad(groups, self.lr, eps=self.epsilon)


@dataclass(frozen=True)
class Adadelta:
    """Adadelta (Zeiler 2012), the paper's formula; report 002 prints another one under this name."""

    lr: float = 1.0
    """A factor of the paper's step; 1 is the paper."""
    decay: float = 0.9
    """ρ, of both running averages."""
    epsilon: float = 1e-6
    weight_decay: float = 0.0
    """L2 penalty added to the gradient."""
    decayed: Decayed = "all"

    def __post_init__(self) -> None:
        require_not_negative(self, "lr", "epsilon", "weight_decay")
        require_share(self, "decay")
        if self.epsilon == 0:
            raise UserError("Adadelta: with an epsilon of 0 no step is ever taken; it must be above 0")

    def build(self, network: nn.Module) -> torch.optim.Optimizer:
        """torch's Adadelta."""
        groups = decay_groups(network, self.weight_decay, self.decayed)
        return torch.optim.Adadelta(groups, self.lr, self.decay, self.epsilon)
