"""What the pages of a lab show of one item, as plain values: no template has to decide anything."""

import base64
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cifarlab.errors import UserError
from cifarlab.files import one_line_errors
from cifarlab.report import words
from cifarlab.report.drawing import Picture
from cifarlab.report.lab.drawn import FigureFile, read_index
from cifarlab.studies import printing
from cifarlab.studies.lines import (
    Line,
    OwnAccuracies,
    chosen_lines,
    other_lines,
    own_accuracies,
    stated_lines,
)
from cifarlab.studies.remarks import note_numbers, numbered_errata, title
from cifarlab.studies.table import Claim, Comparison, ItemTable, Row, Verdict
from cifarlab.studies.table_files import read_table


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
    "B": "B: the best epoch on the test set, without test-time views. Its distance from C, as far as C has no"
    " views, is the optimism of choosing there.",
    "C": "C: a validation split chooses the epoch, and the test set is opened once.",
    "last": "last: the last epoch, nothing chosen.",
}
SCALES = ("full", "short", "smoke", "own")
"""In the order in which they are shown."""


@dataclass(frozen=True)
class Group:
    """The lines of one variant."""

    label: str
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class ClaimView:
    """A claim with what the report gives and what we found, in words."""

    claim: Claim
    theirs: str
    origin: str
    """As of ``Line``."""
    notes: tuple[int, ...]
    ours: str


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
    title: str
    groups: tuple[Group, ...]
    """Theirs beside ours, and ours under protocol C; variants without any line are left out."""
    own: OwnAccuracies
    other_lines: tuple[Line, ...]
    """Of ours, beyond both."""
    errata: tuple[str, ...]
    """``Line.notes`` count them from 1."""
    claims: tuple[ClaimView, ...]
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
    errata = numbered_errata(table)
    groups = (
        Group(row.label, (*stated_lines(row, table, errata), *chosen_lines(row, table, errata)))
        for row in table.rows
    )
    return ItemView(
        folder=folder.name,
        anchor=re.sub(r"[^a-z0-9]+", "-", folder.name.lower()).strip("-") or "item",
        table=table,
        title=title(table),
        groups=tuple(group for group in groups if group.lines),
        own=own_accuracies(table),
        other_lines=tuple(each for row in table.rows for each in other_lines(row, table, errata)),
        errata=errata,
        claims=tuple(_claim_view(claim, table, errata) for claim in table.claims),
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


def _claim_view(claim: Claim, table: ItemTable, errata: Sequence[str]) -> ClaimView:
    stated = claim.published
    quantity = stated.quantity if stated else "difference"
    ours = printing.estimate_text(quantity, claim.ours)
    if claim.ours and claim.ours.interval:
        ours += f" (95% interval {printing.interval_text(quantity, claim.ours.interval)})"
    return ClaimView(
        claim=claim,
        theirs=stated.text if stated else "a direction, no number",
        origin=printing.origin_text(stated),
        notes=note_numbers(stated, table, errata),
        ours=ours,
    )


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
