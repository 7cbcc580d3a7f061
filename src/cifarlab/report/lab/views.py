"""What the pages of a lab show of one item, as plain values: no template has to decide anything."""

import base64
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from cifarlab.errors import UserError
from cifarlab.files import one_line_errors
from cifarlab.report import words
from cifarlab.report.drawing import Picture
from cifarlab.report.lab.drawn import FigureFile, read_index
from cifarlab.studies import printing
from cifarlab.studies.table import Claim, Comparison, Entry, ItemTable, Published, Row, Verdict
from cifarlab.studies.table_files import all_errata, read_table


@dataclass(frozen=True)
class VerdictStyle:
    """How a verdict is shown, to be told from the others without color, and what it means."""

    symbol: str
    kind: str
    """``good``, ``bad`` or ``open``, for the color."""
    meaning: str


VERDICTS: dict[Verdict, VerdictStyle] = {
    "reproduced": VerdictStyle("✓", "good", "the report's number lies where one more run of ours would lie"),
    "higher": VerdictStyle("▲", "bad", "ours is higher than the report's number, by more than chance"),
    "lower": VerdictStyle("▼", "bad", "ours is lower than the report's number, by more than chance"),
    "underpowered": VerdictStyle("?", "open", "too few runs, or too much scatter, to tell"),
    "not identifiable": VerdictStyle("○", "open", "the report says too little to repeat it"),
    "not comparable": VerdictStyle("◇", "open", "data, schedule, scale or hardware differ from the report's"),
}
PROTOCOLS = {
    "A": "A: judged as the report did it. What is held against the report.",
    "B": "B: the best epoch on the test set. Its distance from C is the optimism of choosing there.",
    "C": "C: a validation split chooses the epoch, and the test set is opened once.",
    "last": "last: the last epoch, nothing chosen.",
}
SCALES = ("full", "short", "smoke", "own")
"""In the order in which they are shown."""


@dataclass(frozen=True)
class Line:
    """One quantity of one row, in words."""

    label: str
    quantity: str
    theirs: str
    where: str
    note: int | None
    """The number of the erratum below the table."""
    ours: str
    runs: int
    interval: str
    prediction: str
    verdict: Verdict | None
    reason: str


@dataclass(frozen=True)
class Figure:
    """A figure with its picture, or why there is none."""

    file: FigureFile
    picture: Picture | None


@dataclass(frozen=True)
class ItemView:
    """One item of a report."""

    folder: str
    anchor: str
    table: ItemTable
    lines: tuple[Line, ...]
    """Theirs beside ours, and ours under protocol C."""
    other_lines: tuple[Line, ...]
    notes: tuple[str, ...]
    """Errata of single numbers; ``Line.note`` counts them from 1."""
    errata: tuple[str, ...]
    """Of the item, beyond those in ``notes``."""
    claims: tuple[tuple[Claim, str, str], ...]
    """Each with what the report gives and what we found."""
    comparisons: tuple[tuple[Comparison, str, str], ...]
    """Each with its difference and interval in words."""
    figures: tuple[Figure, ...]
    failures: tuple[str, ...]
    verdicts: Mapping[Verdict, int]

    @property
    def has_costs(self) -> bool:
        """Whether any row knows what it cost."""
        return any(row.parameters is not None or row.training_flops is not None for row in self.table.rows)

    @property
    def has_zeros(self) -> bool:
        """Whether the share of zero activations was measured."""
        return any(row.zero_activations is not None for row in self.table.rows)


def read_item(folder: Path) -> ItemView:
    """The item in ``folder``.

    Raises:
        UserError: its table or the index of its figures is damaged.
    """
    table = read_table(folder)
    concerned = [each.published for row in table.rows for each in row.entries if each.published]
    concerned += [claim.published for claim in table.claims if claim.published]
    notes = tuple(dict.fromkeys(each.erratum for each in concerned if each.erratum))
    lines: list[Line] = []
    others: list[Line] = []
    for row in table.rows:
        for entry in row.entries:
            (lines if _is_main(entry) else others).append(_line(row, entry, notes))
    return ItemView(
        folder=folder.name,
        anchor=re.sub(r"[^a-z0-9]+", "-", folder.name.lower()).strip("-") or "item",
        table=table,
        lines=tuple(lines),
        other_lines=tuple(others),
        notes=notes,
        errata=tuple(text for text in all_errata(table) if text in table.errata),
        claims=tuple((claim, *_claim_words(claim)) for claim in table.claims),
        comparisons=tuple((each, *_comparison_words(each)) for each in table.comparisons),
        figures=tuple(_figure(folder / "figures", file) for file in read_index(folder / "figures")),
        failures=tuple(f"{row.label}: {text}" for row in table.rows for text in row.failures),
        verdicts=count_verdicts([table]),
    )


def count_verdicts(tables: Iterable[ItemTable]) -> dict[Verdict, int]:
    """How often each verdict was given, for numbers and for claims; verdicts never given are left out."""
    given: list[Verdict] = []
    for table in tables:
        given += [e.verdict for row in table.rows for e in row.entries if e.verdict is not None]
        given += [claim.verdict for claim in table.claims]
    return {verdict: given.count(verdict) for verdict in VERDICTS if verdict in given}


def _is_main(entry: Entry) -> bool:
    return entry.published is not None or (entry.quantity, entry.protocol) == ("test_accuracy", "C")


def _line(row: Row, entry: Entry, notes: tuple[str, ...]) -> Line:
    ours, published, quantity = entry.ours, entry.published, entry.quantity
    return Line(
        label=row.label,
        quantity=printing.entry_name(quantity, entry.protocol),
        theirs=published.text if published else printing.MISSING,
        where=_where(published),
        note=notes.index(published.erratum) + 1 if published and published.erratum else None,
        ours=printing.estimate_text(quantity, ours),
        runs=len(ours.values) if ours else 0,
        interval=printing.interval_text(quantity, ours.interval if ours else None),
        prediction=printing.interval_text(quantity, ours.prediction if ours else None),
        verdict=entry.verdict,
        reason=entry.reason,
    )


def _where(published: Published | None) -> str:
    if published is None:
        return ""
    origin = "" if published.provenance == "published" else f" ({published.provenance})"
    return f"{published.where}{origin}"


def _claim_words(claim: Claim) -> tuple[str, str]:
    quantity = claim.published.quantity if claim.published else "difference"
    ours = printing.estimate_text(quantity, claim.ours)
    if claim.ours and claim.ours.interval:
        ours += f" (95% interval {printing.interval_text(quantity, claim.ours.interval)})"
    return (claim.published.text if claim.published else "a direction, no number"), ours


def _comparison_words(comparison: Comparison) -> tuple[str, str]:
    return (
        printing.value_text("difference", comparison.difference),
        printing.interval_text("difference", comparison.interval),
    )


def _figure(folder: Path, file: FigureFile) -> Figure:
    """The figure with its SVG files as data, so that the page is one file."""
    if file.missing:
        return Figure(file, None)
    if Path(file.name).name != file.name:
        raise UserError(f"{folder} has a figure of the odd name {file.name!r}; make the item again")
    light = _uri(folder / f"{file.name}.svg")
    dark = _uri(folder / f"{file.name}-dark.svg") if file.has_dark else light
    return Figure(file, Picture(light, dark, file.width, file.height, file.alternative))


def _uri(path: Path) -> str:
    with one_line_errors(f"read {path}"):
        content = path.read_bytes()
    return f"data:image/svg+xml;base64,{base64.b64encode(content).decode()}"


def probability(p: float | None) -> str:
    """0.000012 → ``< 0.001``; a dash where there is none."""
    if p is None:
        return printing.MISSING
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def cost(row: Row) -> tuple[str, str, str, str]:
    """Parameters, FLOPs of one image and of training, and time, each with its unit or a dash."""
    forward, training = row.forward_flops, row.training_flops
    return (
        printing.MISSING if row.parameters is None else words.count(row.parameters),
        printing.MISSING if forward is None else f"{words.magnitude(forward)}FLOPs",
        printing.MISSING if training is None else f"{words.magnitude(training)}FLOPs",
        printing.MISSING if row.training_seconds is None else words.duration(row.training_seconds),
    )
