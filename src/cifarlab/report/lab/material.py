"""What a figure is drawn from: the table of a study, the folder of its runs, and what the report printed."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from cifarlab import run
from cifarlab.errors import UserError
from cifarlab.recipe import Recipe
from cifarlab.recipes import recipe_named
from cifarlab.report.lab.reference import Reference
from cifarlab.report.run_folder import read_metrics
from cifarlab.studies.table import Entry, ItemTable, Row

Rows = tuple[Mapping[str, float], ...]
LABEL_SEPARATOR = " · "
"""Between the network and what was varied, in the labels of a grid of both."""
MOST_LINES = 6
"""In one panel, where there are many."""


@dataclass(frozen=True)
class Material:
    """All that a figure may use."""

    table: ItemTable
    runs: Path
    """The folder in which the rows' runs lie."""
    reference: Reference = Reference()

    def logs(self, row: Row, key: str) -> tuple[Rows, ...]:
        """The logs of the row's runs that know ``key``; those under protocol A where no other does."""
        for names in (row.runs, row.published_runs):
            logs = [read_metrics(self.runs / name / run.METRICS)[0] for name in names]
            if found := tuple(log for log in logs if any(key in line for line in log)):
                return found
        return ()

    def folders(self, row: Row) -> Iterator[Path]:
        """The folders of the row's runs that exist, protocol C before A."""
        return (path for name in (*row.runs, *row.published_runs) if run.is_run(path := self.runs / name))

    def description(self, row: Row) -> run.RunDescription | None:
        """That of the row's first run, if there is one."""
        return next(map(run.read_description, self.folders(row)), None)

    def recipe(self, row: Row) -> Recipe:
        """What the row's runs were trained with, which a scale may have shortened; else the named recipe."""
        made = self.description(row)
        return made.recipe if made else recipe_named(row.recipe).make()

    def best_run(self) -> tuple[Row, Path]:
        """The row with the best accuracy and the folder of its first finished run.

        Raises:
            UserError: no row has a finished run.
        """
        for row in sorted(self.table.rows, key=lambda row: -accuracy_of(row)):
            for folder in self.folders(row):
                if (ending := run.read_ending(folder)) and ending["status"] == "finished":
                    return row, folder
        raise UserError("no run of this item has finished")


def accuracy_entry(row: Row) -> Entry | None:
    """The row's test accuracy of ours: under protocol C, else A, B or of the last epoch."""
    entries = (row.entry("test_accuracy", protocol) for protocol in ("C", "A", "B", "last"))
    return next((entry for entry in entries if entry and entry.ours), None)


def accuracy_of(row: Row) -> float:
    """Its mean; less than any accuracy where there is none."""
    entry = accuracy_entry(row)
    return entry.ours.mean if entry and entry.ours else -1.0


def grouped(rows: tuple[Row, ...]) -> dict[str, list[tuple[str, Row]]]:
    """Rows by the first part of their labels, each with the rest of its label.

    Labels without parts make one group without a name, or groups of ``MOST_LINES`` where that is too many.
    """
    parts = [row.label.partition(LABEL_SEPARATOR) for row in rows]
    heads = dict.fromkeys(head for head, _, _ in parts)
    if not all(rest for _, _, rest in parts) or not 1 < len(heads) < len(rows) or len(rows) <= 4:
        named = [(row.label, row) for row in rows]
        if len(rows) <= MOST_LINES + 2:
            return {"": named}
        starts = range(0, len(rows), MOST_LINES)
        return {
            f"variants {start + 1}–{min(start + MOST_LINES, len(rows))}": named[start : start + MOST_LINES]
            for start in starts
        }
    groups: dict[str, list[tuple[str, Row]]] = {head: [] for head in heads}
    for (head, _, rest), row in zip(parts, rows, strict=True):
        groups[head].append((rest, row))
    return groups
