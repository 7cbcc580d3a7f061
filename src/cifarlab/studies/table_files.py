"""The files of a study: ``table.json`` for programs, ``table.csv`` for sheets, ``table.md`` for readers."""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from cifarlab import files
from cifarlab.config import from_json, to_json
from cifarlab.errors import UserError, printable
from cifarlab.studies import printing
from cifarlab.studies.table import Comparison, Entry, Estimate, ItemTable, Row

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


def markdown(table: ItemTable) -> str:
    """A paper's table, theirs beside ours, then claims, comparisons, assumptions and errata."""
    blocks = [
        f"# Report {_safe(table.report)}, {_safe(table.item)}: {_safe(table.title)}",
        _safe(table.question),
        *(f"**{_safe(text)}**" for text in cautions(table)),
        f"Data: {_safe(printing.data_text(table.data))}. "
        f"Seeds: {', '.join(map(str, table.seeds)) or 'none'}. Scale: {table.scale}.",
        *(f"Made on {_safe(machine.hardware)} with {_safe(machine.versions)}." for machine in table.machines),
        *_result_blocks(table),
        *_list("Claims", _claim_lines(table)),
        *_list("Comparisons", map(comparison_text, table.comparisons)),
        *_list("Assumptions of ours, where the report is silent", table.assumptions),
        *_list("Errata of the report", all_errata(table)),
        *_list("Runs that failed", (f"{row.label}: {text}" for row in table.rows for text in row.failures)),
        *([f"Command: `{printable(table.command).replace('`', '')}`"] if table.command else []),
    ]
    return "\n\n".join(blocks) + "\n"


def cautions(table: ItemTable) -> list[str]:
    """What keeps the numbers from being taken for more than they are: scale, then data; often nothing."""
    found = []
    if table.scale == "smoke":
        found.append("This is a smoke run: it shows that the path works and nothing about accuracy.")
    elif table.scale == "short":
        found.append("This is a shortened run: its numbers cannot be held against those of the report.")
    if table.scale_note:
        found.append(table.scale_note)
    if not table.official_data:
        found.append(f"The data are not those of the report: {printing.data_text(table.data)}.")
    return found


def all_errata(table: ItemTable) -> list[str]:
    """What is wrong in the report, each once: of the item, then of single numbers."""
    published = [entry.published for row in table.rows for entry in row.entries]
    published += [claim.published for claim in table.claims]
    own = [f"{one.where}, {one.text}: {one.erratum}" for one in published if one and one.erratum]
    # The item repeats what concerns its numbers; beside the number it stands already.
    others = [each for each in table.errata if not any(each in line for line in own)]
    return list(dict.fromkeys([*others, *own]))


def comparison_text(comparison: Comparison) -> str:
    """Two rows, their difference, and what the two paired tests say of it, in one sentence."""
    c = comparison
    interval = f", 95% interval {printing.interval_text('difference', c.interval)}" if c.interval else ""
    seeds = "" if c.p_seeds is None else f"; over seeds p = {c.p_seeds:.2g}{_holm(c.p_seeds_holm)}"
    return (
        f"{c.first} against {c.second}: {printing.value_text('difference', c.difference)}{interval}{seeds}; "
        f"over test images p = {c.p_images:.2g}{_holm(c.p_images_holm)}"
    )


def _holm(p: float | None) -> str:
    return "" if p is None else f" (Holm {p:.2g})"


def _result_blocks(table: ItemTable) -> Iterator[str]:
    """One table per quantity and protocol, in the order of their first appearance."""
    kinds = dict.fromkeys((e.quantity, e.protocol) for row in table.rows for e in row.entries)
    for quantity, protocol in kinds:
        found = [(row, entry) for row in table.rows if (entry := row.entry(quantity, protocol))]
        runs = sorted({len(entry.ours.values) for _, entry in found if entry.ours})
        n = f" (n={'–'.join(map(str, dict.fromkeys((runs[0], runs[-1]))))})" if runs else ""
        name = printing.entry_name(quantity, protocol)
        heads = (
            *("variant", "report", f"ours{n}", "95% interval", "verdict"),
            *("parameters", "training FLOPs", "seconds"),
        )
        lines = [heads, ["---", *["---:"] * 3, "---", *["---:"] * 3]]
        lines += [_markdown_row(row, entry) for row, entry in found]
        yield f"## {name[0].upper()}{name[1:]}"
        yield "\n".join(f"| {' | '.join(line)} |" for line in lines)
        reasons = {entry.reason: None for _, entry in found if entry.verdict and entry.reason}
        yield from (f"- {_safe(reason)}" for reason in reasons)


def _markdown_row(row: Row, entry: Entry) -> Sequence[str]:
    ours: Estimate | None = entry.ours
    missing = printing.MISSING
    return (
        _safe(row.label),
        _safe(entry.published.text) if entry.published else missing,
        printing.estimate_text(entry.quantity, ours),
        printing.interval_text(entry.quantity, ours.interval if ours else None),
        entry.verdict or missing,
        missing if row.parameters is None else f"{row.parameters:,}",
        missing if row.training_flops is None else f"{row.training_flops:.3g}",
        missing if row.training_seconds is None else f"{row.training_seconds:,.1f}",
    )


def _claim_lines(table: ItemTable) -> Iterator[str]:
    for claim in table.claims:
        quantity = claim.published.quantity if claim.published else "difference"
        theirs = f"report {claim.published.text}, " if claim.published else ""
        ours = f"ours {printing.estimate_text(quantity, claim.ours)} ({claim.measured})"
        yield f"{claim.text} ({claim.where}): {theirs}{ours}: {claim.verdict}. {claim.reason}"


def _list(title: str, lines: Iterable[str]) -> list[str]:
    found = [f"- {_safe(line)}" for line in lines]
    return [f"## {title}", "\n".join(found)] if found else []


def _safe(text: str) -> str:
    """Plain text as Markdown: no cell, tag or link of its own, on one line."""
    escaped = printable(text).replace("\\", "\\\\").replace("|", "\\|")
    return escaped.replace("&", "&amp;").replace("<", "&lt;").replace("[", "\\[")
