"""Muon: momentum whose matrices are made orthogonal before the step.

Jordan et al. 2024, "Muon: an optimizer for hidden layers in neural networks". torch's own Muon takes matrices
only; the filters of a convolution are matrices here, one row per output channel.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from cifarlab.errors import UserError
from cifarlab.optim.groups import require_not_negative, require_share

_COEFFICIENTS = (3.4445, -4.7750, 2.0315)
"""Of the quintic that pulls every singular value towards 1 (chosen there for speed, not for a limit of 1)."""


def orthogonalized(matrices: Tensor, iterations: int) -> Tensor:
    """About U·Vᵀ of each matrix's singular value decomposition U·S·Vᵀ, by Newton and Schulz's iteration.

    Singular values end between about 0.7 and 1.2 rather than at 1, which does as well (same source).

    Args:
        matrices: ``[..., rows, columns]``; computed in bf16 on CUDA, in fp32 elsewhere.
        iterations: 5 are usual.
    """
    a, b, c = _COEFFICIENTS
    work = matrices.bfloat16() if matrices.is_cuda else matrices.float()
    tall = work.shape[-2] > work.shape[-1]
    if tall:
        work = work.mT
    work = work / (work.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    for _ in range(iterations):
        gram = work @ work.mT
        work = a * work + (b * gram + c * gram @ gram) @ work
    result: Tensor = work.mT if tall else work
    return result.to(matrices.dtype)


class MuonOptimizer(torch.optim.Optimizer):
    """Steps of groups that say ``orthogonal``, and Nesterov's momentum for the others.

    Args:
        groups: each with ``params``, ``orthogonal``, ``momentum``, ``iterations``, ``weight_decay`` and
            ``lr_ratio``.
        lr: the first rate.
    """

    def __init__(self, groups: list[dict[str, Any]], lr: float) -> None:
        super().__init__(groups, {"lr": lr})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """One step of all groups; parameters without a gradient stay."""
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._step(parameter, group)

    def _step(self, parameter: Tensor, group: dict[str, Any]) -> None:
        state, gradient = self.state[parameter], parameter.grad
        if not state:
            state["momentum_buffer"] = torch.zeros_like(parameter)
        velocity = state["momentum_buffer"].mul_(group["momentum"]).add_(gradient)
        move = gradient + group["momentum"] * velocity
        if group["orthogonal"]:
            rows = move.flatten(1)
            shape_factor = math.sqrt(max(1.0, rows.shape[0] / rows.shape[1]))
            move = (orthogonalized(rows, group["iterations"]) * shape_factor).view_as(parameter)
        parameter.mul_(1 - group["lr"] * group["weight_decay"]).add_(move, alpha=-group["lr"])


@dataclass(frozen=True)
class Muon:
    """Muon for the weights of hidden layers; Nesterov's SGD for all else.

    All else is biases, BatchNorm's factors, the convolution on the pixels and the classifier, as the source
    advises.
    """

    lr: float = 0.02
    momentum: float = 0.95
    iterations: int = 5
    weight_decay: float = 0.0
    """Decoupled: each step takes lr · weight_decay of a weight away from it; biases and factors stay."""
    other_lr: float = 0.05
    """The base rate of all else."""
    other_momentum: float = 0.9

    def __post_init__(self) -> None:
        require_not_negative(self, "lr", "weight_decay", "other_lr")
        require_share(self, "momentum", "other_momentum")
        if self.lr == 0:
            raise UserError("Muon: lr must be above 0; other_lr is given as a ratio to it")
        if self.iterations < 1:
            raise UserError(f"Muon: iterations must be at least 1, found {self.iterations}")

    def build(self, network: nn.Module) -> torch.optim.Optimizer:
        """The optimizer of both kinds of groups."""
        hidden, weights, rest = [], [], []
        classifier = {id(parameter) for parameter in network.get_submodule("classifier").parameters()}
        for parameter in network.parameters():
            if not parameter.requires_grad:
                continue
            if parameter.dim() < 2:
                rest.append(parameter)
            elif id(parameter) in classifier or parameter.shape[1] == 3:
                weights.append(parameter)
            else:
                hidden.append(parameter)
        other = {"orthogonal": False, "momentum": self.other_momentum, "lr_ratio": self.other_lr / self.lr}
        # Decay is lr · weight_decay; the ratio takes out that the others' rate is another one.
        decay = self.weight_decay * self.lr / self.other_lr if self.other_lr > 0 else 0.0
        groups: list[dict[str, Any]] = [
            {
                "params": hidden,
                "orthogonal": True,
                "momentum": self.momentum,
                "iterations": self.iterations,
                "weight_decay": self.weight_decay,
                "lr_ratio": 1.0,
            },
            {"params": weights, "weight_decay": decay, **other},
            {"params": rest, "weight_decay": 0.0, **other},
        ]
        return MuonOptimizer([group for group in groups if group["params"]], self.lr)
