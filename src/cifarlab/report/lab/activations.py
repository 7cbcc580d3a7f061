"""Report 002's activation functions: their curves (figure 7) and how many zeros they give."""

from functools import partial

import numpy as np
import torch
from matplotlib.artist import Artist
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from cifarlab.errors import UserError
from cifarlab.models.blocks import Activation, activation_layer
from cifarlab.report.drawing import Theme, open_axes
from cifarlab.report.lab.drawn import Drawing
from cifarlab.report.lab.material import Material
from cifarlab.report.lab.styles import WIDTH_INCHES, legend_below, short, style

NAMES: dict[Activation, str] = {
    "relu": "ReLU",
    "relu6": "ReLU6",
    "leaky-relu": "LeakyReLU (slope 0.01)",
    "elu": "ELU",
    "swish": "Swish",
}


def functions_drawing(material: Material) -> tuple[Drawing, ...]:
    """The five functions as the networks build them."""
    caption = (
        "The activation functions as the networks here build them. Left: from afar, where ReLU6 leaves ReLU; "
        "right: around zero, where the others differ."
    )
    text = f"Curves of {', '.join(NAMES.values())}."
    return (Drawing("activation-functions", caption, text, functions_figure),)


def functions_figure(theme: Theme) -> Figure:
    """Two panels of the same curves at two scales."""
    figure = Figure(figsize=(WIDTH_INCHES, 3.1), layout="constrained")
    handles: list[Artist] = []
    for axes, (low, high) in zip(figure.subplots(1, 2), ((-6.0, 9.0), (-4.0, 1.5)), strict=True):
        open_axes(axes, theme)
        axes.axhline(0, color=theme.muted, linewidth=0.6, zorder=1)
        axes.axvline(0, color=theme.muted, linewidth=0.6, zorder=1)
        x = torch.linspace(low, high, 401)
        handles = []
        for place, name in enumerate(NAMES):
            look, y = style(place, theme), activation_layer(name)(x.clone())
            handles += axes.plot(
                x.numpy(),
                y.numpy(),
                linestyle=look.dash,
                color=look.color,
                linewidth=1.8,
                zorder=3 - place / 10,
            )
        axes.set_xlim(low, high)
        axes.set_xlabel("input")
        axes.set_ylabel("output")
    legend_below(figure, handles, list(NAMES.values()))
    return figure


def zeros_drawing(material: Material) -> tuple[Drawing, ...]:
    """The share of zeros among the outputs of the activation functions, by row.

    Raises:
        UserError: it was measured for none.
    """
    shares = {
        row.label: row.zero_activations for row in material.table.rows if row.zero_activations is not None
    }
    if not shares:
        raise UserError("the share of zero activations was measured for no variant")
    caption = "Share of zeros among the outputs of all activation functions of the trained network."
    text = "; ".join(f"{label} {100 * share:.1f}%" for label, share in shares.items())
    return (Drawing("activation-zeros", caption, f"Zeros: {text}.", partial(zeros_figure, shares)),)


def zeros_figure(shares: dict[str, float], theme: Theme) -> Figure:
    """A bar per variant with its number."""
    figure = Figure(figsize=(WIDTH_INCHES, 0.32 * len(shares) + 0.9), layout="constrained")
    axes = figure.add_subplot()
    open_axes(axes, theme)
    axes.grid(visible=False)
    places = np.arange(len(shares))
    bars = axes.barh(places, [100 * share for share in shares.values()], height=0.62, color=theme.series[0])
    axes.bar_label(bars, [f"{100 * share:.1f}%" for share in shares.values()], padding=3, fontsize=8.5)
    axes.set_yticks(places, [short(label) for label in shares])
    axes.tick_params(axis="y", length=0)
    axes.invert_yaxis()
    axes.set_xlim(0, 112 * max(0.01, *shares.values()))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}%"))
    axes.set_xlabel("zero activations")
    return figure
