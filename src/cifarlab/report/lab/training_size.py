"""Accuracy against the number of training images, theirs beside ours (report 000, table 1 and figure 4)."""

import re
from collections.abc import Sequence
from functools import partial
from typing import Literal

from matplotlib.container import ErrorbarContainer
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullLocator

from cifarlab.errors import UserError
from cifarlab.report.drawing import Theme, open_axes
from cifarlab.report.lab.drawn import Drawing
from cifarlab.report.lab.material import Material
from cifarlab.report.lab.points import Point
from cifarlab.report.lab.styles import WIDTH_INCHES, legend_below, plain_numbers, style
from cifarlab.studies.table import Entry, Row

PROTOCOLS = ("A", "C", "B", "last", "")
"""The first that a row has is drawn: what is held against the report comes before what is not."""
QUANTITIES: tuple[tuple[Literal["test_accuracy", "train_accuracy"], str], ...] = (
    ("test_accuracy", "test"),
    ("train_accuracy", "training"),
)


def training_size_drawing(material: Material) -> tuple[Drawing, ...]:
    """Accuracy against the number of training images, theirs beside ours.

    Raises:
        UserError: no variant has both.
    """
    lines: dict[str, list[Point]] = {}
    for row in material.table.rows:
        size = training_images(material, row)
        for quantity, name in QUANTITIES:
            found = [e for p in PROTOCOLS if (e := row.entry(quantity, p))]
            ours = next((e for e in found if e.ours), None)
            theirs = next((e for e in found if e.published), None)
            if size and ours:
                line = lines.setdefault(f"ours, {name}", [])
                if any(point.x == size for point in line):  # trained otherwise: no part of the line
                    line = lines.setdefault(f"ours, {name}: {row.label}", [])
                line.append(_measured(row, size, ours))
            if size and theirs and theirs.published:
                value = 100 * theirs.published.value
                line = lines.setdefault(f"report, {name}", [])
                line.append(Point(row.label, size, value, value, value))
    if not lines:
        raise UserError("no variant of this item has an accuracy and a number of training images")
    caption = (
        "Accuracy against the number of training images. Filled: ours, with the 95% interval of the mean "
        "over the seeds; hollow: the report."
    )
    text = f"Accuracy against number of training images: {', '.join(lines)}."
    return (Drawing("training-size", caption, text, partial(training_size_figure, lines)),)


def _measured(row: Row, size: float, entry: Entry) -> Point:
    assert entry.ours is not None
    low, high = entry.ours.interval or (entry.ours.mean, entry.ours.mean)
    return Point(row.label, size, 100 * entry.ours.mean, 100 * low, 100 * high)


def training_images(material: Material, row: Row) -> int | None:
    """How many the row was trained on: as its recipe says, else as its label does, else all of them."""
    made = material.description(row)
    if made and made.recipe.train_images:
        return made.recipe.train_images
    if number := re.search(r"\d[\d,]*", row.label):
        return int(number.group().replace(",", ""))
    return made.data.train_images if made else None


def training_size_figure(lines: dict[str, list[Point]], theme: Theme) -> Figure:
    """Accuracy over a logarithmic axis of images; the sizes that were trained are its ticks."""
    figure = Figure(figsize=(WIDTH_INCHES, 3.8), layout="constrained")
    axes = figure.add_subplot()
    open_axes(axes, theme)
    handles: list[ErrorbarContainer] = []
    names: list[str] = []
    for place, (name, line) in enumerate(sorted(lines.items(), key=lambda each: "training" in each[0])):
        points = sorted(line, key=lambda point: point.x)
        ours, look = name.startswith("ours"), style(place, theme)
        color = style(int("training" in name), theme).color
        below = [max(0.0, point.accuracy - point.low) for point in points]
        above = [max(0.0, point.high - point.accuracy) for point in points]
        handles.append(
            axes.errorbar(
                [point.x for point in points],
                [point.accuracy for point in points],
                [below, above] if ours else None,
                color=color,
                linestyle=look.dash if len(points) > 1 else "none",
                linewidth=1.6,
                capsize=2.5,
                marker=look.marker,
                markersize=6,
                markerfacecolor=color if ours else theme.page,
                markeredgewidth=1.4,
            )
        )
        names.append(name)
    sizes = sorted({point.x for points in lines.values() for point in points})
    if len(sizes) > 1:
        axes.set_xscale("log")
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xticks(_apart(sizes))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.set_xlabel("training images" + (" (logarithmic)" if len(sizes) > 1 else ""))
    axes.set_ylabel("accuracy (%)")
    plain_numbers(axes.yaxis)
    legend_below(figure, handles, names)
    return figure


def _apart(sizes: Sequence[float]) -> list[float]:
    """Those that are far enough from their neighbors to be written below a logarithmic axis."""
    kept: list[float] = []
    span = (sizes[-1] / sizes[0]) ** (1 / 9)
    for size in reversed(sizes):
        if not kept or kept[-1] / size >= span:
            kept.append(size)
    return kept
