"""A table file: what a report states, as docs/table-format.md describes it."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from cifarlab.config import from_json
from cifarlab.errors import UserError, printable
from cifarlab.files import one_line_errors
from cifarlab.studies.table_check.facts import Fact
from cifarlab.studies.table_check.finding import Finding
from cifarlab.studies.table_check.numbers import Erratum, StatedNumber
from cifarlab.studies.table_check.printed import PrintedFloat

LARGEST_FILE = 16 * 2**20
"""In bytes."""


@dataclass(frozen=True)
class Document:
    """What is checked together: single numbers, and facts that tie numbers to one another."""

    title: str = ""
    numbers: tuple[StatedNumber, ...] = ()
    errata: tuple[Erratum, ...] = ()
    facts: tuple[Fact, ...] = ()

    def findings(self) -> Iterator[Finding]:
        """Everything that the rules find, in the file's order."""
        for each in (*self.numbers, *self.facts):
            yield from each.findings()


def read_text(path: Path) -> str:
    """The text of a table file.

    Raises:
        UserError: it cannot be read, is too large for a table, or is not UTF-8.
    """
    with one_line_errors(f"read {path}"):
        if path.stat().st_size > LARGEST_FILE:
            raise UserError(f"{path} is too large for a table")
        content = path.read_bytes()
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not a text in UTF-8; save the table as UTF-8") from error


def from_text(text: str, origin: object) -> Document:
    """The document in the JSON ``text``; ``origin`` is named in the error.

    Raises:
        UserError: it is not JSON, or not a table file.
    """
    try:
        value = json.loads(
            text, parse_float=PrintedFloat, parse_constant=_refuse, object_pairs_hook=_once_each
        )
    except (ValueError, RecursionError) as error:
        raise UserError(f"{origin} is damaged: it is not JSON ({str(error)[:120]})") from error
    try:
        document: Document = from_json(Document, value)
    except (UserError, RecursionError) as error:
        raise UserError(f"{origin} is no table file: {str(error)[:200]}; see docs/table-format.md") from error
    return document


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no number")


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError(f"a field stands twice: {printable(', '.join(name for name, _ in pairs)[:60])}")
    return found
