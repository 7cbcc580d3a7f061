"""``cifarlab list``: models, recipes, reports, data sets and runs."""

import json
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
    json: bool = False
    """Print an array of objects."""


def main(arguments: list[str]) -> None:
    """Parse, look, print."""
    options = parse(Options, "list", arguments)
    from cifarlab import catalog

    kinds: dict[str, Callable[[], list[dict[str, Any]]]] = {
        "models": catalog.models,
        "recipes": catalog.recipes,
        "reports": catalog.reports,
        "data": catalog.data_sets,
        "runs": lambda: catalog.runs(options.folder),
    }
    if options.what not in kinds:
        raise UserError(f"list cannot show {options.what!r}; {nearest(options.what, kinds)}")
    rows = kinds[options.what]()
    if options.json:
        print(json.dumps(rows, indent=2))
    elif rows:
        print_table(_table(rows))
    else:
        print(f"no runs in {printable(options.folder)}")


def _table(rows: list[dict[str, Any]]) -> Table:
    table = Table(*[name.replace("_", " ") for name in rows[0]])
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
