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


def orthogonal_moves(moves: list[Tensor], iterations: int) -> list[Tensor]:
    """Each move, one row per output channel, made orthogonal; equal shapes are computed together."""
    places: dict[tuple[int, int], list[int]] = {}
    for place, move in enumerate(moves):
        places.setdefault((len(move), move[0].numel()), []).append(place)
    result = list(moves)
    for (rows, columns), members in places.items():
        together = torch.stack([moves[place].flatten(1) for place in members])
        together = orthogonalized(together, iterations) * math.sqrt(max(1.0, rows / columns))
        for place, matrix in zip(members, together, strict=True):
            result[place] = matrix.view_as(moves[place])
    return result


class MuonOptimizer(torch.optim.Optimizer):
    """Steps of groups that say ``orthogonal``, and Nesterov's momentum for the others.

    As in torch's fused optimizers, weights stay where they are while ``found_inf`` is 1.

    Args:
        groups: each with ``params``, ``orthogonal``, ``momentum``, ``iterations``, ``weight_decay`` and
            ``lr_ratio``.
        lr: the first rate.
    """

    honors_found_inf = True
    found_inf: Tensor | None = None
    """A scalar, 0 or 1; set by the guard."""

    def __init__(self, groups: list[dict[str, Any]], lr: float) -> None:
        super().__init__(groups, {"lr": lr})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """One step of all groups; parameters without a gradient stay."""
        for group in self.param_groups:
            parameters = [parameter for parameter in group["params"] if parameter.grad is not None]
            moves = [self._nesterov(parameter, group["momentum"]) for parameter in parameters]
            if group["orthogonal"]:
                moves = orthogonal_moves(moves, group["iterations"])
            for parameter, move in zip(parameters, moves, strict=True):
                change = move + group["weight_decay"] * parameter
                if self.found_inf is not None:
                    change = change * (1 - self.found_inf)
                parameter.add_(change, alpha=-group["lr"])

    def _nesterov(self, parameter: Tensor, momentum: float) -> Tensor:
        """Nesterov's move; the velocity is kept."""
        state, gradient = self.state[parameter], parameter.grad
        assert gradient is not None
        if not state:
            state["momentum_buffer"] = torch.zeros_like(parameter)
        velocity: Tensor = state["momentum_buffer"]
        faster = momentum * velocity + gradient
        if self.found_inf is not None:
            gradient = torch.where(self.found_inf > 0, 0.0, gradient)
            faster = torch.where(self.found_inf > 0, velocity, faster)
        velocity.copy_(faster)
        return gradient + momentum * velocity


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
        on_pixels = next((id(parameter) for parameter in network.parameters() if parameter.dim() == 4), None)
        for parameter in network.parameters():
            if not parameter.requires_grad:
                continue
            if parameter.dim() < 2:
                rest.append(parameter)
            elif id(parameter) in classifier or id(parameter) == on_pixels:
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
