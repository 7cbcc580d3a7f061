"""An average of the weights along a run, which is judged in the place of the last ones."""

import copy
from dataclasses import dataclass

import torch
from torch import nn

from cifarlab.errors import UserError


@dataclass(frozen=True)
class MovingAverage:
    """Exponential moving average of all weights and of BatchNorm's statistics (Polyak and Juditsky 1992).

    Early in a run the decay is (1 + t) / (10 + t) after t updates, where that is less, so that the first
    weights are soon forgotten (as in TensorFlow's ExponentialMovingAverage).
    """

    decay: float = 0.999
    """Of one update: the average reaches back about 1 / (1 − decay) updates."""
    every: int = 1
    """Steps between two updates."""

    def __post_init__(self) -> None:
        if not 0 <= self.decay < 1:
            raise UserError(f"MovingAverage: decay must lie in 0 … 1, below 1, found {self.decay}")
        if self.every < 1:
            raise UserError(f"MovingAverage: every must be at least 1 step, found {self.every}")

    def update(self, average: nn.Module, network: nn.Module, steps: int) -> None:
        """Move ``average`` towards ``network`` after ``steps`` steps of the run, if it is time."""
        if steps % self.every:
            return
        updates = steps // self.every
        decay = min(self.decay, (1 + updates) / (10 + updates))
        ours, theirs = average.state_dict(), network.state_dict()
        floats = [name for name, value in ours.items() if value.is_floating_point()]
        with torch.no_grad():
            torch._foreach_lerp_(
                [ours[name] for name in floats], [theirs[name] for name in floats], 1 - decay
            )
            for name in ours.keys() - set(floats):  # BatchNorm counts its batches
                ours[name].copy_(theirs[name])


def average_of(network: nn.Module) -> nn.Module:
    """A copy of ``network`` to keep the average in; no gradient reaches it."""
    return copy.deepcopy(network).requires_grad_(False)
