"""The page that a run leaves: one HTML file, made from the run folder alone, that works offline."""

from cifarlab.report.page import write_report

__all__ = ["write_report"]
