"""A network drawn as a picture (report 002, figure 14), from what it does and not from what is said of it.

A box holds one or a few layers, the shape of their output as channels × height × width, and their trainable
parameters. ``3×3 conv, 64, /2`` is a convolution to 64 channels with stride 2, as He et al. 2015 write it.
"""

from html import escape

import torch

from cifarlab.explain.dataflow import steps_of
from cifarlab.explain.placement import FONT, SMALL_FONT, Diagram, Frame, Path, Words, diagram_of, shape_text
from cifarlab.explain.structure import structure_of
from cifarlab.models import Model
from cifarlab.models.cost import count_parameters

_STYLE = """
.architecture { color-scheme: light dark; font-family: "DejaVu Sans", Verdana, Arial, sans-serif;
  --ink: #1d2733; --soft: #5b6876; --line: #5b6876; --box: #eaf2f9; --edge: #0072b2; --way: #d55e00; }
@media screen and (prefers-color-scheme: dark) { .architecture {
  --ink: #e4e9ef; --soft: #9aa7b5; --line: #9aa7b5; --box: #1b2a38; --edge: #56b4e9; --way: #e69f00; } }
.architecture text { fill: var(--ink); text-anchor: middle; dominant-baseline: central; font-size: LINEpx; }
.architecture .note { fill: var(--soft); font-size: NOTEpx; }
.architecture .strong { font-weight: bold; }
.architecture .start { text-anchor: start; }
.architecture rect { fill: var(--box); stroke: var(--edge); stroke-width: 1.2; }
.architecture .group { fill: none; stroke: var(--soft); stroke-dasharray: 5 4; }
.architecture path { fill: none; stroke: var(--line); stroke-width: 1.4; stroke-linejoin: round; }
.architecture .shortcut { stroke: var(--way); }
.architecture polygon { fill: var(--line); }
.architecture polygon.shortcut { fill: var(--way); stroke: none; }
""".replace("LINE", f"{FONT:g}").replace("NOTE", f"{SMALL_FONT:g}")


def architecture_svg(model: Model, classes: int, image_size: int) -> str:
    """The drawing as an SVG document, which is also valid inside an HTML page.

    It follows the reader's choice of a light or a dark page and asks for nothing from outside. Equal networks
    give equal drawings.

    Raises:
        UserError: the network does not take images of this size.
    """
    diagram = architecture_diagram(model, classes, image_size)
    width, height = round(diagram.width), round(diagram.height)
    count = sum(frame.kind == "box" for frame in diagram.frames)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="architecture" role="img" width="{width}" '
        f'height="{height}" viewBox="0 0 {width} {height}" aria-label="A network in {count} boxes">',
        f"<style>{_STYLE}</style>",
        *map(_frame, diagram.frames),
        *map(_path, diagram.paths),
        *map(_words, diagram.words),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def architecture_diagram(model: Model, classes: int, image_size: int) -> Diagram:
    """The same as boxes, texts and lines, for who draws it otherwise.

    Raises:
        UserError: the network does not take images of this size.
    """
    with torch.device("meta"):
        network = model.build(classes, image_size)
    count = count_parameters(network)
    chain = structure_of(steps_of(network, image_size))
    foot = [f"{classes} logits", f"{count.trainable:,} trainable parameters"]
    if count.statistics:
        foot.append(f"+ {count.statistics:,} statistics of BatchNorm = {count.total:,}")
    return diagram_of(chain, f"images {shape_text((3, image_size, image_size))}", foot)


def _frame(frame: Frame) -> str:
    radius = frame.height / 2 if frame.kind == "pill" else 5
    return (
        f'<rect class="{frame.kind}" x="{frame.left:.1f}" y="{frame.top:.1f}" width="{frame.width:.1f}" '
        f'height="{frame.height:.1f}" rx="{radius:g}"/>'
    )


def _words(words: Words) -> str:
    kind = words.kind + (" start" if words.anchor == "start" else "")
    return f'<text class="{kind}" x="{words.x:.1f}" y="{words.y:.1f}">{escape(words.text)}</text>'


def _path(path: Path) -> str:
    kind = ' class="shortcut"' if path.is_shortcut else ""
    line = "M" + " L".join(f"{x:.1f} {y:.1f}" for x, y in path.points)
    drawn = f'<path{kind} d="{line}"/>'
    if path.has_arrow:
        drawn += f'<polygon{kind} points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in arrow_head(path))}"/>'
    return drawn


def arrow_head(path: Path, length: float = 6.0) -> tuple[tuple[float, float], ...]:
    """The corners of the arrow at the end of a path whose last stretch is upright or level."""
    (before_x, before_y), (x, y) = path.points[-2:]
    half = length / 2
    if before_x == x:
        back = y - length if y >= before_y else y + length
        return ((x, y), (x - half, back), (x + half, back))
    back = x - length if x >= before_x else x + length
    return ((x, y), (back, y - half), (back, y + half))
