"""Rows of numbers: two columns side by side, and numbers that follow a rule."""

import itertools
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from cifarlab.errors import UserError
from cifarlab.studies.table_check.finding import Finding
from cifarlab.studies.table_check.printed import Printed, exact, plain, shown

SPENT = Decimal("0.05")
"""With less of its first learning rate a network hardly learns any more, converged or not."""
FEWEST_ROWS, MOST_ROWS = 4, 1000
"""With fewer, a swap makes almost anything monotone; with more, it is no table for the eye."""
CLOSE = Decimal("0.01")
"""Relative: published rates are rounded."""


@dataclass(frozen=True)
class Sweep:
    """Two series of accuracies over one setting, such as the size of the training set."""

    where: str
    at: tuple[Printed, ...]
    first: tuple[Printed, ...]
    second: tuple[Printed, ...]
    names: tuple[str, str] = ("train", "test")
    conditions: tuple[str, ...] = ()
    """What else each was made under, such as the epochs; without it nothing is compared."""

    def __post_init__(self) -> None:
        if not len(self.at) == len(self.first) == len(self.second):
            raise UserError(f"{self.where} has series of different lengths")
        if len(self.at) > MOST_ROWS:
            raise UserError(f"{self.where} has more than {MOST_ROWS:,} rows")
        if self.conditions and len(self.conditions) != len(self.at):
            raise UserError(f"{self.where} has {len(self.conditions)} conditions for {len(self.at)} values")
        for value in (*self.at, *self.first, *self.second):
            exact(value)

    def findings(self) -> Iterator[Finding]:
        """A row whose two numbers are swapped, and rows made under other conditions than the rest."""
        yield from self._swapped_rows()
        if not self.conditions:
            return
        usual, times = Counter(self.conditions).most_common(1)[0]
        for at, condition in zip(self.at, self.conditions, strict=True):
            if condition != usual and times > len(self.conditions) / 2:
                message = f"{shown(at)} was made under other conditions than the rest: {condition}"
                yield Finding("conditions", self.where, f"{message}, not {usual}")

    def _swapped_rows(self) -> Iterator[Finding]:
        columns = (map(exact, series) for series in (self.at, self.first, self.second))
        rows = sorted(zip(*columns, strict=True))
        if len(rows) < FEWEST_ROWS or _both_monotone(rows):
            return
        for place, (at, first, second) in enumerate(rows):
            if _both_monotone([*rows[:place], (at, second, first), *rows[place + 1 :]]):
                names = f"{self.names[0]} {plain(first)} and {self.names[1]} {plain(second)}"
                message = f"at {plain(at)}, {names} are swapped: the other way round both series are monotone"
                yield Finding("swapped", self.where, message)


def _both_monotone(rows: Sequence[tuple[Decimal, Decimal, Decimal]]) -> bool:
    return all(_monotone([row[column] for row in rows]) for column in (1, 2))


def _monotone(values: Sequence[Decimal]) -> bool:
    pairs = list(itertools.pairwise(values))
    return all(a <= b for a, b in pairs) or all(a >= b for a, b in pairs)


@dataclass(frozen=True)
class Progression:
    """Numbers that follow a stated rule, such as learning rates, or the sizes of training sets."""

    where: str
    values: tuple[Printed, ...]
    direction: Literal["falling", "rising"] | None = None
    factor: Printed | None = None
    """Each is the one before it times this."""
    step: Printed | None = None
    """Each is the one before it plus this."""

    def __post_init__(self) -> None:
        for value in (*self.values, self.factor or 1, self.step or 0):
            exact(value)

    def findings(self) -> Iterator[Finding]:
        """The first number that turns back, and the first that the stated factor or step does not give."""
        pairs = list(itertools.pairwise(self.values))
        for before, after in pairs:
            moved = exact(after) - exact(before)
            if self.direction is not None and (moved < 0 if self.direction == "rising" else moved > 0):
                message = f"{shown(after)} after {shown(before)} in a {self.direction} series"
                yield Finding("progression", self.where, message)
                break
        for before, after in pairs:
            for expected, rule in self._expected(exact(before)):
                if abs(exact(after) - expected) > CLOSE * abs(expected):
                    message = f"{shown(after)} after {shown(before)}, where {rule} gives {plain(expected)}"
                    yield Finding("progression", self.where, message)
                    return

    def _expected(self, before: Decimal) -> Iterator[tuple[Decimal, str]]:
        if self.factor is not None:
            yield before * exact(self.factor), f"the stated factor {shown(self.factor)}"
        if self.step is not None:
            yield before + exact(self.step), f"the stated step {shown(self.step)}"


@dataclass(frozen=True)
class Convergence:
    """An epoch from which on training is said to have converged, under a decaying learning rate."""

    where: str
    epoch: int
    factor: Printed
    """Of the learning rate, per epoch."""

    def __post_init__(self) -> None:
        if not (1 <= self.epoch <= 10**6 and 0 < exact(self.factor) <= 1):
            raise UserError(f"{self.where} needs an epoch from 1 to 10⁶ and a factor above 0, at most 1")

    def findings(self) -> Iterator[Finding]:
        """A standstill that the learning rate alone explains."""
        left = float(exact(self.factor)) ** self.epoch
        if left < SPENT:
            yield Finding(
                "spent",
                self.where,
                f"by epoch {self.epoch:,} the learning rate is down to {100 * left:.2g} % of its first value:"
                " it is spent, whether or not the network has converged",
            )
