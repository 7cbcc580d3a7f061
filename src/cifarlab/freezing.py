"""Late freezing: the first parts of a network stop learning before the others, and backward ends there.

Early layers settle first (Raghu et al. 2017, "SVCCA"; Brock et al. 2017, "FreezeOut"). What is frozen costs
its forward pass alone.
"""

import itertools
from dataclasses import dataclass

from torch import nn

from cifarlab.errors import UserError
from cifarlab.models.in_parts import parts_of


def freeze_first(network: nn.Module, count: int) -> None:
    """Let no gradient reach the first ``count`` parts of ``network`` any more.

    Autograd then ends behind them, and an optimizer leaves parameters without a gradient alone: no decay, no
    momentum. BatchNorm in them still normalizes with each batch's statistics and keeps its running ones, so
    nothing jumps when a part freezes, and the statistics catch up with weights that rest.
    """
    for part in parts_of(network)[:count]:
        part.requires_grad_(False)


@dataclass(frozen=True)
class LateFreezing:
    """Freeze the network's parts from the first on, each at its share of the run's steps.

    A network says itself what its parts are (``models.in_parts``). Those of FastCnn are the whitening layer,
    whose bias alone is trained, and its three stages.
    """

    after: tuple[float, ...] = (0.1, 0.8)
    """The share of all steps after which each part rests: the first part's, the second's and so on."""

    def __post_init__(self) -> None:
        in_order = all(first <= second for first, second in itertools.pairwise(self.after))
        if not (self.after and in_order and self.after[0] >= 0 and self.after[-1] <= 1):
            raise UserError(
                "LateFreezing: after must hold at least one share in 0 … 1, none below the one before it, "
                f"found {self.after}"
            )

    def count_at(self, done: float) -> int:
        """How many parts are frozen in a step before which the share ``done`` of all steps was done."""
        return sum(done >= after for after in self.after)

    def apply(self, network: nn.Module, done: float) -> None:
        """Freeze what is due, before such a step's forward pass; a function of ``done`` alone."""
        freeze_first(network, self.count_at(done))
