"""``cifarlab check-table``: errors that a published table gives away by itself."""

import difflib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import tyro

from cifarlab.cli.parsing import parse
from cifarlab.errors import UserError, nearest, printable
from cifarlab.files import one_line_errors

if TYPE_CHECKING:
    from cifarlab.studies.table_check.document import Document


@dataclass(frozen=True)
class Options:
    """Find numbers of a published table that contradict one another."""

    file: tyro.conf.Positional[Path]
    """A table as JSON or CSV (docs/table-format.md), or the name of a report, such as small-resnets."""
    images: int | None = None
    """Test images that the accuracies of a CSV were measured on."""
    json: bool = False
    """Print the findings as an array of objects."""


def main(arguments: list[str]) -> None:
    """Parse, check, print. Findings are no failure: the exit code is 0 whatever was found."""
    options = parse(Options, "check-table", arguments)
    found = list(_document(options).findings())
    if options.json:
        print(json.dumps([asdict(each) for each in found], indent=2))
        return
    for each in found:
        print(printable(f"{each.where}: {each.message} [{each.rule}]"))
    if not found:
        print("no errors found")


def _document(options: Options) -> "Document":
    from cifarlab.studies import published
    from cifarlab.studies.table_check import document
    from cifarlab.studies.table_check.csv_table import from_csv
    from cifarlab.studies.table_check.printed import require_counts

    require_counts("--images", options.images)
    name = str(options.file)
    with one_line_errors(f"look at {name}"):
        is_here = options.file.exists()
    if name in published.REPORTS and not is_here:
        _refuse_images(options)
        return published.document(name)
    if not is_here and difflib.get_close_matches(name, published.REPORTS, n=1):
        raise UserError(f"there is no file {name}; {nearest(name, published.REPORTS)}")
    text = document.read_text(options.file)
    suffix = options.file.suffix.lower()
    if suffix == ".json" or (suffix not in (".csv", ".tsv") and text.lstrip()[:1] in ("{", "[")):
        _refuse_images(options)
        return document.from_text(text, options.file)
    return from_csv(text, options.file, options.images)


def _refuse_images(options: Options) -> None:
    if options.images is not None:
        raise UserError(f"--images is for a CSV; {printable(options.file)} has its own numbers of images")
