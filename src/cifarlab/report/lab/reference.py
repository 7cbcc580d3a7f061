"""What a report prints beside single numbers: a confusion matrix, accuracies per class."""

from dataclasses import dataclass

from cifarlab.studies import published
from cifarlab.studies.table import ItemTable
from cifarlab.studies.table_check.confusion import ConfusionMatrix

MATRIX_ITEM = ("small-resnets", "best-model")
CLASS_NAMES = {"plane": "airplane", "car": "automobile"}
"""What a report calls classes that CIFAR-10 names otherwise."""


@dataclass(frozen=True)
class Reference:
    """What a figure shows beside ours."""

    where: str = ""
    """Of the matrix, such as ``report 002, figure 15``."""
    matrix: tuple[tuple[int, ...], ...] = ()
    """A confusion matrix: rows are true classes, columns predicted ones."""
    matrix_classes: tuple[str, ...] = ()
    per_class: tuple[tuple[str, tuple[tuple[str, float], ...]], ...] = ()
    """For the label of a row: (class, accuracy as a fraction)."""


def reference_of(table: ItemTable) -> Reference:
    """All that the report of ``table`` prints for it; nothing for a study of one's own."""
    if table.report not in published.REPORTS:
        return Reference()
    document = published.document(table.report)
    found = (fact for fact in document.facts if isinstance(fact, ConfusionMatrix))
    matrix = next(found, None) if (table.report, table.item) == MATRIX_ITEM else None
    per_class = []
    for row in table.rows:
        start = f"{row.recipe}.test_accuracy."
        scores = tuple(
            (_class_name(number.key.removeprefix(start)), number.value)
            for number in document.numbers
            if number.key.startswith(start)
        )
        if scores:
            per_class.append((row.label, scores))
    if matrix is None:
        return Reference(per_class=tuple(per_class))
    return Reference(matrix.where, matrix.counts, matrix.classes, tuple(per_class))


def _class_name(name: str) -> str:
    return CLASS_NAMES.get(name, name)
