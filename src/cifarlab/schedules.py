"""Learning-rate schedules as values: a factor that is a function of progress alone.

Nothing is counted along the way, so a resumed run has the same rates as an uninterrupted one.
"""

import math
from dataclasses import dataclass

from cifarlab.errors import UserError


@dataclass(frozen=True)
class Constant:
    """The base rate throughout."""

    def factor(self, epoch: float) -> float:
        """1 at any progress, given in epochs (2.5: in the middle of the third)."""
        return 1.0


@dataclass(frozen=True)
class MultiStep:
    """The rate times ``factor_per_step`` at each milestone (torch's MultiStepLR)."""

    milestones: tuple[int, ...] = ()
    """Finished epochs after which the rate falls, ascending."""
    factor_per_step: float = 0.1

    def __post_init__(self) -> None:
        if list(self.milestones) != sorted(set(self.milestones)) or min(self.milestones, default=1) < 0:
            raise UserError(f"MultiStep: milestones must be ascending epochs, found {self.milestones}")
        if not (self.factor_per_step >= 0 and math.isfinite(self.factor_per_step)):
            raise UserError(
                f"MultiStep: factor_per_step must be a finite number from 0, found {self.factor_per_step}"
            )

    def factor(self, epoch: float) -> float:
        """``factor_per_step`` to the power of the milestones passed."""
        passed = sum(milestone <= epoch for milestone in self.milestones)
        return float(self.factor_per_step**passed)


Schedule = Constant | MultiStep
