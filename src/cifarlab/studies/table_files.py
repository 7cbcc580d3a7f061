"""The files of a study: ``table.json`` for programs, ``table.csv`` for sheets, ``table.md`` for readers."""

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path

from cifarlab import files
from cifarlab.config import from_json, to_json
from cifarlab.errors import UserError, printable
from cifarlab.studies.table import Entry, ItemTable, Row
from cifarlab.studies.table_markdown import markdown

JSON, CSV, MARKDOWN = "table.json", "table.csv", "table.md"
SCHEMA = 1

COLUMNS = (
    *("report", "item", "scale", "data", "official_data"),
    *("row", "recipe", "quantity", "protocol", "n", "mean", "deviation", "low", "high"),
    *("prediction_low", "prediction_high", "values"),
    *("published", "tolerance", "published_text", "provenance", "where", "erratum", "verdict", "reason"),
    *("parameters", "forward_flops", "training_flops", "training_seconds", "zero_activations"),
    *("on_pareto_front", "failures"),
)
"""Of ``table.csv``. Accuracies are fractions, times seconds; an empty cell is a value that does not exist."""

Cell = str | int | float | None


def write_table(table: ItemTable, folder: Path) -> None:
    """Put ``table.json``, ``table.csv`` and ``table.md`` into ``folder``, each whole or not at all.

    Raises:
        UserError: a file cannot be written.
    """
    files.make_folder(folder)
    files.write_json(folder / JSON, to_json(table))
    files.write_atomic(folder / CSV, csv_text(table).encode())
    files.write_atomic(folder / MARKDOWN, markdown(table).encode())


def read_table(folder: Path) -> ItemTable:
    """The table that ``write_table`` left in ``folder``.

    Raises:
        UserError: there is none, it is damaged, or of another version.
    """
    path = folder / JSON
    value = files.read_json(path)
    schema = value.get("schema") if isinstance(value, dict) else None
    if schema != SCHEMA:
        raise UserError(f"{path} has schema {schema!r}; this cifarlab reads schema {SCHEMA}")
    try:
        json.dumps(value, allow_nan=False)
        table: ItemTable = from_json(ItemTable, value)
    except (UserError, ValueError) as error:
        raise UserError(f"{path} is damaged ({error}); make the item again") from error
    return table


def csv_text(table: ItemTable) -> str:
    """One line per row and entry, full precision; a row without entries has one line, for its failures."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in table.rows:
        for entry in row.entries or (None,):
            writer.writerow(_plain(cell) for cell in _cells(table, row, entry))
    return buffer.getvalue()


def _cells(table: ItemTable, row: Row, entry: Entry | None) -> Iterator[Cell]:
    """In the order of ``COLUMNS``."""
    yield from (table.report, table.item, table.scale, table.data, table.official_data)
    yield from (row.label, row.recipe)
    ours = entry.ours if entry else None
    published = entry.published if entry else None
    yield from (entry.quantity, entry.protocol) if entry else (None, None)
    yield from (len(ours.values), ours.mean, ours.deviation) if ours else (None, None, None)
    for bounds in (ours.interval, ours.prediction) if ours else (None, None):
        yield from bounds or (None, None)
    yield " ".join(map(repr, ours.values)) if ours else None
    if published:
        yield from (published.value, published.tolerance, published.text)
        yield from (published.provenance, published.where, published.erratum)
    else:
        yield from (None,) * 6
    yield from (entry.verdict, entry.reason) if entry else (None, None)
    yield from (row.parameters, row.forward_flops, row.training_flops, row.training_seconds)
    yield from (row.zero_activations, row.on_pareto_front, "; ".join(row.failures))


def _plain(cell: Cell) -> str:
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return str(cell).lower()
    return printable(cell) if isinstance(cell, str) else repr(cell)
