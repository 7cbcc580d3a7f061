"""What a report says of two of its numbers: savings, gains, improvements, and one thing said twice."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from cifarlab.errors import UserError
from cifarlab.studies.table_check.finding import Finding
from cifarlab.studies.table_check.printed import Printed, exact, half_unit, interval, plain, shown


@dataclass(frozen=True)
class Change:
    """A stated saving or gain, and the two numbers that it is made of."""

    where: str
    before: Printed
    after: Printed
    stated: Printed
    measure: Literal["percent saved", "percent gained", "difference", "times"] = "percent saved"
    """Of ``before``; ``difference`` is after − before, in their units, and ``times`` after / before."""
    says: Literal["is", "less than", "more than"] = "is"

    def __post_init__(self) -> None:
        exact(self.stated)
        if self.measure != "difference" and interval(self.before)[0] <= 0:
            raise UserError(f"{self.where} needs a number above 0 before the change")
        exact(self.after)

    def findings(self) -> Iterator[Finding]:
        """A stated change that contradicts its two numbers, beyond what their digits leave open."""
        possible = [self._change(b, a) for b in interval(self.before) for a in interval(self.after)]
        low, high = min(possible), max(possible)
        stated, blur = exact(self.stated), half_unit(self.stated)
        contradicts = {
            "is": stated + blur < low or stated - blur > high,
            "less than": low >= stated,
            "more than": high <= stated,
        }[self.says]
        if contradicts:
            found = plain(self._change(exact(self.before), exact(self.after)))
            words = "" if self.says == "is" else f"{self.says} "
            yield Finding(
                "change",
                self.where,
                f"from {shown(self.before)} to {shown(self.after)} is {self._words(found)}, where"
                f" {words}{shown(self.stated)} is stated",
            )

    def _change(self, before: Decimal, after: Decimal) -> Decimal:
        match self.measure:
            case "percent saved":
                return 100 * (1 - after / before)
            case "percent gained":
                return 100 * (after / before - 1)
            case "times":
                return after / before
            case _:
                return after - before

    def _words(self, found: str) -> str:
        words = {"percent saved": "{} % saved", "percent gained": "{} % gained", "times": "{} times"}
        return words.get(self.measure, "a difference of {}").format(found)


@dataclass(frozen=True)
class Improvement:
    """A number that is said to have improved."""

    where: str
    before: Printed
    after: Printed
    better: Literal["higher", "lower"] = "higher"

    def __post_init__(self) -> None:
        exact(self.before), exact(self.after)

    def findings(self) -> Iterator[Finding]:
        """One that got worse, or stayed the same."""
        gain = exact(self.after) - exact(self.before)
        if (gain if self.better == "higher" else -gain) <= 0:
            moved = "stayed the same" if not gain else "fell" if gain < 0 else "rose"
            message = f"said to have improved, it {moved}: {shown(self.before)}, then {shown(self.after)}"
            yield Finding("improvement", self.where, message)


@dataclass(frozen=True)
class Statement:
    """What one place of a report says."""

    where: str
    says: Printed
    """A number, or a word or two."""


@dataclass(frozen=True)
class Statements:
    """Places of a report that speak of one and the same thing."""

    where: str
    """What they speak of."""
    statements: tuple[Statement, ...]

    def findings(self) -> Iterator[Finding]:
        """Neighbors that contradict one another."""
        for one, other in itertools.pairwise(self.statements):
            if not _agree(one.says, other.says):
                message = f"{one.where} says {shown(one.says)}, {other.where} says {shown(other.says)}"
                yield Finding("statements", self.where, message)


def _agree(one: Printed, other: Printed) -> bool:
    try:
        (low, high), (least, most) = interval(one), interval(other)
    except UserError:
        return str(one).strip().lower() == str(other).strip().lower()
    return low <= most and least <= high
