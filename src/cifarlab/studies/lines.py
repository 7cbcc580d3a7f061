"""The numbers of a table in words, arranged once for ``table.md`` and for the pages.

Theirs beside ours (what the report states) and our own accuracies under every protocol are two tables.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from cifarlab.studies import printing
from cifarlab.studies.remarks import note_numbers
from cifarlab.studies.table import Entry, ItemTable, Quantity, Row, Verdict

Kind = tuple[Quantity, str]
"""A quantity and its protocol."""

OWN_KINDS: dict[Kind, str] = {
    ("test_accuracy", "A"): "A",
    ("test_accuracy", "C"): "C",
    ("test_accuracy", "B"): "B",
    ("test_accuracy", "last"): "last epoch",
    ("difference", "B"): "optimism (B − C)",
    ("val_accuracy", "C"): "validation",
}
"""Of our own accuracies, with the heads of their columns."""
CHOSEN: Kind = ("test_accuracy", "C")


@dataclass(frozen=True)
class Line:
    """One quantity of one row, in words."""

    label: str
    quantity: str
    theirs: str
    origin: str
    """Who gives ``theirs``, where it is not the report: ``computed by us``."""
    where: str
    notes: tuple[int, ...]
    """The numbers of the errata that concern it."""
    ours: str
    runs: int
    interval: str
    prediction: str
    verdict: Verdict | None
    reason: str


@dataclass(frozen=True)
class OwnAccuracies:
    """Our accuracies, a line per variant that has any."""

    heads: tuple[str, ...]
    lines: tuple[tuple[str, int, str, tuple[str, ...]], ...]
    """Label, number of runs, 95 % interval of C, and a cell for each head."""


def stated_lines(row: Row, table: ItemTable, errata: Sequence[str]) -> tuple[Line, ...]:
    """What the report states of this row: judged numbers first, accuracies before the rest."""
    order = list(printing.NAMES)
    stated = [entry for entry in row.entries if entry.published is not None]
    return tuple(
        line(row, each, table, errata)
        for each in sorted(stated, key=lambda e: (e.verdict is None, order.index(e.quantity)))
    )


def chosen_lines(row: Row, table: ItemTable, errata: Sequence[str]) -> tuple[Line, ...]:
    """Our accuracy under protocol C, unless it stands among ``stated_lines``."""
    entry = row.entry(*CHOSEN)
    return () if entry is None or entry.published else (line(row, entry, table, errata),)


def other_lines(row: Row, table: ItemTable, errata: Sequence[str]) -> tuple[Line, ...]:
    """What neither the report states nor ``own_accuracies`` shows."""
    rest = (e for e in row.entries if e.published is None and (e.quantity, e.protocol) not in OWN_KINDS)
    return tuple(line(row, each, table, errata) for each in rest)


def line(row: Row, entry: Entry, table: ItemTable, errata: Sequence[str]) -> Line:
    """One entry in words; ``errata`` are the table's, in the order of their numbers."""
    ours, published, quantity = entry.ours, entry.published, entry.quantity
    return Line(
        label=row.label,
        quantity=printing.entry_name(quantity, entry.protocol),
        theirs=published.text if published else printing.MISSING,
        origin=printing.origin_text(published),
        where=published.where if published else "",
        notes=note_numbers(published, table, errata),
        ours=printing.estimate_text(quantity, ours),
        runs=len(ours.values) if ours else 0,
        interval=printing.interval_text(quantity, ours.interval if ours else None),
        prediction=printing.interval_text(quantity, ours.prediction if ours else None),
        verdict=entry.verdict,
        reason=entry.reason,
    )


def own_accuracies(table: ItemTable) -> OwnAccuracies:
    """Our accuracies under every protocol; A only where some row has it and the report no number for it."""
    there = {(e.quantity, e.protocol) for row in table.rows for e in row.entries}
    if not any(_is_own_published_protocol(row) for row in table.rows):
        there.discard(("test_accuracy", "A"))
    kinds = [kind for kind in OWN_KINDS if kind in there]
    lines = []
    for row in table.rows:
        entries = [row.entry(*kind) for kind in kinds]
        runs = [len(entry.ours.values) for entry in entries if entry and entry.ours]
        if runs:
            chosen = row.entry(*CHOSEN)
            interval = chosen.ours.interval if chosen and chosen.ours else None
            cells = tuple(
                printing.estimate_text(e.quantity, e.ours) if e else printing.MISSING for e in entries
            )
            lines.append((row.label, max(runs), printing.interval_text("test_accuracy", interval), cells))
    return OwnAccuracies(tuple(OWN_KINDS[kind] for kind in kinds), tuple(lines))


def _is_own_published_protocol(row: Row) -> bool:
    entry = row.entry("test_accuracy", "A")
    return entry is not None and entry.published is None
