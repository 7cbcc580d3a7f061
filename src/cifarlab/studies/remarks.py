"""What stands around the numbers of a table: its heading, what it must not be taken for, numbered errata."""

from collections.abc import Sequence

from cifarlab.runtime import NUMERICS_VERSION
from cifarlab.studies import printing, published
from cifarlab.studies.table import ItemTable, Published


def heading(table: ItemTable) -> str:
    """``Report 003, cnn-to-shake-shake: The four phases``; of a study of one's own ``Study NAME``."""
    if table.scale == "own":
        return title(table)
    known = table.report in published.REPORTS
    number = f"{published.REPORTS.index(table.report):03d}, " if known else ""
    return f"Report {number}{table.report}: {table.title}"


def title(table: ItemTable) -> str:
    """As ``heading``, where the report is named above already."""
    return f"Study {table.title}" if table.scale == "own" else table.title


def cautions(table: ItemTable) -> list[str]:
    """What keeps the numbers from being taken for more than they are: scale, data, age; often nothing."""
    found = []
    if table.scale == "smoke":
        found.append("This is a smoke run: it shows that the path works and nothing about accuracy.")
    elif table.scale == "short":
        found.append("This is a shortened run: its numbers cannot be held against those of the report.")
    if table.scale_note:
        found.append(table.scale_note)
    if not table.official_data:
        found.append(f"The data are not those of the report: {printing.data_text(table.data)}.")
    if table.numerics != NUMERICS_VERSION:
        age = "an earlier" if table.numerics < NUMERICS_VERSION else "a later"
        found.append(f"This was made by {age} version of the arithmetic; make it again.")
    return found


def numbered_errata(table: ItemTable) -> tuple[str, ...]:
    """What is wrong in the report, each once: first what concerns single numbers, in their order."""
    stated = [entry.published for row in table.rows for entry in row.entries]
    stated += [claim.published for claim in table.claims]
    single = [text for one in stated for text in _errata_of(one, table.report)]
    # The item may give several in one line; those that stand beside numbers already are not said again.
    others = [text for each in table.errata for text in _divided(each, table.report)]
    return tuple(dict.fromkeys([*single, *others]))


def note_numbers(one: Published | None, table: ItemTable, errata: Sequence[str]) -> tuple[int, ...]:
    """The numbers, from 1, of those of the numbered ``errata`` that concern a published number."""
    return tuple(errata.index(text) + 1 for text in _errata_of(one, table.report))


def _errata_of(one: Published | None, report: str) -> list[str]:
    return _divided(one.erratum, report) if one is not None and one.erratum else []


def _divided(text: str, report: str) -> list[str]:
    """The errata of the report that ``text`` joins; the text itself where it is none of these."""
    if report not in published.REPORTS:
        return [text]
    found = (each for each in published.errata(report) if each.says in text and each.reading in text)
    return [f"it says: {each.says}; we read: {each.reading}" for each in found] or [text]
