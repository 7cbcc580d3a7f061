"""Numbers that a script writes out, and the changes that scale them together."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from cifarlab.race.peers.changes import Change


@dataclass(frozen=True)
class WrittenNumber:
    """One number in a script's text."""

    place: str
    """The text around the number, which stands at ``{}``."""
    number: str
    """As the script writes it."""


def scaled_epochs(numbers: Iterable[WrittenNumber], ratio: float) -> tuple[Change, ...]:
    """The changes that multiply every number by ``ratio``, so all parts of a schedule keep their shares."""
    values = ((each, float(each.number) * ratio) for each in numbers)
    return tuple(_replaced(each, repr(value), f"epochs: {value:g}") for each, value in values)


def scaled_batches(numbers: Iterable[WrittenNumber], ratio: float) -> tuple[Change, ...]:
    """The changes that multiply every number by ``ratio`` and round it to whole images, one at least."""
    values = ((each, max(1, round(int(each.number) * ratio))) for each in numbers)
    return tuple(_replaced(each, str(value), f"images a step: {value}") for each, value in values)


def _replaced(written: WrittenNumber, value: str, meaning: str) -> Change:
    return Change(
        name=f"{meaning} instead of {written.number}",
        pattern=re.escape(written.place.format(written.number)),
        replacement=written.place.format(value),
    )
