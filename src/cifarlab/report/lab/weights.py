"""Histograms of a trained network's weights (report 002, figure 12; report 001, figure 7)."""

from dataclasses import dataclass
from functools import partial

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy import stats
from torch import nn

from cifarlab import run
from cifarlab.errors import UserError
from cifarlab.explain.drawing import evenly
from cifarlab.parameter_statistics import read_parameters
from cifarlab.report import parameters
from cifarlab.report.drawing import Theme, open_axes
from cifarlab.report.lab.drawn import Drawing
from cifarlab.report.lab.material import Material
from cifarlab.report.lab.styles import WIDTH_INCHES, legend_below, style
from cifarlab.report.parameters import signed

BINS = 60


@dataclass(frozen=True)
class Layer:
    """The weights of one convolution or dense layer, flat."""

    name: str
    weights: NDArray[np.float32]
    skewness: float
    kurtosis: float
    """Excess: 0 for a normal distribution."""


def layers_of(network: nn.Module) -> list[Layer]:
    """Every convolution and dense layer, in the order of the network."""
    found = []
    for name, module in network.named_modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            weights = module.weight.detach().float().numpy().ravel()
            constant = float(weights.std()) == 0.0
            skewness = 0.0 if constant else float(stats.skew(weights))
            kurtosis = 0.0 if constant else float(stats.kurtosis(weights))
            found.append(Layer(name, weights, skewness, kurtosis))
    return found


def layers_drawing(material: Material) -> tuple[Drawing, ...]:
    """The layers of the best row's first run: histograms at the end and, where they were kept, by epoch.

    Raises:
        UserError: no row has a finished run.
    """
    row, folder = material.best_run()
    layers = layers_of(run.load_network(folder)[1])
    near = parameters.how_near((each.skewness, each.kurtosis) for each in layers if each.weights.std() > 0)
    shown = list(evenly(layers, parameters.MOST_LAYERS))
    some = ""
    if len(shown) < len(layers):
        some = f" Shown are {len(shown)} layers, evenly spaced from first to last."
    caption = (
        f"Weights of {row.label} after training, layer by layer, and the normal density of equal mean and "
        f"deviation. {near}. {parameters.NO_TEST}{some}"
    )
    text = f"Histograms of the weights of {len(shown)} layers of {row.label}."
    drawings = [Drawing("weight-histograms", caption, text, partial(layers_figure, shown))]
    if known := {epoch: found for epoch, found in read_parameters(folder).items() if found}:
        drawings.append(_epochs_drawing(row.label, known, run.read_result(folder).get("best_epoch"), some))
    return tuple(drawings)


def _epochs_drawing(label: str, known: parameters.Epochs, kept: int | None, some: str) -> Drawing:
    histories = parameters.histories(known)
    spans = f"epochs {min(known)} to {max(known)}" if len(known) > 1 else f"epoch {min(known)}"
    caption = (
        f"Weights of {label} after {spans}, layer by layer: the stronger the color, the more weights, each "
        "epoch on its own scale; the lines are one standard deviation below and above the mean. "
        f"{parameters.reading(known, kept)}{some}"
    )
    text = f"The weights of {len(histories)} layers of {label} over {len(known)} epochs."
    figure = partial(parameters.epochs_figure, histories, kept, WIDTH_INCHES)
    return Drawing("weight-histograms-by-epoch", caption, text, figure)


def layers_figure(layers: list[Layer], theme: Theme) -> Figure:
    """Small panels, each with its own axis of weights; heights are densities and not comparable."""
    columns = min(5, len(layers))
    rows = -(-len(layers) // columns)
    figure = Figure(figsize=(max(WIDTH_INCHES * columns / 5, 2.4), 1.35 * rows + 0.5), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes, layer in zip(grid, layers, strict=False):
        _histogram(axes, layer.weights, theme)
        moments = f"skew {signed(layer.skewness)}, kurt {signed(layer.kurtosis)}"
        axes.set_title(f"{parameters.panel_title(layer.name)}\n{moments}", fontsize=6.5, loc="left", pad=2)
    for axes in grid[len(layers) :]:
        axes.remove()
    return figure


def _histogram(axes: Axes, weights: NDArray[np.float32], theme: Theme) -> None:
    open_axes(axes, theme)
    axes.grid(visible=False)
    axes.set_yticks([])
    axes.tick_params(labelsize=6.5, length=2)
    axes.locator_params(axis="x", nbins=3)
    center, spread = float(weights.mean()), float(weights.std())
    reach = max(5 * spread, 1e-6)
    axes.set_xlim(center - reach, center + reach)  # single weights far out would squeeze all others
    axes.hist(weights, bins=BINS, range=(center - reach, center + reach), density=True, color=theme.series[0])
    if spread > 0:
        x = np.linspace(center - reach, center + reach, 121)
        axes.plot(x, stats.norm.pdf(x, center, spread), color=theme.series[1], linewidth=1.0)


def last_layer_drawing(material: Material) -> tuple[Drawing, ...]:
    """The last dense layer's weights, of the first finished run of every row.

    Raises:
        UserError: no row has a finished run.
    """
    found: dict[str, Layer] = {}
    for row in material.table.rows:
        finished = (
            folder
            for folder in material.folders(row)
            if (ending := run.read_ending(folder)) and ending["status"] == "finished"
        )
        if folder := next(finished, None):
            found[row.label] = layers_of(run.load_network(folder)[1])[-1]
    if not found:
        raise UserError("no run of this item has finished")
    said = [
        f"{label}: deviation {layer.weights.std():.3g}, skewness {signed(layer.skewness)}, excess kurtosis "
        f"{signed(layer.kurtosis)}"
        for label, layer in found.items()
    ]
    caption = f"Weights of the last dense layer after training. {'; '.join(said)}."
    text = f"Histogram of the last layer's weights of {len(found)} variants."
    return (Drawing("last-layer-histogram", caption, text, partial(last_layer_figure, found)),)


def last_layer_figure(layers: dict[str, Layer], theme: Theme) -> Figure:
    """Outlines over one axis, so that no variant hides another."""
    figure = Figure(figsize=(WIDTH_INCHES, 3.3), layout="constrained")
    axes = figure.add_subplot()
    open_axes(axes, theme)
    reach = max(float(np.abs(layer.weights).max()) for layer in layers.values()) or 1.0
    handles: list[Artist] = []
    for place, layer in enumerate(layers.values()):
        look = style(place, theme)
        density, edges = np.histogram(layer.weights, BINS, (-reach, reach), density=True)
        handles.append(axes.stairs(density, edges, color=look.color, linestyle=look.dash, linewidth=1.5))
    axes.set_xlabel("weight of the last layer")
    axes.set_ylabel("density")
    legend_below(figure, handles, list(layers))
    return figure
