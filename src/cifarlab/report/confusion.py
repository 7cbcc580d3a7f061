"""The confusion matrix as a figure, and the pairs of classes that are mistaken most often."""

from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, PowerNorm
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.ticker import FuncFormatter
from numpy.typing import NDArray

from cifarlab.report.drawing import Theme
from cifarlab.report.words import shortened

WRITTEN_COUNTS = 20  # up to so many classes every cell shows its count
NAMED_CLASSES = 120  # beyond this, names would be smaller than a reader can see; rows are numbered instead


def most_confused(matrix: NDArray[np.int64], limit: int) -> list[tuple[int, int, int]]:
    """(true class, predicted class, images) of the largest off-diagonal cells, the largest first."""
    errors = matrix.copy()
    np.fill_diagonal(errors, 0)
    order = np.argsort(-errors, axis=None, kind="stable")[:limit]
    pairs = [divmod(int(cell), len(errors)) for cell in order]
    return [
        (true, predicted, int(errors[true, predicted]))
        for true, predicted in pairs
        if errors[true, predicted]
    ]


def confusion_figure(matrix: NDArray[np.int64], class_names: tuple[str, ...], theme: Theme) -> Figure:
    """Rows are true classes, columns predicted ones; a cell's color is its share of its row.

    The color scale is a square root, so that a share of 1 % can be told from none.
    """
    classes = len(matrix)
    share = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    cell = _cell_inches(classes)
    font_size = min(9.0, 72 * cell * 0.9) if classes <= NAMED_CLASSES else 9.0
    names = [shortened(name, 16) for name in class_names] if classes <= NAMED_CLASSES else []
    label_inches = max((len(name) for name in names), default=4) * 0.62 * font_size / 72
    side = max(cell * classes, 1.8)
    figure = Figure(layout="constrained")
    if classes <= WRITTEN_COUNTS:
        figure.set_size_inches(side + label_inches + 1.55, side + label_inches + 0.7)
    else:
        figure.set_size_inches(side + label_inches + 0.5, side + label_inches + 1.2)
    axes = figure.add_subplot()
    colors = LinearSegmentedColormap.from_list("share", theme.heat)
    image = axes.imshow(share, cmap=colors, norm=PowerNorm(0.5, 0.0, 1.0), interpolation="nearest")
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0, labelsize=font_size)
    axes.set_xlabel("predicted class")
    axes.set_ylabel("true class")
    if names:
        _name_ticks(axes, names)
    if classes <= WRITTEN_COUNTS:
        _write_counts(axes, matrix, share, cell, theme)
        axes.set_xticks(np.arange(classes + 1) - 0.5, minor=True)
        axes.set_yticks(np.arange(classes + 1) - 0.5, minor=True)
        axes.grid(which="minor", color=theme.page, linewidth=1.5)
        axes.tick_params(which="minor", length=0)
    _color_scale(figure, axes, image, side, "right" if classes <= WRITTEN_COUNTS else "top")
    return figure


def _cell_inches(classes: int) -> float:
    for limit, inches in ((12, 0.46), (WRITTEN_COUNTS, 0.38), (48, 0.19)):
        if classes <= limit:
            return inches
    return 9.2 / classes  # all columns fit into the width of the page


def _name_ticks(axes: Axes, names: list[str]) -> None:
    positions = range(len(names))
    axes.set_yticks(positions, names)
    if max(map(len, names)) <= 2 and len(names) <= WRITTEN_COUNTS:
        axes.set_xticks(positions, names)
    else:
        angle = 45 if len(names) <= WRITTEN_COUNTS else 90
        vertical = "top" if angle == 45 else "center"
        axes.set_xticks(
            positions,
            names,
            rotation=angle,
            ha="right",
            va=vertical,
            rotation_mode="anchor",
            parse_math=False,
        )


def _write_counts(
    axes: Axes, matrix: NDArray[np.int64], share: NDArray[np.float64], cell: float, theme: Theme
) -> None:
    digits = len(str(matrix.max()))
    size = min(9.0, 72 * cell / (0.72 * max(digits, 2)))
    for (row, column), images in np.ndenumerate(matrix):
        dark_on_light = share[row, column] < 0.3
        color = theme.page if not dark_on_light else theme.text if images else theme.muted
        axes.text(column, row, f"{images}", ha="center", va="center", fontsize=size, color=color)


def _color_scale(
    figure: Figure, axes: Axes, image: AxesImage, side: float, at: Literal["right", "top"]
) -> None:
    bar = figure.colorbar(
        image,
        ax=axes,
        location=at,
        label="share of the true class's images",
        shrink=min(1.0, 3.2 / side),
        aspect=22,
        pad=0.02,
        ticks=[0, 0.01, 0.05, 0.2, 0.5, 1],
        format=FuncFormatter(lambda value, _: f"{100 * value:.0f}%"),
    )
    bar.outline.set_visible(False)
    bar.ax.tick_params(labelsize=8, length=2)
