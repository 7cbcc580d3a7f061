"""Learning curves of all variants together, from the logs of their runs.

One thin line per seed, and a thick one for their mean, which is drawn only where every seed has a value: a
run that stopped early, or a gap in one log, never moves it.
"""

import math
import statistics
from collections.abc import Sequence
from functools import partial

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullFormatter

from cifarlab.errors import UserError
from cifarlab.report.curves import series
from cifarlab.report.drawing import Theme, open_axes
from cifarlab.report.lab.drawn import Drawing
from cifarlab.report.lab.material import Material, Rows, grouped
from cifarlab.report.lab.styles import WIDTH_INCHES, Style, legend_below, plain_numbers, short, style

SETS = {"val": "validation", "train": "training", "test": "test"}
Curves = dict[str, list[tuple[str, tuple[Rows, ...]]]]
"""By panel: the name of each line and its logs, one per seed."""


def curves_drawing(material: Material, name: str, part: str, quantity: str) -> tuple[Drawing, ...]:
    """One quantity (``loss``, ``accuracy``) on one set (a key of ``SETS``) against the epoch.

    Without a validation set the test set takes its place.

    Raises:
        UserError: no log of any run knows it.
    """
    for candidate in ("val", "test") if part == "val" else (part,):
        panels = _read(material, f"{candidate}_{quantity}")
        if panels:
            draw = partial(curves_figure, panels, f"{candidate}_{quantity}")
            lines = sum(map(len, panels.values()))
            caption = (
                f"{SETS[candidate].capitalize()} {quantity} after each epoch. Thick: mean over the seeds, as "
                "far as all of them go; thin: single seeds. A gap in a log is a gap in its line."
            )
            text = f"{SETS[candidate].capitalize()} {quantity} against epoch of {lines} variants."
            return (Drawing(name, caption, text, draw),)
    raise UserError(f"no run of this item has {SETS[part]} {quantity} in its log")


def _read(material: Material, key: str) -> Curves:
    panels: Curves = {}
    for head, members in grouped(material.table.rows).items():
        found = [(label, logs) for label, row in members if (logs := material.logs(row, key))]
        if found:
            panels[head] = found
    return panels


def curves_figure(panels: Curves, key: str, theme: Theme) -> Figure:
    """A panel per group of variants, all with the same axes; equal names have equal styles in all."""
    names = list(dict.fromkeys(name for found in panels.values() for name, _ in found))
    scale = 100.0 if key.endswith("accuracy") else 1.0
    columns = 1 if len(panels) == 1 else 2 if len(panels) <= 4 else 3
    rows = -(-len(panels) // columns)
    height = 3.6 if rows == 1 else 2.4 * rows
    figure = Figure(figsize=(WIDTH_INCHES, height), layout="constrained")
    grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).ravel()
    for axes, (head, found) in zip(grid, panels.items(), strict=False):
        open_axes(axes, theme)
        axes.set_title(short(head), fontsize=9.5, loc="left")
        for name, logs in found:
            plot_runs(axes, logs, key, scale, style(names.index(name), theme))
        axes.xaxis.set_major_locator(MaxNLocator(nbins=8, integer=True, min_n_ticks=1))
        axes.tick_params(labelbottom=True)
    for axes in grid[len(panels) :]:
        axes.remove()
    part, _, quantity = key.partition("_")
    if scale > 1:
        plain_numbers(grid[0].yaxis)
    elif _spreads(panels, key):
        grid[0].set_yscale("log")
        plain_numbers(grid[0].yaxis)
        grid[0].yaxis.set_minor_formatter(NullFormatter())
    unit = " (%)" if scale > 1 else ""
    for place, axes in enumerate(grid[: len(panels)]):
        if place % columns == 0:
            axes.set_ylabel(f"{SETS[part]} {quantity}{unit}")
        if place + columns >= len(panels):
            axes.set_xlabel("epoch")
    legend_below(figure, [style(place, theme).handle() for place in range(len(names))], names)
    return figure


def plot_runs(axes: Axes, logs: Sequence[Rows], key: str, scale: float, look: Style) -> None:
    """One thin line per log and their mean, with a point for every value that no line would show."""
    if len(logs) > 1:
        for log in logs:
            _line(axes, *series(log, key), scale, look, width=0.7, alpha=0.45)
    _line(axes, *mean_series(logs, key), scale, look, width=1.7, alpha=1.0)


def mean_series(logs: Sequence[Rows], key: str) -> tuple[list[float], list[float]]:
    """Epochs and means over the logs; NaN wherever one of them has no value."""
    tables = [dict(zip(*series(log, key), strict=True)) for log in logs]
    last = max((max(each, default=0.0) for each in tables), default=0.0)
    first = min((min(each, default=math.inf) for each in tables), default=1.0)
    epochs = [float(epoch) for epoch in range(int(min(first, last)), int(last) + 1)]
    values = [[each.get(epoch, math.nan) for each in tables] for epoch in epochs]
    return epochs, [statistics.fmean(each) if each else math.nan for each in values]


def _line(
    axes: Axes,
    epochs: Sequence[float],
    values: Sequence[float],
    scale: float,
    look: Style,
    width: float,
    alpha: float,
) -> None:
    scaled = [scale * value for value in values]
    axes.plot(epochs, scaled, linestyle=look.dash, color=look.color, linewidth=width, alpha=alpha)
    shown = [place for place, value in enumerate(scaled) if not math.isnan(value)]
    if alpha == 1.0:
        every = max(1, len(shown) // 6)
        marked = shown[every // 2 :: every]
    else:
        marked = [place for place in shown if all(math.isnan(_at(scaled, place + step)) for step in (-1, 1))]
    points = [epochs[place] for place in marked], [scaled[place] for place in marked]
    axes.scatter(
        *points,
        s=(14 if len(shown) > 1 else 30) if alpha == 1.0 else 6,
        color=look.color,
        marker=look.marker,
        zorder=3,
    )


def _at(values: Sequence[float], place: int) -> float:
    return values[place] if 0 <= place < len(values) else math.nan


def _spreads(panels: Curves, key: str) -> bool:
    """Whether one loss is so much higher than most that a linear axis would show that one alone."""
    logs = (log for found in panels.values() for _, runs in found for log in runs)
    values = [value for log in logs for line in log if (value := line.get(key, 0.0)) > 0]
    return bool(values) and max(values) > 20 * statistics.median(values)
