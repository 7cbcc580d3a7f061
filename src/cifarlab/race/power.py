"""How fast a machine computes, and how much of that a race's runs get out of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from cifarlab.race.clock import now
from cifarlab.race.outcome import Outcome

GIGA = 1e9
BUDGET_SECONDS = 0.5
"""For the measurement of one precision."""


@dataclass(frozen=True)
class Rate:
    """Training operations per second of the race's clock."""

    gigaflops: float
    """GFLOP/s over the whole timed run, so evaluation counts as time without work."""
    precision: str
    peak: float | None
    """GFLOP/s of large matrix products in this precision on the same machine."""

    @property
    def share(self) -> float | None:
        """Of the machine's peak, 0 … 1."""
        return None if self.peak is None else self.gigaflops / self.peak


def rate_of(outcomes: Sequence[Outcome], peaks: dict[str, Any]) -> Rate | None:
    """The rate of runs that tell their operations; None where none does.

    Args:
        outcomes: with ``training_flops`` and ``precision`` in their details.
        peaks: as ``machine_peaks`` gives them.
    """
    told = [each for each in outcomes if "training_flops" in each.details and "precision" in each.details]
    if not told:
        return None
    operations = sum(float(each.details["training_flops"]) for each in told)
    precision = str(told[0].details["precision"])
    return Rate(operations / sum(each.seconds for each in told) / GIGA, precision, peaks.get(precision))


def machine_peaks(device: torch.device) -> dict[str, float]:
    """GFLOP/s of ``device`` in large matrix products, ``fp32`` as torch computes it and ``bf16``."""
    return {
        "fp32": round(_matrix_rate(device, torch.float32), 1),
        "bf16": round(_matrix_rate(device, torch.bfloat16), 1),
    }


def _matrix_rate(device: torch.device, dtype: torch.dtype) -> float:
    """The best of some products of random matrices, the larger the faster the machine is."""
    size, largest = 256, 8192 if device.type == "cuda" else 2048
    best = 0.0
    until = now(device) + BUDGET_SECONDS
    left, right = _matrices(size, device, dtype)
    while True:
        began = now(device)
        left @ right
        seconds = now(device) - began
        best = max(best, 2 * size**3 / seconds / GIGA)
        rest = until - now(device)
        if rest < 0:
            return best
        if size < largest and 8 * seconds < rest / 4:
            size *= 2
            left, right = _matrices(size, device, dtype)


def _matrices(size: int, device: torch.device, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    left, right = (torch.randn(size, size, device=device).to(dtype) for _ in range(2))
    return left, right
