"""Learning-rate schedules as values: a factor of the base rate that is a function of progress alone.

Nothing is counted along the way, so a resumed run has the same rates as an uninterrupted one. Rates change
either with a new epoch or with every step; each schedule says which.
"""

import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from cifarlab.errors import UserError


@dataclass(frozen=True)
class Moment:
    """The point of a run at which a rate is asked for."""

    step: int
    """Steps done since the beginning of the run."""
    steps_per_epoch: int
    epochs: int
    """Of the whole run."""
    val_losses: Sequence[float] = ()
    """Validation losses of the epochs done."""

    @property
    def epoch(self) -> int:
        """Epochs done."""
        return self.step // self.steps_per_epoch

    @property
    def all_steps(self) -> int:
        """Steps of the whole run."""
        return self.steps_per_epoch * self.epochs


@dataclass(frozen=True)
class Constant:
    """The base rate throughout."""

    def factor(self, at: Moment) -> float:
        """1 at any moment."""
        return 1.0


@dataclass(frozen=True)
class Step:
    """The rate times ``gamma`` after every ``every`` epochs (torch's StepLR)."""

    every: int = 20
    gamma: float = 0.1

    def __post_init__(self) -> None:
        _require("Step", self.every >= 1, f"every must be at least 1 epoch, found {self.every}")
        _require_factor("Step", "gamma", self.gamma)

    def factor(self, at: Moment) -> float:
        """``gamma`` to the power of the full periods done."""
        return _power(self.gamma, at.epoch // self.every)


@dataclass(frozen=True)
class MultiStep:
    """The rate times ``gamma`` at each milestone (torch's MultiStepLR)."""

    milestones: tuple[int, ...] = ()
    """Finished epochs after which the rate falls, ascending."""
    gamma: float = 0.1

    def __post_init__(self) -> None:
        _require_milestones("MultiStep", self.milestones)
        _require_factor("MultiStep", "gamma", self.gamma)

    def factor(self, at: Moment) -> float:
        """``gamma`` to the power of the milestones passed."""
        return _power(self.gamma, sum(milestone <= at.epoch for milestone in self.milestones))


@dataclass(frozen=True)
class Piecewise:
    """Another factor from each milestone on, where they are no powers of one number."""

    milestones: tuple[int, ...] = ()
    """Finished epochs after which the factor changes, ascending."""
    factors: tuple[float, ...] = ()
    """The factor from each milestone on; before the first it is 1."""

    def __post_init__(self) -> None:
        _require_milestones("Piecewise", self.milestones)
        equally_many = len(self.milestones) == len(self.factors)
        _require("Piecewise", equally_many, "every milestone needs a factor, and every factor a milestone")
        for factor in self.factors:
            _require_factor("Piecewise", "each factor", factor)

    def factor(self, at: Moment) -> float:
        """The factor of the last milestone passed."""
        passed = sum(milestone <= at.epoch for milestone in self.milestones)
        return self.factors[passed - 1] if passed else 1.0


@dataclass(frozen=True)
class Exponential:
    """The rate times ``gamma`` after every epoch (torch's ExponentialLR)."""

    gamma: float = 0.9

    def __post_init__(self) -> None:
        _require_factor("Exponential", "gamma", self.gamma)

    def factor(self, at: Moment) -> float:
        """``gamma`` to the power of the epochs done."""
        return _power(self.gamma, at.epoch)


@dataclass(frozen=True)
class CosineRestarts:
    """Half a cosine down to ``final`` within ``period`` epochs, then from the top again.

    Loshchilov and Hutter 2017; torch's CosineAnnealingWarmRestarts, changed after every epoch.
    """

    period: int = 20
    growth: int = 1
    """Each period is this many times as long as the one before."""
    final: float = 0.0
    """The lowest factor."""

    def __post_init__(self) -> None:
        _require("CosineRestarts", self.period >= 1, f"period must be at least 1, found {self.period}")
        _require("CosineRestarts", self.growth >= 1, f"growth must be at least 1, found {self.growth}")
        _require_factor("CosineRestarts", "final", self.final)

    def factor(self, at: Moment) -> float:
        """The cosine at the place within the period."""
        place, period = at.epoch, self.period
        while place >= period:
            place, period = place - period, period * self.growth
        return _half_cosine(place / period, self.final)


@dataclass(frozen=True)
class WarmupCosine:
    """A straight line up from 0, then half a cosine down; changed with every step.

    Report 000, after He et al. 2019 (section 3.1): it warms up for a tenth of its 250 epochs, and for a
    tenth of the 100 epochs of its smaller training sets. The very first step has the rate 0.
    """

    warmup: float = 0.1
    """The part of the run's steps that the way up takes."""
    final: float = 0.0
    """The factor at the end."""

    def __post_init__(self) -> None:
        _require_warmup("WarmupCosine", self.warmup)
        _require_factor("WarmupCosine", "final", self.final)

    def factor(self, at: Moment) -> float:
        """Up to 1, then down to ``final``."""
        warmup = self.warmup * at.all_steps
        if at.step < warmup:
            return at.step / warmup
        return _half_cosine((at.step - warmup) / (at.all_steps - warmup), self.final)


@dataclass(frozen=True)
class Linear:
    """A straight line up from 0, then a straight line down; changed with every step.

    Without ``warmup`` it is torch's LinearLR over the whole run; with it, the triangle of the fast trainers
    of CIFAR-10 (Page 2018).
    """

    warmup: float = 0.0
    """The part of the run's steps that the way up takes."""
    final: float = 0.0
    """The factor at the end."""

    def __post_init__(self) -> None:
        _require_warmup("Linear", self.warmup)
        _require_factor("Linear", "final", self.final)

    def factor(self, at: Moment) -> float:
        """Up to 1, then down to ``final``."""
        warmup = self.warmup * at.all_steps
        if at.step < warmup:
            return at.step / warmup
        return 1 + (self.final - 1) * (at.step - warmup) / (at.all_steps - warmup)


@dataclass(frozen=True)
class OneCycle:
    """From a ``start``-th of the rate up to it and down to an ``end``-th of the beginning, by cosines.

    Smith and Topin 2018; torch's OneCycleLR with its defaults, except that the momentum stays as it is.
    """

    peak: float = 0.3
    """The part of the run at whose end the rate is highest."""
    start: float = 25.0
    end: float = 1e4

    def __post_init__(self) -> None:
        _require("OneCycle", 0 < self.peak < 1, f"peak must lie between 0 and 1, found {self.peak}")
        for name in ("start", "end"):
            value = getattr(self, name)
            good = math.isfinite(value) and value > 0
            _require("OneCycle", good, f"{name} must be a finite number above 0, found {value}")

    def factor(self, at: Moment) -> float:
        """Up to 1 at the peak, then down."""
        low, lowest = 1 / self.start, 1 / self.start / self.end
        top, last = self.peak * at.all_steps - 1, at.all_steps - 1
        if at.step <= top:
            return _half_cosine(at.step / top, low, begin_with_final=True) if top > 0 else 1.0
        return _half_cosine((at.step - top) / (last - top), lowest) if last > top else lowest


@dataclass(frozen=True)
class Plateau:
    """The rate times ``gamma`` when the validation loss has not fallen for more than ``patience`` epochs.

    torch's ReduceLROnPlateau: an improvement is one by more than a ``threshold``-th part.
    """

    patience: int = 3
    gamma: float = 0.5
    threshold: float = 1e-4

    def __post_init__(self) -> None:
        _require("Plateau", self.patience >= 0, f"patience must not be negative, found {self.patience}")
        _require_factor("Plateau", "gamma", self.gamma)
        good = 0 <= self.threshold < 1
        _require("Plateau", good, f"threshold must lie in 0 … 1, below 1, found {self.threshold}")

    def factor(self, at: Moment) -> float:
        """``gamma`` to the power of the times that patience ran out."""
        best, waited, falls = math.inf, 0, 0
        for loss in at.val_losses:
            if loss < best * (1 - self.threshold):
                best, waited = loss, 0
            else:
                waited += 1
            if waited > self.patience:
                falls, waited = falls + 1, 0
        return _power(self.gamma, falls)


Schedule = (
    Constant
    | Step
    | MultiStep
    | Piecewise
    | Exponential
    | CosineRestarts
    | WarmupCosine
    | Linear
    | OneCycle
    | Plateau
)


def _power(gamma: float, exponent: int) -> float:
    """A power that ends at the largest number there is; a rate that large ends the run as diverged."""
    try:
        return float(gamma**exponent)
    except OverflowError:
        return sys.float_info.max


def _half_cosine(part: float, final: float, *, begin_with_final: bool = False) -> float:
    """From 1 at ``part`` 0 to ``final`` at 1 along half a cosine, or the other way round."""
    high, low = (final, 1.0) if begin_with_final else (1.0, final)
    return low + (high - low) * (1 + math.cos(math.pi * part)) / 2


def _require(schedule: str, good: bool, otherwise: str) -> None:
    if not good:
        raise UserError(f"{schedule}: {otherwise}")


def _require_milestones(schedule: str, milestones: tuple[int, ...]) -> None:
    ascending = list(milestones) == sorted(set(milestones)) and min(milestones, default=1) >= 0
    _require(schedule, ascending, f"milestones must be ascending epochs, found {milestones}")


def _require_factor(schedule: str, name: str, value: float) -> None:
    good = value >= 0 and math.isfinite(value)
    _require(schedule, good, f"{name} must be a finite number from 0, found {value}")


def _require_warmup(schedule: str, warmup: float) -> None:
    _require(schedule, 0 <= warmup < 1, f"warmup must lie in 0 … 1, below 1, found {warmup}")
