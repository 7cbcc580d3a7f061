"""How a study looks: its figures, the page of each report, and the page of the whole lab."""

from cifarlab.report.lab.figures import FIGURES, draw_figures
from cifarlab.report.lab.pages import PAGE, write_pages
from cifarlab.report.lab.reference import Reference

__all__ = ["FIGURES", "PAGE", "Reference", "draw_figures", "write_pages"]
