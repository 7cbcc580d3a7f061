"""What other files than a report's own do to an accuracy: a calibration of the data.

Copies of CIFAR-10 that went through JPEG give lower accuracies than the official archive. No verdict can be
taken from them, but a recipe's published accuracy beside its accuracy on these files says how much lower.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from cifarlab.studies.printing import data_text, estimate_text, value_text
from cifarlab.studies.table import ItemTable


@dataclass(frozen=True)
class CalibrationLine:
    """One accuracy, in words."""

    data: str
    recipe: str
    where: str
    published: str
    ours: str
    runs: int
    difference: str
    """Ours minus the report's."""


def calibration(tables: Iterable[ItemTable]) -> list[CalibrationLine]:
    """Every test accuracy that a report states and that was made at full length on other data."""
    lines = [
        CalibrationLine(
            data=data_text(table.data),
            recipe=row.recipe,
            where=entry.published.where,
            published=entry.published.text,
            ours=estimate_text(entry.quantity, entry.ours),
            runs=len(entry.ours.values),
            difference=value_text("difference", entry.ours.mean - entry.published.value),
        )
        for table in tables
        if table.scale == "full" and not table.official_data
        for row in table.rows
        for entry in row.entries
        if entry.quantity == "test_accuracy" and entry.published is not None and entry.ours is not None
    ]
    return list(dict.fromkeys(lines))
