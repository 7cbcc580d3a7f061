"""``cifarlab list``: models, recipes, reports, data sets and runs."""

import json
import shutil
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tyro
from rich.table import Table

from cifarlab.cli.parsing import parse
from cifarlab.cli.tables import print_table
from cifarlab.errors import UserError, nearest, printable


@dataclass(frozen=True)
class Options:
    """Show what there is."""

    what: tyro.conf.Positional[str]
    """models, recipes, reports, data or runs."""
    folder: Path = Path("runs")
    """Where runs are looked for."""
    lab: Path = Path("lab")
    """Where tables that were reproduced are looked for."""
    json: bool = False
    """Print an array of objects."""


def main(arguments: list[str]) -> None:
    """Parse, look, print."""
    options = parse(Options, "list", arguments)
    from cifarlab import catalog

    kinds: dict[str, Callable[[], list[dict[str, Any]]]] = {
        "models": catalog.models,
        "recipes": catalog.recipes,
        "reports": lambda: _reports(options.lab),
        "data": catalog.data_sets,
        "runs": lambda: catalog.runs(options.folder),
    }
    if options.what not in kinds:
        raise UserError(f"list cannot show {options.what!r}; {nearest(options.what, kinds)}")
    rows = kinds[options.what]()
    if options.json:
        print(json.dumps(rows, indent=2))
    elif options.what == "reports":
        print("\n".join(_report_lines(rows, shutil.get_terminal_size().columns)))
    elif options.what == "recipes":
        print("\n".join(_recipe_lines(rows, shutil.get_terminal_size().columns)))
    elif rows:
        print_table(_table(rows))
    else:
        print(f"no runs in {printable(options.folder)}")


def _reports(lab: Path) -> list[dict[str, Any]]:
    from cifarlab.offers import reports
    from cifarlab.studies.cost import slowness

    return reports(lab, slowness())


def _report_lines(rows: list[dict[str, Any]], width: int) -> list[str]:
    """A heading per report, then two lines per item: what it says and what it costs; and what is done."""
    lines = []
    for row in rows:
        lines += ["", f"{row['name']} (report {row['number']}): {row['studied']}"]
        for item in row["items"]:
            said = [*textwrap.wrap(item["claim"], max(width - 6, 20)), _cost_and_state(item)]
            lines += [f"  {item['name']}", *textwrap.indent("\n".join(said), "      ").splitlines()]
    return [*lines[1:], "", "times: predicted for this machine; full with 3 seeds, short and smoke with one"]


def _cost_and_state(item: dict[str, Any]) -> str:
    from cifarlab.report.words import duration

    if item["not_offered"]:
        return f"not offered: {item['not_offered']}"
    cost = "no training"
    if item["runs"]:
        times = ", ".join(
            f"{scale} {duration(item['seconds'][scale])}" for scale in ("full", "short", "smoke")
        )
        cost = times
    done = "".join(
        f"; done: {scale} on {each['data']}, {each['seeds'] or 'no'} seeds, {_verdicts(each['verdicts'])}"
        for scale, found in item["done"].items()
        for each in found
    )
    return cost + done


def _verdicts(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} {verdict}" for verdict, count in counts.items()) or "nothing to judge"


def _recipe_lines(rows: list[dict[str, Any]], width: int) -> list[str]:
    """A heading per report, then its recipes, one to a line that fits into ``width`` columns."""
    widest = max(len(row["name"]) for row in rows)
    lines: list[str] = []
    heading = ""
    for row in rows:
        if (row["report"] or "our own") != heading:
            heading = row["report"] or "our own"
            lines += ["", heading]
        start = f"  {row['name']:<{widest}}  {row['data']:<7} {row['epochs']:>5} epochs  "
        room = max(width - len(start), 20)
        summary = row["summary"]
        lines.append(start + (summary if len(summary) <= room else summary[: room - 1].rstrip() + "…"))
    return lines[1:]


def _table(rows: list[dict[str, Any]]) -> Table:
    table = Table()
    for name in rows[0]:
        # A name is there to be typed: it stays whole, and the other columns give way.
        width = max(len(_cell(row[name])) for row in rows) if name == "name" else None
        table.add_column(name.replace("_", " "), min_width=width, overflow="fold")
    for row in rows:
        table.add_row(*[_cell(value) for value in row.values()])
    return table


def _cell(value: Any) -> str:
    match value:
        case None:
            return ""
        case list():
            return printable(", ".join(map(str, value)))
        case int():
            return f"{value:,}"
        case float():
            return f"{value:.4f}"
        case _:
            return printable(value)
