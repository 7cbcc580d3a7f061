"""Single numbers of a report, and what is known to be wrong with them."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from cifarlab.studies.table import Provenance, Quantity
from cifarlab.studies.table_check.finding import Finding
from cifarlab.studies.table_check.printed import Printed, exact, half_unit, require_counts, shown
from cifarlab.studies.table_check.rounding import count_missing

Unit = Literal["%", "points", "s", "h", ""]
_SCALES = {
    "%": Decimal("0.01"),
    "points": Decimal("0.01"),
    "s": Decimal(1),
    "h": Decimal(3600),
    "": Decimal(1),
}


@dataclass(frozen=True)
class StatedNumber:
    """A number that a report states."""

    key: str
    """Its name for programs: recipe and quantity, such as ``resnet24.test_accuracy``."""
    quantity: Quantity
    printed: Printed
    unit: Unit
    where: str
    provenance: Provenance = "published"
    reading: Printed | None = None
    """The number that we take it for, where an erratum says another one."""
    text: str = ""
    """The words around it, where the bare number would mislead."""
    images: int | None = None
    """How many images an accuracy was measured on."""

    def __post_init__(self) -> None:
        exact(self.printed), exact(self.read)  # a text that is no number is refused at once
        require_counts("images", self.images)

    @property
    def value(self) -> float:
        """As we read it, in units of the quantity: fractions, seconds, counts."""
        return float(exact(self.read) * _SCALES[self.unit])

    @property
    def tolerance(self) -> float:
        """Half a unit of the last printed digit, in the same units."""
        return float(half_unit(self.read) * _SCALES[self.unit])

    @property
    def read(self) -> Printed:
        """The number as we read it, with its digits."""
        return self.printed if self.reading is None else self.reading

    @property
    def shown(self) -> str:
        """As the report prints it."""
        return self.text or f"{shown(self.printed)} {self.unit}".strip()

    def findings(self) -> Iterator[Finding]:
        """An accuracy outside 0-100 %, or one that no count over the images gives."""
        if not self.quantity.endswith("_accuracy"):
            return
        value = exact(self.printed) * _SCALES[self.unit]
        if not 0 <= value <= 1:
            yield Finding("range", self.where, f"{self.key}: {self.shown} is no accuracy")
        elif self.images is not None and self.unit == "%":
            message = count_missing(self.printed, self.images)
            if message:
                yield Finding("count", self.where, f"{self.key}: {message}")


@dataclass(frozen=True)
class Erratum:
    """Something wrong or open in a report, and how it is read here."""

    says: str
    """What the report says."""
    reading: str
    """What we take it for."""
    keys: tuple[str, ...] = ()
    """The numbers concerned."""
    checkable: str | None = None
    """The rule that finds it in the table alone, or None."""
    why_not: str = ""
    """Why no rule can find it, where none does."""
    report: str = ""
    """The report's name."""
