"""Numbers as they are printed: the digits say how exact a number is, so 95.000 is not 95."""

import re
from collections.abc import Iterable
from decimal import Decimal

from cifarlab.errors import UserError

_NUMBER = re.compile(r"([+-]?(?:\d{1,3}(?:,\d{3})+|\d+)?(?:\.\d+)?)(?:[eE]([+-]?\d{1,3}))?\s*(%|M|k)?")
_FACTORS = {None: Decimal(1), "%": Decimal(1), "k": Decimal(1000), "M": Decimal(1_000_000)}
_LARGEST, _MOST_DIGITS = Decimal(10) ** 15, 15
MOST_IMAGES = 10**12


class PrintedFloat(float):
    """A number of a JSON file that remembers its digits."""

    text: str

    def __new__(cls, text: str) -> "PrintedFloat":
        """The number in ``text``."""
        number = super().__new__(cls, text)
        number.text = text
        return number


Printed = int | float | str
"""A number in a table file: ``93.71`` or, where the digits need a suffix, ``"6.8 M"``, ``"396,810"``."""


def exact(printed: Printed) -> Decimal:
    """The number that is printed.

    Raises:
        UserError: it is no number, or has more than 15 digits before or after the point.
    """
    return _parts(printed)[0]


def half_unit(printed: Printed) -> Decimal:
    """Half a unit of the last printed digit: 0.005 for 93.71, 50,000 for 6.8 M, 0.5 for 12."""
    return _parts(printed)[1] / 2


def rounding(printed: Printed) -> Decimal:
    """How far the number may be from what it stands for: not at all for whole numbers without a suffix.

    Counts and numbers that were chosen are whole; a measured number has decimals.
    """
    return Decimal(0) if _parts(printed)[1] == 1 else half_unit(printed)


def interval(printed: Printed) -> tuple[Decimal, Decimal]:
    """All that may stand behind the number, see ``rounding``."""
    return exact(printed) - rounding(printed), exact(printed) + rounding(printed)


def total(printed: Iterable[Printed]) -> tuple[Decimal, Decimal]:
    """The sum of several numbers, and how far their rounding may move it."""
    numbers = tuple(printed)
    return sum(map(exact, numbers), Decimal(0)), sum(map(rounding, numbers), Decimal(0))


def shown(printed: Printed) -> str:
    """The number as it is printed, for a message."""
    if isinstance(printed, PrintedFloat):
        return printed.text
    return f"{printed:,}" if isinstance(printed, int) else str(printed)


def require_counts(what: str, *counts: int | None) -> None:
    """Raise a UserError unless all of ``counts`` that are given lie in 1 … 10¹²; ``what`` is counted."""
    for count in counts:
        if count is not None and not 1 <= count <= MOST_IMAGES:
            raise UserError(f"{what} must be a count from 1 to 10¹², not {str(count)[:40]}")


def plain(number: Decimal | float) -> str:
    """A computed number for a message: at most six digits, thousands set apart, no exponent."""
    value = Decimal(str(number))
    if abs(value) >= _LARGEST:
        return f"{value:.3e}"
    digits = max(0, 5 - max(value.adjusted(), 0)) if value else 0
    text = f"{round(value, digits):,f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _parts(printed: Printed) -> tuple[Decimal, Decimal]:
    """The number, and a unit of its last digit."""
    text = printed.text if isinstance(printed, PrintedFloat) else str(printed)
    match = _NUMBER.fullmatch(text.strip())
    if isinstance(printed, bool) or len(text) > 40 or match is None or not any(map(str.isdigit, match[1])):
        raise UserError(f"{text[:40]!r} is not a number that can be read, such as 93.71, 396,810 or 6.8 M")
    digits = match[1].replace(",", "")
    power = int(match[2] or 0)
    factor = _FACTORS[match[3]] * Decimal(10) ** power
    decimals = len(digits.partition(".")[2])
    value = Decimal(digits) * factor
    if abs(value) >= _LARGEST or decimals - power > _MOST_DIGITS:
        raise UserError(f"{text[:40]!r} has more than {_MOST_DIGITS} digits before or after the point")
    return value, factor * Decimal(10) ** -decimals
