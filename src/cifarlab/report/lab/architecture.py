"""The networks of an item, drawn (report 002, figure 14)."""

from functools import partial

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch, Polygon

from cifarlab.explain.architecture import architecture_diagram, arrow_head
from cifarlab.explain.placement import FONT, SMALL_FONT, Diagram, Frame
from cifarlab.report.drawing import PIXELS_PER_INCH, Theme
from cifarlab.report.lab.drawn import Drawing
from cifarlab.report.lab.material import Material

CLASSES, IMAGE_SIZE = 10, 32
"""Of CIFAR-10, where no run tells them."""
_POINTS = 72 / PIXELS_PER_INCH


def architecture_drawings(material: Material) -> tuple[Drawing, ...]:
    """A drawing of every row's network."""
    drawings = []
    for row in material.table.rows:
        made = material.description(row)
        classes, size = (len(made.data.class_names), made.data.image_size) if made else (CLASSES, IMAGE_SIZE)
        diagram = architecture_diagram(material.recipe(row).model, classes, size)
        caption = (
            f"{row.label}, drawn from one pass of an image through it. A box has the shape of its output as "
            "channels × height × width, and its trainable parameters; “3×3 conv, 64, /2” is a convolution to "
            "64 channels with stride 2."
        )
        name = "architecture" if len(material.table.rows) == 1 else f"architecture-{row.recipe}"
        text = f"The network of {row.label}: {'; '.join(words.text for words in diagram.words)}."
        drawings.append(Drawing(name, caption, text, partial(architecture_figure, diagram)))
    return tuple(drawings)


def architecture_figure(diagram: Diagram, theme: Theme) -> Figure:
    """The diagram in its own size."""
    figure = Figure(figsize=(diagram.width / PIXELS_PER_INCH, diagram.height / PIXELS_PER_INCH))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_xlim(0, diagram.width)
    axes.set_ylim(diagram.height, 0)
    axes.axis("off")
    for frame in diagram.frames:
        _draw_frame(axes, frame, theme)
    for path in diagram.paths:
        color = theme.series[1] if path.is_shortcut else theme.muted
        axes.plot(*zip(*path.points, strict=True), color=color, linewidth=1.4 * _POINTS)
        if path.has_arrow:
            axes.add_patch(Polygon(arrow_head(path), color=color, linewidth=0))
    for words in diagram.words:
        axes.text(
            words.x,
            words.y,
            words.text,
            ha="left" if words.anchor == "start" else "center",
            va="center",
            fontsize=(SMALL_FONT if words.kind == "note" else FONT) * _POINTS,
            fontweight="bold" if words.kind == "strong" else "normal",
            color=theme.muted if words.kind == "note" else theme.text,
        )
    return figure


def _draw_frame(axes: Axes, frame: Frame, theme: Theme) -> None:
    is_group = frame.kind == "group"
    radius = frame.height / 2 if frame.kind == "pill" else 5
    axes.add_patch(
        FancyBboxPatch(
            (frame.left, frame.top),
            frame.width,
            frame.height,
            boxstyle=f"round,pad=0,rounding_size={radius}",
            facecolor="none" if is_group else theme.heat[0],
            edgecolor=theme.muted if is_group else theme.series[0],
            linestyle="--" if is_group else "-",
            linewidth=1.2 * _POINTS,
        )
    )
