"""``cifarlab reproduce``: a table or figure of a report, made again and judged."""

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro
from rich.table import Table

from cifarlab.cli.parsing import parse, with_whole_flags
from cifarlab.cli.tables import print_table
from cifarlab.errors import Unavailable, UserError, printable

if TYPE_CHECKING:
    from cifarlab.reproduce import Prepared
    from cifarlab.studies.items.item import Item
    from cifarlab.studies.table import ItemTable

EVERYTHING = "all"
LONG_SECONDS = 24 * 3600.0
"""From here on a shorter way is pointed out."""


@dataclass(frozen=True)
class Options:
    """Make a table or figure of a report again: theirs beside ours, with verdicts.

    cifarlab list reports shows all items.
    """

    report: tyro.conf.Positional[str]
    """tiny-attention, slim-attention, small-resnets, cnn-to-shake-shake, cbam-aspp, or all."""
    item: tyro.conf.Positional[str | None] = None
    """One of its items (default: all that are offered)."""
    scale: Literal["smoke", "short", "full"] = "full"
    """smoke: 256 images, 2 epochs, proves the path. short: cut to a predicted 20 minutes of two CPU cores.
    full: the report's own schedule. Only full, on the report's data, is judged."""
    seeds: int | None = None
    """So many runs of each row (default: 3 at full, else 1). A verdict needs 3."""
    data: str | None = None
    """Another data set than the report's: a name, folder or archive of pictures."""
    out: Path = Path("lab")
    """Where tables, figures and pages go."""
    runs: Path = Path("runs")
    """Where runs are made and looked for; those that are there are not made again."""
    jobs: int = 1
    """So many runs at once, each in a process of its own."""
    cluster: Annotated[str | None, tyro.conf.arg(metavar="[ADDRESS]")] = None
    """Make the runs on the Ray cluster at ADDRESS (auto: this machine's), without ADDRESS on a Ray of its own
    on this machine. Needs the extra: cluster."""
    device: str = "auto"
    """auto, cpu, cuda, cuda:1 or mps."""
    plan: bool = False
    """Only show what would be made and how long it would take."""
    collect: bool = False
    """Make no run: table, figures and pages of those that are there. What is missing is named. It takes the
    data set, too, since runs are known by the hash of their data."""


def main(arguments: list[str]) -> None:
    """Parse, predict, make, print."""
    options = parse(Options, "reproduce REPORT [ITEM]", with_whole_flags(arguments))
    if options.plan and options.collect:
        raise UserError("--plan shows what is missing, --collect what is there: give one of them")
    if options.jobs < 1:
        raise UserError(f"--jobs must be at least 1, found {options.jobs}")
    items = _chosen(options)
    from cifarlab.reproduce import collect, prepare, reproduce
    from cifarlab.studies.cost import slowness
    from cifarlab.studies.orders import Sources
    from cifarlab.studies.progress_display import study_display

    sources = Sources()
    prepared = [
        prepare(item, options.scale, options.seeds, options.data, options.runs, options.out, sources)
        for item in items
    ]
    command = shlex.join(["cifarlab", "reproduce", *arguments])
    if options.collect:
        there = [each for each in prepared if not each.is_untouched]
        for each in there or prepared[:1]:  # where there is nothing at all, the first one says so
            _show(collect(each, options.runs, options.out, device=options.device, command=command))
        _name_pages([each.arrangement.item for each in there], options.out)
        return
    needs_runs = any(each.missing for each in prepared)
    factor = slowness(options.device) if needs_runs and options.cluster is None else 1.0
    _announce(prepared, factor, options)
    if options.plan:
        return
    failures = 0
    for each in prepared:
        with study_display() as display:
            table = reproduce(
                each,
                options.runs,
                options.out,
                device=options.device,
                jobs=options.jobs,
                cluster=options.cluster,
                display=display,
                command=command,
            )
        _show(table)
        failures += sum(len(row.failures) for row in table.rows)
    _name_pages(items, options.out)
    if failures:
        runs = "1 run" if failures == 1 else f"{failures} runs"
        raise Unavailable(f"{runs} gave no result; the tables say why")


def _chosen(options: Options) -> "list[Item]":
    """The items that are asked for and offered."""
    from cifarlab.studies.items import ITEMS, item_named, items_of

    if options.item is not None:
        return [item_named(options.report, options.item)]
    reports = list(ITEMS) if options.report == EVERYTHING else [options.report]
    items = [item for report in reports for item in items_of(report).values()]
    for item in items:
        if item.not_offered:
            print(f"{item.report} {item.name} is not offered: {item.not_offered}")
    return [item for item in items if not item.not_offered]


def _name_pages(items: "list[Item]", out: Path) -> None:
    for report in dict.fromkeys(item.report for item in items):
        print(f"report: {printable(out / report / 'report.html')}")


def _announce(prepared: "list[Prepared]", factor: float, options: Options) -> None:
    """What will be made, and how long it will take here."""
    from cifarlab.report.words import duration

    table = Table("item", "runs", "to be made", "predicted here")
    total = 0.0
    for each in prepared:
        item, seconds = each.arrangement.item, each.reference_seconds * factor
        total += seconds
        runs = len(set(each.arrangement.runs))
        told = duration(seconds) if each.missing else "–"
        table.add_row(f"{item.report} {item.name}", str(runs), str(len(each.missing)), told)
    print_table(table)
    for note in sorted({each.arrangement.scale_note for each in prepared if each.arrangement.scale_note}):
        print(f"{options.scale}: {note}")
    if total > LONG_SECONDS and options.scale == "full" and not options.plan:
        print(
            f"about {duration(total)} in all; Ctrl-C stops, the same command goes on. "
            "--scale short is cut to a predicted 20 minutes of two CPU cores for each item"
        )


def _show(table: "ItemTable") -> None:
    """The rows that the report gives numbers of, or ours alone, and the claims."""
    from cifarlab.studies.printing import estimate_text

    shown = Table("row", "quantity", "report", "ours", "verdict", title=printable(table.title))
    for row in table.rows:
        entries = [each for each in row.entries if each.published is not None]
        for entry in entries or [each for each in row.entries if each.protocol == "C"][:1]:
            theirs = "" if entry.published is None else entry.published.text
            shown.add_row(
                printable(row.label),
                " ".join([entry.quantity.replace("_", " "), entry.protocol]).strip(),
                printable(theirs),
                estimate_text(entry.quantity, entry.ours),
                entry.verdict or "",
            )
        for failure in row.failures:
            shown.add_row(printable(row.label), "", "", printable(failure), "")
    print_table(shown)
    for claim in table.claims:
        print(f"{printable(claim.text)}: {claim.verdict} ({printable(claim.reason)})")
    if table.scale == "smoke":
        print("a smoke run shows that the path works, and nothing about accuracy")
