"""Optimizers as values: ``build`` gives a torch optimizer over what a network lets be trained.

The rate of a parameter group is the run's rate times the group's ``lr_ratio``; see ``set_rate``.
"""

import torch

from cifarlab.optim.adaptive import Adadelta, Adagrad, Adam, AdamW
from cifarlab.optim.muon import Muon
from cifarlab.optim.sgd import Sgd

Optimizer = Sgd | Adagrad | Adadelta | Adam | AdamW | Muon
"""The union is the registry."""


def set_rate(optimizer: torch.optim.Optimizer, lr: float) -> None:
    """Give every group its part of the rate ``lr``."""
    for group in optimizer.param_groups:
        group["lr"] = lr * group["lr_ratio"]


__all__ = ["Adadelta", "Adagrad", "Adam", "AdamW", "Muon", "Optimizer", "Sgd", "set_rate"]
