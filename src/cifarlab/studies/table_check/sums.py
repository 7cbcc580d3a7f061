"""Things that must add up: probabilities, parts of a whole, products."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from cifarlab.errors import UserError
from cifarlab.studies.table_check.finding import Finding
from cifarlab.studies.table_check.printed import Printed, exact, interval, plain, rounding, shown, total


@dataclass(frozen=True)
class Choices:
    """A random choice between alternatives. Its probabilities were chosen, so they are exact."""

    where: str
    alternatives: tuple[Printed, ...] = ()
    probabilities: tuple[Printed, ...] = ()

    def __post_init__(self) -> None:
        if self.alternatives and self.probabilities and len(self.alternatives) != len(self.probabilities):
            raise UserError(
                f"{self.where} has {len(self.probabilities)} probabilities for"
                f" {len(self.alternatives)} alternatives"
            )
        for value in self.probabilities:
            exact(value)

    def findings(self) -> Iterator[Finding]:
        """An alternative that is there twice, and probabilities that do not sum to 1."""
        for name, times in Counter(map(str, self.alternatives)).items():
            if times > 1:
                yield Finding("duplicate", self.where, f"{name} stands {times} times among the alternatives")
        for value in self.probabilities:
            if not 0 <= exact(value) <= 1:
                yield Finding("range", self.where, f"{shown(value)} is no probability")
        together = sum(map(exact, self.probabilities), Decimal(0))
        if self.probabilities and together != 1:
            message = f"the probabilities sum to {plain(together)}, not to 1"
            yield Finding("sum", self.where, message + self._never())

    def _never(self) -> str:
        """Which alternatives never happen if a number from 0 to 1 is held against the running sums."""
        reached, never = Decimal(0), []
        for place, probability in enumerate(self.probabilities):
            if reached >= 1 and self.alternatives:
                never.append(str(self.alternatives[place]))
            reached += exact(probability)
        return f"; drawn by running sums, {', '.join(never)} never happens" if never else ""


@dataclass(frozen=True)
class Parts:
    """Parts and their whole."""

    where: str
    parts: tuple[Printed, ...]
    whole: Printed

    def __post_init__(self) -> None:
        if not self.parts:
            raise UserError(f"{self.where} has no parts")
        total((*self.parts, self.whole))

    def findings(self) -> Iterator[Finding]:
        """Parts that do not add up, beyond what their printed digits leave open."""
        found, blur = total(self.parts)
        blur += rounding(self.whole)
        if exact(self.whole) == 100 and all(isinstance(part, int) for part in self.parts):
            blur = (
                Decimal(len(self.parts)) / 2
            )  # whole percents, the one case where whole numbers are rounded
        if abs(found - exact(self.whole)) > blur:
            message = f"the parts sum to {plain(found)}, where {shown(self.whole)} is stated"
            yield Finding("sum", self.where, message)


@dataclass(frozen=True)
class Product:
    """Numbers that are multiplied, such as seconds per epoch and epochs."""

    where: str
    factors: tuple[Printed, ...]
    product: Printed

    def __post_init__(self) -> None:
        if not 1 <= len(self.factors) <= 8:
            raise UserError(f"{self.where} must have 1 to 8 factors")
        for value in (*self.factors, self.product):
            if exact(value) < 0:
                raise UserError(f"{self.where} has a negative number")

    def findings(self) -> Iterator[Finding]:
        """A product that is not that of its factors, beyond what their printed digits leave open."""
        low = high = exactly = Decimal(1)
        for factor in self.factors:
            least, most = interval(factor)
            low, high, exactly = low * max(least, Decimal(0)), high * most, exactly * exact(factor)
        least, most = interval(self.product)
        if high < least or low > most:
            message = f"the product is {plain(exactly)}, where {shown(self.product)} is stated"
            yield Finding("product", self.where, message)
