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
from torch.nn import functional as F

from cifarlab.errors import UserError
from cifarlab.optim.groups import require_not_negative, require_share
from cifarlab.runtime import Precision, effective_precision

Tensors = list[Tensor] | tuple[Tensor, ...]

_COEFFICIENTS = (3.4445, -4.7750, 2.0315)
"""Of the quintic that pulls every singular value towards 1 (chosen there for speed, not for a limit of 1)."""


def orthogonalized(matrices: Tensor, iterations: int, precision: Precision = "auto") -> Tensor:
    """About U·Vᵀ of each matrix's singular value decomposition U·S·Vᵀ, by Newton and Schulz's iteration.

    Singular values end between about 0.7 and 1.2 rather than at 1, which does as well (same source).

    Args:
        matrices: ``[..., rows, columns]``.
        iterations: 5 are usual.
        precision: of the arithmetic; ``auto`` is bf16 on CUDA, fp32 elsewhere.
    """
    in_bf16 = effective_precision(precision, matrices.device) == "bf16"
    work = matrices.bfloat16() if in_bf16 else matrices.float()
    tall = work.shape[-2] > work.shape[-1]
    if tall:
        work = work.mT
    work = work / (work.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    next_of = next_in_fewer_kernels if matrices.is_cuda and work.dim() == 3 else next_of_iteration
    for _ in range(iterations):
        work = next_of(work)
    result: Tensor = work.mT if tall else work
    return result.to(matrices.dtype)


def next_of_iteration(work: Tensor) -> Tensor:
    """a·X + (b·A + c·A·A)·X with A = X·Xᵀ, for each matrix X in ``[..., rows, columns]``."""
    a, b, c = _COEFFICIENTS
    gram = work @ work.mT
    return a * work + (b * gram + c * gram @ gram) @ work


def next_in_fewer_kernels(work: Tensor) -> Tensor:
    """The same for ``[N, rows, columns]``, where launching a kernel takes longer than small sums do."""
    a, b, c = _COEFFICIENTS
    gram = work @ work.mT
    return torch.baddbmm(work, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), work, beta=a)


def orthogonal_moves(moves: Tensors, iterations: int, precision: Precision = "auto") -> Tensors:
    """Each move, one row per output channel, made orthogonal."""
    groups = grouped(moves, padded=moves[0].is_cuda)
    return orthogonalized_together(moves, groups, iterations, precision)


def grouped(moves: Tensors, *, padded: bool) -> list[list[int]]:
    """Which moves are computed together, by their places.

    Args:
        padded: not only those of equal shape, but all of equal rows and as many columns or more, to which
            columns of zeros are added: a GPU adds zeros faster than it begins another batch.
    """
    groups: dict[tuple[int, int], list[int]] = {}
    for place, move in enumerate(moves):
        rows, columns = len(move), move[0].numel()
        groups.setdefault((rows, min(rows, columns) if padded else columns), []).append(place)
    return list(groups.values())


def orthogonalized_together(
    moves: Tensors, groups: list[list[int]], iterations: int, precision: Precision = "auto"
) -> Tensors:
    """Each move made orthogonal, group by group. Columns of zeros change no other column."""
    result = list(moves)
    for places in groups:
        matrices = [moves[place].flatten(1) for place in places]
        widest = max(matrix.shape[1] for matrix in matrices)
        padded = [
            matrix if matrix.shape[1] == widest else F.pad(matrix, (0, widest - matrix.shape[1]))
            for matrix in matrices
        ]
        together = torch.stack(padded)
        scale = math.sqrt(max(1.0, together.shape[1] / widest))
        together = orthogonalized(together, iterations, precision) * scale
        for place, matrix, found in zip(places, matrices, together, strict=True):
            result[place] = found[:, : matrix.shape[1]].reshape(moves[place].shape)
    return result


def move_by(parameters: Tensors, changes: Tensors, rate: float | Tensor) -> None:
    """Subtract ``rate`` times each change; the results are the same bits for a scalar tensor on a CPU."""
    if isinstance(rate, Tensor):
        opposite = -rate
        for parameter, change in zip(parameters, changes, strict=True):
            parameter.addcmul_(change, opposite.to(parameter.dtype))
    else:
        torch._foreach_add_(parameters, changes, alpha=-rate)


class MuonOptimizer(torch.optim.Optimizer):
    """Steps of groups that say ``orthogonal``, and Nesterov's momentum for the others.

    As in torch's fused optimizers, weights stay where they are while ``found_inf`` is 1.

    Args:
        groups: each with ``params``, ``orthogonal``, ``momentum``, ``weight_decay`` and ``lr_ratio``, the
            orthogonal ones with ``iterations`` and ``precision``.
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
            if not parameters:
                continue
            moves = self._nesterov(parameters, group["momentum"])
            if group["orthogonal"]:
                moves = orthogonal_moves(moves, group["iterations"], group["precision"])
            changes = torch._foreach_add(moves, torch._foreach_mul(parameters, group["weight_decay"]))
            if self.found_inf is not None:
                torch._foreach_mul_(changes, 1 - self.found_inf)
            move_by(parameters, changes, group["lr"])

    def _nesterov(self, parameters: list[Tensor], momentum: float) -> Tensors:
        """Nesterov's moves, new tensors; the velocities are kept."""
        for parameter in parameters:
            if not self.state[parameter]:
                self.state[parameter]["momentum_buffer"] = torch.zeros_like(parameter)
        velocities = [self.state[parameter]["momentum_buffer"] for parameter in parameters]
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        kept: float | Tensor = momentum
        if self.found_inf is not None:
            # In a bad step: no gradient, and velocities that stay what they are.
            is_bad = self.found_inf > 0
            gradients = [torch.where(is_bad, 0.0, gradient) for gradient in gradients]
            kept = torch.where(is_bad, 1.0, velocities[0].new_full((), momentum))
        torch._foreach_mul_(velocities, kept)
        torch._foreach_add_(velocities, gradients)
        return torch._foreach_add(torch._foreach_mul(velocities, momentum), gradients)


@dataclass(frozen=True)
class Muon:
    """Muon for the weights of hidden layers; Nesterov's SGD for all else.

    All else is biases, BatchNorm's factors, the convolution on the pixels and the classifier, as the source
    advises.
    """

    lr: float = 0.02
    momentum: float = 0.95
    iterations: int = 5
    precision: Precision = "auto"
    """Of the iterations' arithmetic; ``auto`` is bf16 on CUDA, fp32 elsewhere."""
    weight_decay: float = 0.0
    """Decoupled: each step takes lr · weight_decay of a weight away from it; biases and factors stay."""
    other_lr: float = 0.05
    """The base rate of all else."""
    bias_lr: float | None = None
    """The base rate of biases and BatchNorm's factors; None for ``other_lr``. A network that scales its
    logits down wants a higher one: airbench94 gives BatchNorm's biases 64 times the rate of weights."""
    other_momentum: float = 0.9

    def __post_init__(self) -> None:
        require_not_negative(self, "lr", "weight_decay", "other_lr")
        if self.bias_lr is not None:
            require_not_negative(self, "bias_lr")
        require_share(self, "momentum", "other_momentum")
        if self.lr == 0:
            raise UserError("Muon: lr must be above 0; the other rates are given as ratios to it")
        if self.iterations < 1:
            raise UserError(f"Muon: iterations must be at least 1, found {self.iterations}")

    def build(self, network: nn.Module) -> torch.optim.Optimizer:
        """The optimizer of both kinds of groups."""
        hidden, weights, biases = [], [], []
        classifier = {id(parameter) for parameter in network.get_submodule("classifier").parameters()}
        on_pixels = next((id(parameter) for parameter in network.parameters() if parameter.dim() == 4), None)
        for parameter in network.parameters():
            if not parameter.requires_grad:
                continue
            if parameter.dim() < 2:
                biases.append(parameter)
            elif id(parameter) in classifier or id(parameter) == on_pixels:
                weights.append(parameter)
            else:
                hidden.append(parameter)
        other = {"orthogonal": False, "momentum": self.other_momentum}
        bias_lr = self.other_lr if self.bias_lr is None else self.bias_lr
        # Decay is lr · weight_decay; the ratio takes out that the others' rate is another one.
        decay = self.weight_decay * self.lr / self.other_lr if self.other_lr > 0 else 0.0
        groups: list[dict[str, Any]] = [
            {
                "params": hidden,
                "orthogonal": True,
                "momentum": self.momentum,
                "iterations": self.iterations,
                "precision": self.precision,
                "weight_decay": self.weight_decay,
                "lr_ratio": 1.0,
            },
            {"params": weights, "weight_decay": decay, "lr_ratio": self.other_lr / self.lr, **other},
            {"params": biases, "weight_decay": 0.0, "lr_ratio": bias_lr / self.lr, **other},
        ]
        return MuonOptimizer([group for group in groups if group["params"]], self.lr)
