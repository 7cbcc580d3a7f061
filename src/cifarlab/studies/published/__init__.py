"""The numbers that the five reports state, and the reports' errata.

One JSON file per report, in the format of docs/table-format.md, so that ``cifarlab check-table`` reads them
as it reads any other table.
"""

from dataclasses import replace
from functools import cache
from importlib import resources

from cifarlab.errors import UserError, nearest
from cifarlab.studies.table import Published
from cifarlab.studies.table_check.document import Document, from_text
from cifarlab.studies.table_check.numbers import Erratum

REPORTS = ("tiny-attention", "slim-attention", "small-resnets", "cnn-to-shake-shake", "cbam-aspp")
"""The names of the reports, 000 to 004."""


@cache
def document(report: str) -> Document:
    """All that ``report`` states: numbers, errata, and the facts that tie numbers together.

    Raises:
        UserError: no report has this name; the nearest is said.
    """
    if report not in REPORTS:
        raise UserError(f"no report is called {report!r}; {nearest(report, REPORTS)}")
    file = resources.files(__name__) / f"{report}.json"
    return from_text(file.read_text(encoding="utf-8"), f"{report}.json")


def number(report: str, key: str) -> Published:
    """The number that ``report`` states under ``key``, such as ``resnet24.test_accuracy``.

    Where an erratum concerns it, ``value`` is the number as it is read here, and ``text`` the printed one.

    Raises:
        UserError: no such report or number; the nearest is said.
    """
    stated = {each.key: each for each in document(report).numbers}
    if key not in stated:
        raise UserError(f"report {report} states no {key!r}; {nearest(key, stated)}")
    found = stated[key]
    concerning = (each for each in document(report).errata if key in each.keys)
    return Published(
        quantity=found.quantity,
        value=found.value,
        text=found.shown,
        where=found.where,
        provenance=found.provenance,
        tolerance=found.tolerance,
        erratum="; ".join(f"it says: {each.says}; we read: {each.reading}" for each in concerning),
    )


def keys(report: str) -> tuple[str, ...]:
    """The names of all numbers that ``report`` states."""
    return tuple(each.key for each in document(report).numbers)


def errata(report: str) -> tuple[Erratum, ...]:
    """What is wrong or open in ``report``, in the order of its text."""
    return tuple(replace(each, report=report) for each in document(report).errata)
