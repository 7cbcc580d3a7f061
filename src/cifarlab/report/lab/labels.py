"""Names beside points, placed so that none hides another name or a point."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Annotation, Text
from matplotlib.transforms import Bbox

from cifarlab.report.drawing import Theme
from cifarlab.report.lab.styles import short


@dataclass(frozen=True)
class Labeled:
    """A point with an error bar, in the units of the axes, and what to write beside it."""

    x: float
    y: float
    low: float
    high: float
    label: str
    note: str
    area: float
    """Of its marker, in square points."""

    @property
    def text(self) -> str:
        """The label, cut where it is too long, and the note behind it."""
        return short(self.label) + self.note


Side = tuple[int, int, Literal["left", "right", "center"], Literal["top", "bottom", "center"]]
_SIDES: tuple[Side, ...] = (
    *((1, 0, "left", "center"), (-1, 0, "right", "center")),
    *((0, 1, "center", "bottom"), (0, -1, "center", "top")),
    *((1, 1, "left", "bottom"), (-1, 1, "right", "bottom")),
    *((1, -1, "left", "top"), (-1, -1, "right", "top")),
)
_DISTANCES = (4.5, 12.0, 24.0, 40.0)


def place_labels(figure: Figure, axes: Axes, points: Sequence[Labeled], theme: Theme) -> None:
    """Write each name at the nearest free place around its point; far ones are tied to it by a line."""
    canvas = FigureCanvasAgg(figure)
    figure.draw_without_rendering()  # the layout must stand before a place can be measured
    renderer, inside = canvas.get_renderer(), axes.get_window_extent()
    pixels = figure.dpi / 72
    taken = [box for point in points for box in _drawn(axes, point, pixels)]
    for place, point in enumerate(points):
        spots: list[tuple[float, int, Annotation, Bbox]] = []
        for distance in _DISTANCES:
            for side in _SIDES:
                trial = _write(axes, point, side, distance, theme)
                trial.update_positions(renderer)
                box = Text.get_window_extent(trial, renderer)  # without its line
                trial.remove()
                hidden = sum(_shared(box, other) for other in taken) + 2 * _outside(box, inside)
                # Nearer is better among free places; the order of the sides decides between equals.
                spots.append((hidden + distance * 0.01, len(spots), trial, box))
        _, _, chosen, box = min(spots, key=lambda spot: spot[:2])
        chosen.set_in_layout(False)
        chosen.set_gid(f"label-{place}")
        axes.add_artist(chosen)
        taken.append(box)


def _write(axes: Axes, point: Labeled, side: Side, distance: float, theme: Theme) -> Annotation:
    right, up, across, along = side
    reach = distance + point.area**0.5 / 2
    return axes.annotate(
        point.text,
        (point.x, point.y),
        (right * reach, up * reach),
        textcoords="offset points",
        ha=across,
        va=along,
        fontsize=8.5,
        color=theme.text,
        arrowprops={"arrowstyle": "-", "color": theme.muted, "linewidth": 0.6} if distance > 10 else None,
    )


def _drawn(axes: Axes, point: Labeled, pixels: float) -> tuple[Bbox, Bbox]:
    """Where a point's marker and its error bar are, in pixels."""
    across, up = axes.transData.transform((point.x, point.y))
    (_, bottom), (_, top) = axes.transData.transform(((point.x, point.low), (point.x, point.high)))
    half, cap = (point.area**0.5 / 2 + 1) * pixels, 2.5 * pixels
    marker = Bbox.from_extents(across - half, up - half, across + half, up + half)
    return marker, Bbox.from_extents(across - cap, bottom, across + cap, top)


def _shared(first: Bbox, second: Bbox) -> float:
    """The area that two boxes have in common, in square pixels."""
    common = Bbox.intersection(first, second)
    return 0.0 if common is None else float(common.width * common.height)


def _outside(box: Bbox, frame: Bbox) -> float:
    """The area of ``box`` beyond ``frame``."""
    return float(box.width * box.height) - _shared(box, frame)
