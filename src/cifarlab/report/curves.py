"""Learning curves: loss, accuracy and learning rate against the epoch. A gap in the log stays a gap."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from cifarlab.report.drawing import Theme, open_axes

Rows = Sequence[Mapping[str, float]]
SIZE_INCHES = (5.3, 3.3)
FEW_EPOCHS = 30


@dataclass(frozen=True)
class KeptEpoch:
    """The epoch whose weights were judged, if it is known, and what chose it, such as ``val_accuracy``."""

    epoch: int | None
    select_by: str


def series(rows: Rows, key: str) -> tuple[list[float], list[float]]:
    """Epochs and values of one quantity, to be plotted as one line.

    Where epochs are missing from the log, one NaN stands between their neighbors, and where an epoch lacks
    this quantity its value is NaN: the line breaks in both cases.
    """
    epochs: list[float] = []
    values: list[float] = []
    for row in rows:
        if epochs and row["epoch"] - epochs[-1] > 1:
            epochs.append(epochs[-1] + 1)
            values.append(math.nan)
        epochs.append(row["epoch"])
        values.append(row.get(key, math.nan))
    return epochs, values


def has(rows: Rows, key: str) -> bool:
    """Whether any epoch of the log has this quantity."""
    return any(key in row for row in rows)


def loss_figure(rows: Rows, kept: KeptEpoch, theme: Theme) -> Figure:
    """Mean loss per image after each epoch, on every set that was measured."""
    figure, axes = _frame(rows, theme)
    _plot_sets(axes, rows, "loss", 1.0, theme)
    axes.set_ylabel("mean loss per image")
    _mark_epoch(axes, rows, "loss", 1.0, kept, theme)
    _legend(figure, axes)
    return figure


def accuracy_figure(rows: Rows, kept: KeptEpoch, theme: Theme) -> Figure:
    """Accuracy in percent after each epoch, on every set that was measured."""
    figure, axes = _frame(rows, theme)
    _plot_sets(axes, rows, "accuracy", 100.0, theme)
    axes.set_ylabel("accuracy (%)")
    axes.yaxis.set_major_formatter(FuncFormatter(_plain))
    _mark_epoch(axes, rows, "accuracy", 100.0, kept, theme)
    _legend(figure, axes)
    return figure


def learning_rate_figure(rows: Rows, theme: Theme) -> Figure:
    """The learning rate that the log gives for each epoch."""
    figure, axes = _frame(rows, theme)
    _plot(axes, rows, "lr", 1.0, "learning rate", theme.train, "-")
    axes.set_ylabel("learning rate")
    axes.yaxis.set_major_formatter(FuncFormatter(_plain))
    axes.set_ylim(bottom=min(0.0, axes.get_ylim()[0]))
    return figure


def _frame(rows: Rows, theme: Theme) -> tuple[Figure, Axes]:
    figure = Figure(figsize=SIZE_INCHES, layout="constrained")
    axes = figure.add_subplot()
    open_axes(axes, theme)
    first, last = rows[0]["epoch"], rows[-1]["epoch"]
    margin = max(0.5, 0.02 * (last - first))
    axes.set_xlim(first - margin, last + margin)
    axes.set_xlabel("epoch")
    axes.xaxis.set_major_locator(MaxNLocator(nbins=8, integer=True, min_n_ticks=1))
    return figure, axes


def _plain(value: float, _: int | None) -> str:
    return f"{value:.6g}"


def _plot_sets(axes: Axes, rows: Rows, quantity: str, scale: float, theme: Theme) -> None:
    for prefix, label, color, style in (
        ("train", "training", theme.train, "-"),
        ("val", "validation", theme.validation, "-"),
        ("test", "test", theme.test, "--"),
    ):
        if has(rows, f"{prefix}_{quantity}"):
            _plot(axes, rows, f"{prefix}_{quantity}", scale, label, color, style)


def _plot(axes: Axes, rows: Rows, key: str, scale: float, label: str, color: str, style: str) -> None:
    epochs, values = series(rows, key)
    axes.plot(epochs, [scale * value for value in values], style, color=color, linewidth=1.8, label=label)
    # A line shows nothing of a point without neighbors, so those get a dot; in short runs all of them do.
    dots = [
        position
        for position, value in enumerate(values)
        if not math.isnan(value) and (len(rows) <= FEW_EPOCHS or _alone(values, position))
    ]
    shown = [epochs[position] for position in dots], [scale * values[position] for position in dots]
    axes.scatter(*shown, s=13, color=color, zorder=3)


def _alone(values: list[float], position: int) -> bool:
    before = values[position - 1] if position else math.nan
    after = values[position + 1] if position + 1 < len(values) else math.nan
    return math.isnan(before) and math.isnan(after)


def _mark_epoch(axes: Axes, rows: Rows, quantity: str, scale: float, kept: KeptEpoch, theme: Theme) -> None:
    """A dotted line at the epoch that was kept, and a ring on the curve of the set that chose it."""
    if kept.epoch is None or not rows[0]["epoch"] <= kept.epoch <= rows[-1]["epoch"]:
        return
    label = f"epoch {kept.epoch}, kept"
    axes.axvline(kept.epoch, color=theme.muted, linewidth=1.2, linestyle=":", label=label, zorder=1)
    chooser, _, _ = kept.select_by.partition("_")
    color = {"val": theme.validation, "test": theme.test}.get(chooser)
    row = next((row for row in rows if row["epoch"] == kept.epoch), {})
    value = row.get(f"{chooser}_{quantity}")
    if color is not None and value is not None:
        axes.scatter([kept.epoch], [scale * value], s=80, facecolor="none", edgecolor=color, linewidth=1.6)


def _legend(figure: Figure, axes: Axes) -> None:
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(
        handles,
        labels,
        loc="outside upper left",
        ncols=4,
        frameon=False,
        fontsize=8.5,
        handlelength=1.6,
        columnspacing=1.1,
    )
