"""How the weights of each layer are distributed, after every epoch (report 002, figure 12), and in words.

Report 002 says that each layer's weights follow a normal distribution. Of many thousand weights every test
of normality rejects that, however small the deviation; so skewness and excess kurtosis (both 0 for a normal
distribution) are given instead, which say how far from it they are.
"""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from cifarlab.explain.drawing import evenly
from cifarlab.parameter_statistics import BINS, REACH, LayerStatistics
from cifarlab.report import words
from cifarlab.report.drawing import Theme, open_axes

Epochs = Mapping[int, Sequence[LayerStatistics]]
"""The layers after each epoch that is known."""

NEAR = 0.5, 1.0
"""Skewness and excess kurtosis up to which a layer is called close to normal."""
CRITERION = f"skewness within ±{NEAR[0]}, excess kurtosis within ±{NEAR[1]:.0f}"
NO_TEST = (
    "Of so many weights any test of normality rejects the least deviation, so none is quoted: the two "
    "moments say how far each layer is from it."
)
MOST_LAYERS = 30
_TITLE = 22
"""Letters above a panel."""
_CELLS = 81
"""Of a panel's height."""


def is_near_normal(skewness: float, kurtosis: float) -> bool:
    """Whether both moments lie within ``NEAR`` of a normal distribution's."""
    return abs(skewness) < NEAR[0] and abs(kurtosis) < NEAR[1]


def how_near(moments: Iterable[tuple[float, float]]) -> str:
    """Such as ``5 of 7 layers are close to normal (…)``; ``moments`` are skewness and excess kurtosis."""
    near = [is_near_normal(skewness, kurtosis) for skewness, kurtosis in moments]
    are = "layer is" if len(near) == 1 else "layers are"
    return f"{sum(near)} of {len(near)} {are} close to normal ({CRITERION})"


def panel_title(name: str) -> str:
    """A layer's name, its end rather than its beginning where it is long."""
    return words.shortened(name if len(name) <= _TITLE else f"…{name[1 - _TITLE :]}", _TITLE)


def signed(moment: float) -> str:
    """With two decimals, and a true minus sign."""
    text = f"{moment:+.{2 if abs(moment) < 10 else 0}f}"
    return "+0.00" if text == "-0.00" else text.replace("-", "\N{MINUS SIGN}")


def reading(epochs: Epochs, kept: int | None) -> str:
    """What the epoch whose weights were kept, or else the last one that is known, says about normality."""
    epoch = kept if kept is not None and kept in epochs else max(epochs)
    layers = epochs[epoch]
    farthest = max(
        layers, key=lambda layer: max(abs(layer.skewness) / NEAR[0], abs(layer.kurtosis) / NEAR[1])
    )
    near = how_near((each.skewness, each.kurtosis) for each in layers if each.deviation > 0)
    which = "the epoch that was kept" if epoch == kept else "the last epoch that is known"
    return (
        f"After epoch {epoch}, {which}, {near}. Farthest from it is {words.shortened(farthest.name, 60)}, "
        f"with a skewness of {signed(farthest.skewness)} and an excess kurtosis of "
        f"{signed(farthest.kurtosis)}. {NO_TEST}"
    )


def histories(epochs: Epochs) -> dict[str, dict[int, LayerStatistics]]:
    """The same by layer, at most ``MOST_LAYERS`` of them."""
    names = list(dict.fromkeys(layer.name for layers in epochs.values() for layer in layers))
    found: dict[str, dict[int, LayerStatistics]] = {name: {} for name in evenly(names, MOST_LAYERS)}
    for epoch, layers in epochs.items():
        for layer in layers:
            if layer.name in found:
                found[layer.name][epoch] = layer
    return found


def epochs_figure(
    layers: Mapping[str, Mapping[int, LayerStatistics]], kept: int | None, width: float, theme: Theme
) -> Figure:
    """A panel per layer, each with its own axis of weights; ``width`` is that of five panels, in inches.

    The darker (on a dark page the lighter), the more weights; each epoch has its own scale. The lines are one
    standard deviation below and above the mean.
    """
    columns = min(5, len(layers))
    rows = -(-len(layers) // columns)
    figure = Figure(figsize=(max(width * columns / 5, 2.6), 1.4 * rows + 0.5), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False, sharex=True)
    first, last = (end(epoch for known in layers.values() for epoch in known) for end in (min, max))
    for axes, (name, known) in zip(grid.ravel(), layers.items(), strict=False):
        _panel(axes, known, range(first, last + 1), theme)
        if kept is not None and first <= kept <= last:
            axes.axvline(kept, color=theme.muted, linewidth=0.9, linestyle=":")
        axes.set_title(panel_title(name), fontsize=6.5, loc="left", pad=2)
    for axes in grid.ravel()[len(layers) :]:
        axes.remove()
    for axes in grid.ravel()[max(len(layers) - columns, 0) : len(layers)]:
        axes.tick_params(labelbottom=True)
    figure.supxlabel("epoch", fontsize=8)
    figure.supylabel("weight", fontsize=8)
    return figure


def _panel(axes: Axes, known: Mapping[int, LayerStatistics], epochs: range, theme: Theme) -> None:
    open_axes(axes, theme)
    axes.grid(visible=False)
    axes.tick_params(labelsize=6.5, length=2)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=3, integer=True, min_n_ticks=1))
    axes.yaxis.set_major_locator(MaxNLocator(nbins=3))
    spread = max(layer.deviation for layer in known.values())
    low = min(layer.mean for layer in known.values()) - max(4 * spread, 1e-6)
    high = max(layer.mean for layer in known.values()) + max(4 * spread, 1e-6)
    cells = np.linspace(low, high, _CELLS)
    heat = np.full((_CELLS, len(epochs)), np.nan)
    lines = np.full((2, len(epochs)), np.nan)
    for place, epoch in enumerate(epochs):
        if (layer := known.get(epoch)) is not None:
            heat[:, place] = _heights(layer, cells)
            lines[:, place] = layer.mean - layer.deviation, layer.mean + layer.deviation
    colors = LinearSegmentedColormap.from_list("heat", theme.heat)
    extent = (epochs[0] - 0.5, epochs[-1] + 0.5, low, high)
    axes.imshow(
        heat, colors, aspect="auto", origin="lower", extent=extent, vmin=0, vmax=1, interpolation="nearest"
    )
    marker = "." if len(known) <= 2 else ""
    for line in lines:
        axes.plot(list(epochs), line, color=theme.series[1], linewidth=1.0, marker=marker)


def _heights(layer: LayerStatistics, cells: NDArray[np.float64]) -> NDArray[np.float64]:
    """The histogram at the weights ``cells``, its highest bin 1."""
    counts = np.array(layer.counts[1:-1], dtype=np.float64)
    if layer.deviation == 0 or counts.max() == 0:
        at_the_mean: NDArray[np.bool_] = np.abs(cells - layer.mean) <= (cells[1] - cells[0]) / 2
        return at_the_mean.astype(np.float64)
    edge = REACH * (1 - 1 / BINS)
    centers = layer.mean + layer.deviation * np.linspace(-edge, edge, BINS)
    heights: NDArray[np.float64] = np.interp(cells, centers, counts / counts.max(), left=0, right=0)
    return heights
