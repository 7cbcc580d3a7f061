"""How many lines are told apart, in color and in gray, and how they are named without hiding anything."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.textpath import TextPath
from matplotlib.ticker import FuncFormatter

from cifarlab.report import words
from cifarlab.report.drawing import Theme

WIDTH_INCHES = 6.0
"""Of a figure: what a page of a paper holds."""
LABEL_COLUMNS, NARROW_COLUMNS, MANY = 46, 36, 10
"""Letters of a label in a legend, and in one of more than so many labels."""
LEGEND_POINTS = 8.5
Dash = tuple[float, tuple[float, ...]]
_DASHES: tuple[Dash, ...] = ((0, ()), (0, (5, 2)), (0, (1.5, 1.5)), (0, (7, 2, 1.5, 2)))
_MARKERS = "osD^vPX*"


@dataclass(frozen=True)
class Style:
    """One of 56 ways to draw a line with points."""

    color: str
    dash: Dash
    marker: str

    def handle(self, *, line: bool = True, face: str | None = None) -> Line2D:
        """Its sample in a legend: line and marker, or the marker alone, filled with ``face``."""
        return Line2D(
            [], [], color=self.color, linestyle=self.dash if line else "none", linewidth=1.7,
            marker=self.marker, markersize=4.5 if line else 6.5, markerfacecolor=face or self.color,
        )  # fmt: skip


def style(place: int, theme: Theme) -> Style:
    """That of the line at ``place``. Neighbors differ in color, dash and marker."""
    color = theme.series[place % len(theme.series)]
    return Style(color, _DASHES[place % len(_DASHES)], _MARKERS[place % len(_MARKERS)])


def short(label: str, columns: int = LABEL_COLUMNS) -> str:
    """A label that fits below a figure, cut in its middle: variants often differ in their last word."""
    clean = words.shortened(label, 10 * columns)
    if words.shortened(clean, columns) == clean:
        return clean
    return words.shortened(clean, columns - columns // 3) + clean[-(columns // 3) :]


def legend_below(figure: Figure, handles: Sequence[Any], labels: Sequence[str]) -> None:
    """A legend under all panels, in as many columns as fit; the figure grows by its height.

    ``handles`` are whatever matplotlib draws a legend of.
    """
    few = len(labels) <= MANY
    names = [short(label, LABEL_COLUMNS if few else NARROW_COLUMNS) for label in labels]
    width, height = figure.get_size_inches()
    column = 0.62 + max((_width_inches(name) for name in names), default=0.0)
    columns = max(1, min(len(names), int((width - 0.1) / column)))
    lines = -(-len(names) // columns)
    figure.set_size_inches(width, height + 0.19 * lines + 0.1)
    figure.legend(
        handles,
        names,
        loc="outside lower left",
        ncols=columns,
        frameon=False,
        fontsize=LEGEND_POINTS,
        handlelength=3.2,
        columnspacing=1.2,
        borderaxespad=0.2,
    )


def _width_inches(text: str) -> float:
    return float(TextPath((0, 0), text, size=LEGEND_POINTS).get_extents().width) / 72


def plain_numbers(axis: Axis) -> None:
    """No offsets and no powers: every tick says its whole value."""
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.6g}"))
