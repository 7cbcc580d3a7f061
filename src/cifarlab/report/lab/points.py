"""Figures with a point per variant: accuracy against the cost and the time of training."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, NullLocator

from cifarlab.errors import UserError
from cifarlab.report import words
from cifarlab.report.drawing import Theme, open_axes
from cifarlab.report.lab.drawn import Drawing
from cifarlab.report.lab.labels import Labeled, place_labels
from cifarlab.report.lab.material import Material, accuracy_entry
from cifarlab.report.lab.styles import WIDTH_INCHES, legend_below, plain_numbers, style
from cifarlab.studies.table import ItemTable, Row

MOST_LABELS = 10
"""Variants up to which names stand beside their points; more are told apart by a legend."""
FLOPS = (
    (1e18, "EFLOPs"),
    (1e15, "PFLOPs"),
    (1e12, "TFLOPs"),
    (1e9, "GFLOPs"),
    (1e6, "MFLOPs"),
    (1.0, "FLOPs"),
)
TIMES = ((3 * 86400.0, 86400.0, "days"), (7200.0, 3600.0, "h"), (180.0, 60.0, "min"), (0.0, 1.0, "s"))
"""From how many seconds on a time is given in which unit."""


@dataclass(frozen=True)
class Point:
    """A variant: accuracies in percent."""

    label: str
    x: float
    accuracy: float
    low: float
    high: float
    note: str = ""
    """Stands behind the label where that is beside the point."""
    area: float = 45.0
    """Of its marker, in square points."""
    on_front: bool = False


def cost_drawing(material: Material) -> tuple[Drawing, ...]:
    """Test accuracy against the FLOPs of training, with the Pareto front.

    Raises:
        UserError: no variant has both.
    """
    costs = [row.training_flops or 0.0 for row in material.table.rows]
    unit, name = next(((u, n) for u, n in FLOPS if max(costs, default=0) >= u), FLOPS[-1])
    points = _points(material.table, lambda row: row.training_flops, unit)
    caption = "Test accuracy against the cost of training, with the 95% interval of the mean over the seeds."
    if any(point.on_front for point in points):
        caption += (
            " Filled, and joined by the line: the Pareto front, where no other variant is better for at most "
            "the same cost."
        )
    draw = partial(scatter_figure, points, f"cost of training ({name})")
    return (Drawing("cost", caption, f"Accuracy against training FLOPs of {len(points)} variants.", draw),)


def capacity_drawing(material: Material) -> tuple[Drawing, ...]:
    """Test accuracy against the time of training; a point's area is the number of parameters (001, figure 6).

    Raises:
        UserError: no variant has both.
    """
    rows = material.table.rows
    largest = max((row.parameters or 0 for row in rows), default=0)
    longest = max((row.training_seconds or 0.0 for row in rows), default=0.0)
    unit, name = next((unit, name) for least, unit, name in TIMES if longest >= least)
    points = _points(
        material.table,
        lambda row: row.training_seconds,
        unit,
        area=lambda row: 30 + 220 * (row.parameters or 0) / max(largest, 1),
        note=lambda row: f" ({words.magnitude(row.parameters).strip()})" if row.parameters else "",
        with_front=False,
    )
    caption = (
        "Test accuracy against the time of training, with the 95% interval of the mean over the seeds. A "
        "point's area grows with the number of parameters, which stands in brackets where there is room."
    )
    draw = partial(scatter_figure, points, f"time of training ({name})")
    return (Drawing("capacity", caption, f"Accuracy against training time of {len(points)} variants.", draw),)


def _points(
    table: ItemTable,
    x: Callable[[Row], float | None],
    unit: float,
    area: Callable[[Row], float] = lambda row: 45.0,
    note: Callable[[Row], str] = lambda row: "",
    *,
    with_front: bool = True,
) -> list[Point]:
    points = []
    for row in table.rows:
        entry, place = accuracy_entry(row), x(row)
        if entry and entry.ours and place is not None and place > 0:
            low, high = entry.ours.interval or (entry.ours.mean, entry.ours.mean)
            mean, low, high = (100 * value for value in (entry.ours.mean, low, high))
            on_front = with_front and row.on_pareto_front
            points.append(Point(row.label, place / unit, mean, low, high, note(row), area(row), on_front))
    if not points:
        raise UserError("no variant of this item has both an accuracy and a cost")
    return points


def scatter_figure(points: Sequence[Point], name: str, theme: Theme) -> Figure:
    """One marker per variant with its error bar, named beside it or, where they are many, below."""
    figure = Figure(figsize=(WIDTH_INCHES, 4.0), layout="constrained")
    axes = figure.add_subplot()
    open_axes(axes, theme)
    front = sorted((point for point in points if point.on_front), key=lambda point: point.x)
    if len(front) > 1:
        # Between two of its points, the best that can be had for the money is the cheaper one.
        steps = [point.x for point in front], [point.accuracy for point in front]
        axes.plot(*steps, drawstyle="steps-post", color=theme.muted, linewidth=1.1, zorder=1)
    handles = []
    for place, point in enumerate(points):
        look = style(place, theme)
        errors = [[max(0.0, point.accuracy - point.low)], [max(0.0, point.high - point.accuracy)]]
        axes.errorbar(point.x, point.accuracy, errors, color=look.color, linewidth=1.0, capsize=2.5, zorder=2)
        face = look.color if point.on_front or not front else theme.page
        axes.scatter(
            point.x, point.accuracy, s=point.area, marker=look.marker,
            facecolor=face, edgecolor=look.color, linewidth=1.4, zorder=3,
        )  # fmt: skip
        handles.append(look.handle(line=False, face=face))
    axes.set_ylabel("test accuracy (%)")
    axes.set_xlabel(name)
    plain_numbers(axes.yaxis)
    fit_axis(axes, [point.x for point in points])
    axes.margins(0.12, 0.12)
    if len(points) > MOST_LABELS:
        legend_below(figure, handles, [point.label for point in points])
    else:
        named = [Labeled(p.x, p.accuracy, p.low, p.high, p.label, p.note, p.area) for p in points]
        place_labels(figure, axes, named, theme)
    return figure


def fit_axis(axes: Axes, values: Sequence[float]) -> None:
    """A logarithmic axis where the values differ by more than a factor of five."""
    if max(values) > 5 * min(values):
        axes.set_xscale("log")
        wide = max(values) > 200 * min(values)
        axes.xaxis.set_major_locator(LogLocator(subs=(1,) if wide else (1, 2, 5), numticks=12))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.set_xlabel(f"{axes.get_xlabel()}, logarithmic")
    else:
        axes.locator_params(axis="x", nbins=6)
    plain_numbers(axes.xaxis)
