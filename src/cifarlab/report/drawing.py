"""From a matplotlib figure to a picture in the page: SVG, once for a light and once for a dark page.

Figures are built with the object API, so nothing is shared between two reports. Text stays text, set in
the reader's fonts, so names in any script are drawn.
"""

import base64
import io
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

PIXELS_PER_INCH = 96


@dataclass(frozen=True)
class Theme:
    """The colors of a figure. Lines: Okabe and Ito's palette, which color-blind readers can tell apart."""

    text: str
    muted: str
    grid: str
    page: str
    train: str
    validation: str
    test: str
    heat: tuple[str, ...]
    series: tuple[str, ...]
    """For any number of lines, the same hue at the same place in both themes."""


LIGHT = Theme(
    text="#1d2733",
    muted="#5b6876",
    grid="#e3e7ec",
    page="#ffffff",
    train="#0072b2",
    validation="#d55e00",
    test="#009e73",
    heat=("#f4f7fa", "#c5dcee", "#7db4da", "#3580b8", "#0d4f8b", "#08264d"),
    series=("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#000000", "#56b4e9", "#e69f00"),
)
DARK = Theme(
    text="#e4e9ef",
    muted="#9aa7b5",
    grid="#323c48",
    page="#171c23",
    train="#56b4e9",
    validation="#e69f00",
    test="#2fc79a",
    heat=("#1e252e", "#17405f", "#1f6a97", "#4496c4", "#8cc5e6", "#e3f3ff"),
    series=("#56b4e9", "#ff8b4d", "#2fc79a", "#e39ac4", "#f2f5f8", "#a9d6f5", "#e6b84d"),
)


@dataclass(frozen=True)
class Picture:
    """A figure as two data URIs with its size in CSS pixels and the words for who cannot see it."""

    light: str
    dark: str
    width: int
    height: int
    alternative: str


def picture(draw: Callable[[Theme], Figure], alternative: str) -> Picture:
    """Draw a figure in both themes. Equal figures give equal bytes: no dates, no random identifiers."""
    light, figure = _svg_uri(draw, LIGHT)
    dark, _ = _svg_uri(draw, DARK)
    width, height = (round(inches * PIXELS_PER_INCH) for inches in figure.get_size_inches())
    return Picture(light, dark, width, height, alternative)


def _svg_uri(draw: Callable[[Theme], Figure], theme: Theme) -> tuple[str, Figure]:
    buffer = io.BytesIO()
    with matplotlib.rc_context(), warnings.catch_warnings():
        # matplotlib measures with its own font; the reader's browser has the letters that this one lacks.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        set_style(theme)
        figure = draw(theme)
        figure.savefig(buffer, format="svg", dpi=192, transparent=True, metadata={"Date": None})
    return f"data:image/svg+xml;base64,{base64.b64encode(buffer.getvalue()).decode()}", figure


def file_contents(
    draw: Callable[[Theme], Figure], theme: Theme, suffixes: Sequence[str], dpi: int = 300
) -> tuple[dict[str, bytes], tuple[float, float]]:
    """A figure as files of its own (``svg``, ``png``) on the theme's ground, and its size in inches.

    Equal figures give equal bytes.
    """
    contents = {}
    with matplotlib.rc_context(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        set_style(theme)
        figure = draw(theme)
        for suffix in suffixes:
            buffer = io.BytesIO()
            metadata = {"svg": {"Date": None}, "png": {"Software": None}}[suffix]
            figure.savefig(buffer, format=suffix, dpi=dpi, facecolor=theme.page, metadata=metadata)
            contents[suffix] = buffer.getvalue()
    width, height = figure.get_size_inches()
    return contents, (float(width), float(height))


def set_style(theme: Theme) -> None:
    """Fonts and colors; call it inside ``matplotlib.rc_context``."""
    matplotlib.rcdefaults()  # a matplotlibrc of the user must not change the page
    matplotlib.rcParams.update(
        {
            "svg.fonttype": "none",
            "svg.hashsalt": "cifarlab",
            "font.sans-serif": ["DejaVu Sans"],
            "font.size": 9.5,
            "text.color": theme.text,
            "text.parse_math": False,  # a class may be called $a$; it is a name, not a formula
            "axes.edgecolor": theme.muted,
            "axes.labelcolor": theme.text,
            "axes.facecolor": "none",
            "xtick.color": theme.muted,
            "ytick.color": theme.muted,
            "xtick.labelcolor": theme.text,
            "ytick.labelcolor": theme.text,
        }
    )


def open_axes(axes: Axes, theme: Theme) -> None:
    """The frame of a line plot: two sides and a quiet horizontal grid."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color=theme.grid, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(length=3)
