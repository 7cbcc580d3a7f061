"""Reproduce an item of a report: its runs, its table with verdicts, its figures, and the pages for them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from cifarlab import run
from cifarlab.data.sources import lasting_name
from cifarlab.data.split import DataDescription
from cifarlab.errors import UserError
from cifarlab.report.lab import draw_figures, write_pages
from cifarlab.runtime import NUMERICS_VERSION
from cifarlab.studies.arrange import Arrangement, arrange, data_of
from cifarlab.studies.assemble import assemble
from cifarlab.studies.items.item import Item
from cifarlab.studies.ledger import Outcome
from cifarlab.studies.orders import Sources
from cifarlab.studies.plan import PlannedRun, identity
from cifarlab.studies.printing import data_text
from cifarlab.studies.progress_display import StudyDisplay
from cifarlab.studies.scale import REPORTED_SIZES, DataSize, Scale, predicted_seconds, size_of
from cifarlab.studies.store import RunStore, ending_of
from cifarlab.studies.table import ItemTable
from cifarlab.studies.table_files import read_table, write_table
from cifarlab.studies.work import make_runs

MOST_SEEDS = 1000
SEEDS = {"smoke": 1, "short": 1, "full": 3}
"""So many seeds where the user gives no number; a verdict needs three."""


@dataclass(frozen=True)
class Prepared:
    """An item whose runs are known and whose data were opened."""

    arrangement: Arrangement
    data_name: str
    data: DataSize
    """Of the whole data set, before the scale takes its part."""
    official_data: bool
    there: Mapping[PlannedRun, Outcome]
    """What there is of every run that the item needs."""

    @property
    def missing(self) -> tuple[PlannedRun, ...]:
        """Runs that have not ended yet, each once."""
        return tuple(each for each, outcome in self.there.items() if outcome.status == "missing")

    @property
    def is_untouched(self) -> bool:
        """Whether it needs runs and has none."""
        return bool(self.there) and len(self.missing) == len(self.there)

    @property
    def reference_seconds(self) -> float:
        """Predicted for what is missing, on the reference machine of ``studies.cost``."""
        used = self.arrangement.size(self.data)
        return sum(predicted_seconds(planned.recipe, used) for planned in self.missing)


def prepare(
    item: Item,
    scale: Scale,
    seeds: int | None,
    data_name: str | None,
    runs: Path,
    lab: Path,
    sources: Sources,
) -> Prepared:
    """Look what an item needs, and what of it is there.

    A table in ``lab`` that has more seeds than are asked for keeps them: their runs are made already.

    Raises:
        UserError: the item is not offered, the data cannot be opened, ``seeds`` is no number of seeds, or
            the item's folder in ``lab`` holds a table of other data.
    """
    count = SEEDS[scale] if seeds is None else seeds
    if not 1 <= count <= MOST_SEEDS:
        raise UserError(f"--seeds must be between 1 and {MOST_SEEDS:,}, found {count}")
    usual = data_of(item)
    if item.not_offered or not item.needs_data:
        data = REPORTED_SIZES[usual]
        return Prepared(arrange(item, scale, (), usual, data), usual, data, True, {})
    name = usual if data_name is None else data_name
    data = size_of(sources.open(name).description)
    count = max(count, _seeds_so_far(lab / item.report / folder_of(item.name, scale, name, usual), name))
    arrangement = arrange(item, scale, range(count), name, data)
    there = found(arrangement.runs, sources.open(arrangement.data).description, runs)
    return Prepared(arrangement, name, data, name == usual, there)


def _seeds_so_far(folder: Path, data_name: str) -> int:
    """Of the table in ``folder``; 0 where there is none that can be used.

    Raises:
        UserError: its data have another name, though one that makes the same folder.
    """
    try:
        table = read_table(folder)
    except UserError:
        return 0
    try:
        is_the_same = lasting_name(table.data) == lasting_name(data_name)
    except (OSError, ValueError):  # what the table names can be no path
        return 0
    if not is_the_same:
        raise UserError(f"{folder} holds the table of {table.data}, not of {data_name}; choose another --out")
    return len(table.seeds) if table.numerics == NUMERICS_VERSION else 0


def found(planned: Iterable[PlannedRun], data: DataDescription, runs: Path) -> dict[PlannedRun, Outcome]:
    """What there is of each of the ``planned`` runs in the folder ``runs``; none is made."""
    store = RunStore(runs)
    outcomes: dict[PlannedRun, Outcome] = {}
    for each in dict.fromkeys(planned):
        first = None if each.after is None else outcomes.get(each.after)
        weights = None
        if first is not None and first.status == "finished" and first.folder is not None:
            weights = run.read_weights(first.folder)[2]
        folder = None
        if each.after is None or weights is not None:
            folder = store.find(identity(each, data, weights).key)
        ended = None if folder is None else ending_of(folder)
        if ended is None:
            outcomes[each] = Outcome(None, "missing", f"seed {each.seed} has not been run to its end")
        else:
            status: Literal["finished", "diverged"] = "finished" if ended[0] == "finished" else "diverged"
            outcomes[each] = Outcome(folder, status, ended[1])
    return outcomes


def collect(
    prepared: Prepared, runs: Path, lab: Path, *, device: str = "auto", command: str = ""
) -> ItemTable:
    """Leave table, figures and pages of what is there, and make no run; what is missing is named in its row.

    Raises:
        UserError: nothing is there, or something cannot be written.
    """
    if prepared.is_untouched:
        item = prepared.arrangement.item
        raise UserError(f"no run of {item.report} {item.name} is there yet; without --collect they are made")
    return _published(prepared, prepared.there, runs, lab, device, command)


def reproduce(
    prepared: Prepared,
    runs: Path,
    lab: Path,
    *,
    device: str = "auto",
    jobs: int = 1,
    cluster: str | None = None,
    display: StudyDisplay | None = None,
    command: str = "",
) -> ItemTable:
    """Make what is missing, and leave ``LAB/REPORT/ITEM/`` with table and figures, and the pages above it.

    Finished runs in ``runs`` are found by what they are, whoever made them.

    Raises:
        UserError: the data cannot be opened, or something cannot be written.
        Stopped: by the user; the same call goes on.
    """
    planned = list(dict.fromkeys(prepared.arrangement.runs))
    made = (
        make_runs(planned, runs, device=device, jobs=jobs, cluster=cluster, command=command, display=display)
        if planned
        else {}
    )
    return _published(prepared, made, runs, lab, device, command)


def _published(
    prepared: Prepared,
    made: Mapping[PlannedRun, Outcome],
    runs: Path,
    lab: Path,
    device: str,
    command: str,
) -> ItemTable:
    """The item's table, written with its figures, and the pages above it."""
    arrangement = prepared.arrangement
    table = assemble(
        arrangement,
        made,
        prepared.data.classes,
        data_name=prepared.data_name,
        official_data=prepared.official_data,
        command=command,
        device=device,
    )
    name = folder_of(arrangement.item.name, arrangement.scale, prepared.data_name, data_of(arrangement.item))
    folder = lab / arrangement.item.report / name
    write_table(table, folder)
    draw_figures(table, runs, folder / "figures")
    write_pages(lab)
    return table


def folder_of(item: str, scale: Scale, data: str, usual: str) -> str:
    """The name of an item's folder; what is not at full scale or on the ``usual`` data says so."""
    parts = [item] if scale == "full" else [item, scale]
    if data != usual:
        # Letters and digits of its last part, so that it is a name everywhere.
        words = "".join(letter if letter.isalnum() else " " for letter in data_text(data)).split()
        parts += ["on", *words]
    return "-".join(parts)
