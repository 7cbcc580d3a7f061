"""``cifarlab study``: variants of a recipe over several seeds."""

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro
from rich.table import Table

from cifarlab.cli.parsing import parse_with_recipe, split_off_recipe, with_whole_flags
from cifarlab.cli.tables import print_table
from cifarlab.errors import Unavailable, printable

if TYPE_CHECKING:
    from cifarlab.studies.table import ItemTable


@dataclass(frozen=True)
class Options:
    """Train RECIPE in all combinations of some values, over several seeds: one table, tests, figures, a page.

    Runs that are there already are not made again; a study that was stopped goes on with the same command.
    """

    vary: Annotated[tyro.conf.UseAppendAction[tuple[str, ...]], tyro.conf.arg(metavar="FIELD V1,V2")] = ()
    """A field of the recipe and its values: --vary optimizer.lr 0.1,0.05. May be given several times."""
    seeds: int = 3
    """So many runs of every variant: seeds 0, 1, …"""
    data: str | None = None
    """digits, cifar10, cifar100, cifar12, or a folder or archive of pictures (default: the recipe's)."""
    protocols: Literal["C", "B,C", "A"] = "C"
    """C: validation chooses the epoch, the test set is opened once. B,C: the test set is also watched. A: as
    the report did it."""
    name: str | None = None
    """Of the study (default: the recipe and the varied fields)."""
    out: Path = Path("lab")
    """Where table, figures and page go: OUT/studies/NAME."""
    runs: Path = Path("runs")
    """Where runs are made and looked for."""
    jobs: int = 1
    """So many runs at once, each in a process of its own; with --cluster per GPU, or per machine without."""
    cluster: Annotated[str | None, tyro.conf.arg(metavar="[ADDRESS]")] = None
    """Make the runs on the Ray cluster at ADDRESS (auto: this machine's), without ADDRESS on a Ray of its own
    on this machine. Needs the extra: cluster."""
    device: str = "auto"
    """auto, cpu, cuda, cuda:1 or mps."""


def main(arguments: list[str]) -> None:
    """Parse, make, print."""
    whole = with_whole_flags(arguments)
    name, named, rest = split_off_recipe(whole, Options, "study")
    options, recipe = parse_with_recipe(Options, f"study {name}", named.make(), rest)
    from cifarlab.studies.grid import values_of
    from cifarlab.studies.progress_display import study_display
    from cifarlab.study import study, study_name

    varied: list[tuple[str, list[Any]]] = []
    for text in options.vary:
        field, _, values = text.partition("=")
        varied.append((field, values_of(recipe, field, values)))
    with study_display() as display:
        table = study(
            name,
            varied,
            name=options.name,
            seeds=options.seeds,
            data=options.data,
            protocols=options.protocols,
            recipe=recipe,
            runs=options.runs,
            lab=options.out,
            device=options.device,
            jobs=options.jobs,
            cluster=options.cluster,
            command=shlex.join(["cifarlab", "study", *arguments]),
            display=display,
        )
    print_table(_table(table))
    folder = options.out / "studies"
    print(f"table: {printable(folder / (options.name or study_name(name, varied)) / 'table.md')}")
    print(f"page: {printable(folder / 'report.html')}")
    failures = sum(len(row.failures) for row in table.rows)
    if failures:
        runs = len(table.rows) * options.seeds
        raise Unavailable(f"{failures} of {runs} runs gave no result; the table says why")


def _table(table: "ItemTable") -> Table:
    """Per variant: runs, mean accuracy with its spread and interval, and time."""
    from cifarlab.report.words import duration
    from cifarlab.studies.printing import estimate_text, interval_text

    shown = Table("variant", "runs", "test accuracy", "95% interval", "time per run")
    for row in table.rows:
        entry = row.entry("test_accuracy", "C") or row.entry("test_accuracy", "A")
        ours = None if entry is None else entry.ours
        shown.add_row(
            printable(row.label),
            str(len(row.runs)),
            estimate_text("test_accuracy", ours),
            interval_text("test_accuracy", None if ours is None else ours.interval),
            duration(row.training_seconds),
        )
        for failure in row.failures:
            shown.add_row("", "", printable(failure))
    return shown
