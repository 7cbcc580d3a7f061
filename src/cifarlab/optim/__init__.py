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
    """Give every group its part of the rate ``lr``; a rate that is a tensor keeps its place in memory.

    A rate above all numbers of float32 is the largest of them: torch refuses it else, and it ends the run as
    diverged anyway.
    """
    for group in optimizer.param_groups:
        rate = min(lr * group["lr_ratio"], torch.finfo(torch.float32).max)
        if isinstance(group["lr"], torch.Tensor):
            group["lr"].fill_(rate)
        else:
            group["lr"] = rate


def keep_rates_on(device: torch.device, optimizer: torch.optim.Optimizer) -> None:
    """Let the rates be scalars on ``device`` from here on, where a recorded step reads them at every replay.

    torch's fused optimizers and Muon can read them; torch's CUDA kernels take no other dtype than float32.
    """
    dtype = torch.float64 if device.type == "cpu" else torch.float32
    for group in optimizer.param_groups:
        group["lr"] = torch.tensor(group["lr"], dtype=dtype, device=device)


__all__ = [
    "Adadelta",
    "Adagrad",
    "Adam",
    "AdamW",
    "Muon",
    "Optimizer",
    "Sgd",
    "keep_rates_on",
    "set_rate",
]
