"""A table as CSV: a confusion matrix, or rows of results with columns of accuracies."""

import csv
import io
from collections.abc import Iterator, Sequence
from decimal import Decimal

from cifarlab.errors import UserError
from cifarlab.models import CATALOG
from cifarlab.studies.table_check.accuracies import Accuracies, Ranking, Results
from cifarlab.studies.table_check.confusion import ConfusionMatrix
from cifarlab.studies.table_check.document import Document
from cifarlab.studies.table_check.facts import Fact
from cifarlab.studies.table_check.networks import Network
from cifarlab.studies.table_check.printed import exact
from cifarlab.studies.table_check.series import FEWEST_ROWS, MOST_ROWS, Sweep
from cifarlab.studies.table_check.sums import Choices

Table = list[list[str]]


def from_csv(text: str, origin: object, images: int | None = None) -> Document:
    """The facts of a table in CSV, separated by commas, semicolons or tabs.

    Args:
        text: a header, then rows; columns whose header has "accuracy" or "acc" hold percents, or fractions.
        origin: named in the error.
        images: of the test set.

    Raises:
        UserError: it is no table, or one without anything that can be checked.
    """
    try:
        delimiter = max(",;\t", key=text.partition("\n")[0].count)
        rows = [
            [cell.strip() for cell in row]
            for row in csv.reader(io.StringIO(text), delimiter=delimiter, strict=True)
        ]
    except csv.Error as error:
        raise UserError(f"{origin} is damaged: it is not CSV ({error})") from error
    rows = [row for row in rows if any(row)]
    if len(rows) < 2 or any(len(row) != len(rows[0]) for row in rows):
        raise UserError(f"{origin} is no table: it needs a header, rows, and as many cells in each")
    try:
        if _is_confusion_matrix(rows):
            return Document(facts=(_confusion_matrix(rows, images),))
        facts = tuple(_facts(rows, images))
    except UserError as error:
        raise UserError(f"{origin} cannot be checked: {error}") from error
    if not facts:
        raise UserError(
            f"{origin} has no column to check; name one accuracy, probability or parameters, or give a"
            " confusion matrix with the classes in the header and in the first column"
        )
    return Document(facts=facts)


def _is_confusion_matrix(rows: Table) -> bool:
    return len(rows) > 2 and rows[0][1:] == [row[0] for row in rows[1:]]


def _confusion_matrix(rows: Table, images: int | None) -> ConfusionMatrix:
    if any(not cell.isdecimal() or len(cell) > 12 for row in rows[1:] for cell in row[1:]):
        raise UserError("a confusion matrix holds counts, from 0")
    counts = tuple(tuple(int(cell) for cell in row[1:]) for row in rows[1:])
    return ConfusionMatrix("the matrix", counts, tuple(rows[0][1:]), images=images)


def _facts(rows: Table, images: int | None) -> Iterator[Fact]:
    header = [name.lower() for name in rows[0]]
    columns = {place: [row[place] for row in rows[1:]] for place in range(len(header))}
    accuracies = {place: _percents(columns[place]) for place, name in enumerate(header) if "acc" in name}
    halves = {place: _half(header[place]) for place in accuracies}
    for place, cells in accuracies.items():
        counted = images if halves[place] == "test" else None
        yield Accuracies(f"column {rows[0][place]}", tuple(filter(None, cells)), counted)
    yield from _of_halves(rows, accuracies, halves, images)
    for place, name in enumerate(header):
        if "prob" in name:
            yield Choices(f"column {rows[0][place]}", probabilities=tuple(filter(None, columns[place])))
        if "param" in name:
            for network, cell in zip(columns[0], columns[place], strict=True):
                if cell and network.lower() in CATALOG:
                    yield Network(f"column {rows[0][place]}, {network}", network.lower(), cell)


def _of_halves(
    rows: Table, accuracies: dict[int, list[str]], halves: dict[int, str], images: int | None
) -> Iterator[Fact]:
    """What ties training, validation and test accuracies together, where each has one column at most."""
    by_half = {half: place for place, half in halves.items()}
    if len(by_half) < len(halves):
        return
    names = [row[0] for row in rows[1:]]
    train, validation, test = (
        accuracies[by_half[half]] if half in by_half else None for half in ("train", "validation", "test")
    )
    fits = FEWEST_ROWS <= len(names) <= MOST_ROWS and all(map(_is_number, names))
    if fits and train and test and all(train) and all(test):
        yield Sweep("the table", tuple(names), tuple(train), tuple(test))
    if images is None:
        return
    if test and sum(map(bool, test)) > 1:
        known = [(cell, name) for cell, name in zip(test, names, strict=True) if cell]
        yield Ranking("the table", images, tuple(c for c, _ in known), tuple(n for _, n in known))
    for place, name in enumerate(names):
        # The other sets' sizes are not given; the test set's stands for them, which errs on the safe side.
        yield Results(
            f"row {name}",
            train=train[place] or None if train else None,
            validation=validation[place] or None if validation else None,
            test=test[place] or None if test else None,
            train_images=images,
            validation_images=images,
            test_images=images,
        )


def _half(name: str) -> str:
    """Which images a column's header speaks of; those of the test set, if of none."""
    for half, sign in (("train", "train"), ("validation", "val")):
        if sign in name:
            return half
    return "test"


def _percents(cells: Sequence[str]) -> list[str]:
    """Accuracies in percent, with their digits; a column in which none exceeds 1 holds fractions."""
    bare = [cell.partition("±")[0].strip() for cell in cells]
    if all(exact(cell) <= 1 and "%" not in cell for cell in bare if cell):
        return [str(Decimal(cell).scaleb(2)) if cell else "" for cell in bare]
    return bare


def _is_number(cell: str) -> bool:
    try:
        exact(cell)
    except UserError:
        return False
    return True
