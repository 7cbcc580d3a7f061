"""The pages of a lab: one per report and one for all, rebuilt from the tables and figures that lie there.

A lab is a folder ``LAB/REPORT/ITEM``, or ``ITEM-SCALE`` at another scale than ``full``; in each of these lie
``table.json`` and ``figures``. Equal labs give equal pages.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment

from cifarlab import files
from cifarlab.errors import UserError
from cifarlab.recipes.reports import REPORTS, Report
from cifarlab.report.lab.calibration import calibration
from cifarlab.report.lab.views import (
    PROTOCOLS,
    SCALES,
    VERDICTS,
    ItemView,
    cost,
    count_verdicts,
    probability,
    read_item,
)
from cifarlab.report.page import environment
from cifarlab.studies.printing import data_text
from cifarlab.studies.published import errata
from cifarlab.studies.remarks import cautions
from cifarlab.studies.table import ItemTable, Verdict
from cifarlab.studies.table_check.numbers import Erratum
from cifarlab.studies.table_files import JSON

PAGE = "report.html"


@dataclass(frozen=True)
class ReportView:
    """All items of one report that were made."""

    folder: str
    report: Report | None
    """None for studies that belong to no report."""
    items: tuple[ItemView, ...]
    damaged: tuple[str, ...]
    """Items that could not be read, and why."""

    @property
    def title(self) -> str:
        """Such as ``Report 002: small-resnets``."""
        return f"Report {self.report.number}: {self.report.name}" if self.report else self.folder

    @property
    def errata(self) -> tuple[Erratum, ...]:
        """All that is wrong or open in the report, whether an item that was made uses it or not."""
        return errata(self.report.name) if self.report else ()

    def tables(self, *scales: str) -> list[ItemTable]:
        """Those of the given scales."""
        return [item.table for item in self.items if item.table.scale in scales]

    def verdicts(self, *scales: str) -> dict[Verdict, int]:
        """How often each verdict was given at these scales."""
        return count_verdicts(self.tables(*scales))


def write_pages(lab: Path) -> list[Path]:
    """Write ``LAB/REPORT/report.html`` for every report and ``LAB/report.html``; the last path is the latter.

    Raises:
        UserError: no item lies in ``lab``, or a page cannot be written.
    """
    reports = [view for folder in _folders(lab) if (view := read_report(folder)) is not None]
    if not reports:
        raise UserError(f"there is no item in {lab}; make one with cifarlab reproduce")
    order = {report.name: place for place, report in enumerate(REPORTS)}
    reports.sort(key=lambda view: (order.get(view.report.name if view.report else "", 99), view.folder))
    written = []
    for view in reports:
        written.append(lab / view.folder / PAGE)
        files.write_atomic(written[-1], render_report(view).encode())
    written.append(lab / PAGE)
    files.write_atomic(written[-1], render_lab(reports).encode())
    return written


def read_report(folder: Path) -> ReportView | None:
    """The report in ``folder``; None where no item lies in it."""
    items, damaged = [], []
    for path in _folders(folder):
        if (path / JSON).is_file():
            try:
                items.append(read_item(path))
            except UserError as error:
                damaged.append(f"{path.name}: {error}".replace(f"{path}/", ""))
    if not items and not damaged:
        return None
    items.sort(key=lambda item: (item.table.item, SCALES.index(item.table.scale), item.folder))
    known = {name: report for report in REPORTS for name in (report.name, report.number)}
    report = known.get(items[0].table.report if items else folder.name)
    return ReportView(folder.name, report, tuple(items), tuple(damaged))


def render_report(view: ReportView) -> str:
    """The HTML of one report's page."""
    return _environment().get_template("lab_report.html").render(view=view, **_shared([view]))


def render_lab(reports: Sequence[ReportView]) -> str:
    """The HTML of the page of the whole lab."""
    made = {view.report.name for view in reports if view.report}
    absent = [report for report in REPORTS if report.name not in made]
    template = _environment().get_template("lab_index.html")
    lines = calibration(item.table for view in reports for item in view.items)
    return template.render(reports=reports, absent=absent, calibration=lines, **_shared(reports))


def _shared(reports: Sequence[ReportView]) -> dict[str, Any]:
    full = count_verdicts(table for view in reports for table in view.tables("full"))
    others = [table for view in reports for table in view.tables("short", "smoke")]
    return {"verdict_styles": VERDICTS, "protocols": PROTOCOLS, "full_verdicts": full, "other_scales": others}


def _environment() -> Environment:
    made = environment()
    made.filters.update(probability=probability, cost=cost, cautions=cautions, data_text=data_text)
    return made


def _folders(folder: Path) -> list[Path]:
    with files.one_line_errors(f"read {folder}"):
        return sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
