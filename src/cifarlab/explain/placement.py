"""Where everything in the drawing of a network lies: boxes, texts and lines, from the images to the logits.

Lengths are in CSS pixels, from the top left corner. Nothing overlaps, because every part gets the room that
its text takes in a wide font.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from cifarlab.explain.structure import Box, Chain, Parallel, Part, Repeated

FONT, SMALL_FONT = 12.0, 10.5
"""Sizes of text, in CSS pixels."""
LINE, PADDING = 16.0, 8.0
GAP, COLUMN_GAP = 20.0, 26.0
"""Between parts that follow one another, and between ways."""
MARGIN, FOOT = 16.0, 34.0
_ARC, _BADGE, _TURN = 20.0, 36.0, 12.0
_NARROW = frozenset(" .,·/:|'()[]ijlftr1")
TextKind = Literal["line", "note", "strong"]


@dataclass(frozen=True)
class Frame:
    """A rectangle: a ``box`` of layers, a ``pill`` where ways meet, a ``group`` that is repeated."""

    kind: Literal["box", "pill", "group"]
    left: float
    top: float
    width: float
    height: float


@dataclass(frozen=True)
class Words:
    """A line of text; ``y`` is the middle of its height."""

    kind: TextKind
    x: float
    y: float
    text: str
    anchor: Literal["start", "middle"] = "middle"


@dataclass(frozen=True)
class Path:
    """A line through points."""

    points: tuple[tuple[float, float], ...]
    has_arrow: bool
    is_shortcut: bool = False


@dataclass(frozen=True)
class Diagram:
    """A whole drawing."""

    width: float
    height: float
    frames: tuple[Frame, ...]
    words: tuple[Words, ...]
    paths: tuple[Path, ...]


def diagram_of(chain: Chain, images: str, foot: Sequence[str]) -> Diagram:
    """The drawing of a network.

    Args:
        chain: all of its parts.
        images: what goes in, above the first part.
        foot: lines below the last part.
    """
    width = max(_size_of(chain)[0], *(_text_width(line) for line in (images, *foot)))
    pen = _Pen()
    center = MARGIN + width / 2
    pen.words.append(Words("strong", center, MARGIN + LINE / 2, images))
    top = MARGIN + LINE + GAP
    pen.paths.append(Path(((center, top - GAP + 2), (center, top)), not isinstance(chain[0], Parallel)))
    bottom = pen.chain(chain, center, top)
    for place, line in enumerate(foot):
        kind: TextKind = "note" if place else "strong"
        pen.words.append(Words(kind, center, bottom + FOOT / 2 + LINE * (place + 0.5), line))
    total = bottom + FOOT / 2 + LINE * len(foot) + MARGIN
    return Diagram(width + 2 * MARGIN, total, tuple(pen.frames), tuple(pen.words), tuple(pen.paths))


def shape_text(shape: Sequence[int]) -> str:
    """``64×32×32`` of channels, height and width."""
    return "×".join(map(str, shape))


def _note(box: Box, times: int) -> str:
    parameters = f" · {box.parameters:,} parameters" if box.parameters else ""
    return f"{shape_text(box.shape)}{parameters}{' each' if parameters and times > 1 else ''}"


def _text_width(text: str, font: float = FONT) -> float:
    return font * sum(0.38 if letter in _NARROW else 0.66 for letter in text)


def _box_size(box: Box, times: int) -> tuple[float, float]:
    widest = max(*map(_text_width, box.lines), _text_width(_note(box, times), SMALL_FONT))
    return widest + 2 * PADDING, LINE * (len(box.lines) + 1) + PADDING


def _is_pill(join: Box) -> bool:
    """Whether ways meet in a mere addition, multiplication or the like."""
    return join.parameters == 0 and len(join.lines[0]) <= 12


def _join_size(join: Box) -> tuple[float, float]:
    if _is_pill(join):
        return _text_width(join.lines[0]) + 2 * PADDING, LINE + 4
    return _box_size(join, 1)


def _size(part: Part) -> tuple[float, float]:
    match part:
        case Box():
            width, height = _box_size(part, 1)
            return width + 2 * _ARC * part.has_shortcut, height
        case Repeated(part=Box() as box, times=times):
            width, height = _box_size(box, times)
            return width + 2 * _BADGE, height
        case Repeated(part=Parallel() as inner):
            width, height = _size(inner)
            return width + 2 * PADDING, height + 2 * PADDING + LINE
        case Parallel():
            columns = [_column(way) for way in part.ways]
            height = 2 * _TURN + max(size[1] for size in map(_size_of, part.ways))
            join = _join_size(part.join)
            width = sum(columns) + COLUMN_GAP * (len(columns) - 1)
            return max(width, join[0]), height + join[1] + _TURN + GAP
    raise TypeError(f"a drawing has no {type(part).__name__}")


def _column(way: Chain) -> float:
    return max(_size_of(way)[0], 8.0)


def _size_of(chain: Chain) -> tuple[float, float]:
    sizes = [_size(part) for part in chain]
    if not sizes:
        return 0.0, 0.0
    return max(width for width, _ in sizes), sum(height for _, height in sizes) + GAP * (len(sizes) - 1)


class _Pen:
    """Collects what is drawn. A method takes the middle and the top of its part and returns the bottom."""

    def __init__(self) -> None:
        self.frames: list[Frame] = []
        self.words: list[Words] = []
        self.paths: list[Path] = []

    def chain(self, chain: Chain, x: float, top: float) -> float:
        """One part below the other, with arrows between."""
        for place, part in enumerate(chain):
            if place:
                # Where ways fork, each has its own arrow.
                self.paths.append(Path(((x, top), (x, top + GAP)), not isinstance(part, Parallel)))
                top += GAP
            top = self.part(part, x, top)
        return top

    def part(self, part: Part, x: float, top: float) -> float:
        """A part of any kind."""
        match part:
            case Box():
                return self.box(part, x, top, 1)
            case Parallel():
                return self.parallel(part, x, top)
            case Repeated(part=Box() as box, times=times):
                return self.box(box, x, top, times)
            case Repeated(part=Parallel() as inner, times=times):
                width, height = _size(part)
                self.frames.append(Frame("group", x - width / 2, top, width, height))
                corner = x - width / 2 + PADDING, top + PADDING + LINE / 2
                self.words.append(Words("strong", *corner, f"× {times}", "start"))
                inside = top + PADDING + LINE
                bottom = self.parallel(inner, x, inside)
                self.paths.append(Path(((x, top), (x, inside)), has_arrow=False))
                self.paths.append(Path(((x, bottom), (x, top + height)), has_arrow=False))
                return top + height
        raise TypeError(f"a drawing has no {type(part).__name__}")

    def box(self, box: Box, x: float, top: float, times: int) -> float:
        """Layers with the shape and the parameters below them, a shortcut at the right side."""
        width, height = _box_size(box, times)
        right = x + width / 2
        self.frames.append(Frame("box", x - width / 2, top, width, height))
        for place, line in enumerate(box.lines):
            self.words.append(Words("line", x, top + PADDING / 2 + LINE * (place + 0.5), line))
        bottom = top + height
        self.words.append(Words("note", x, bottom - PADDING / 2 - LINE / 2, _note(box, times)))
        if box.has_shortcut:
            start, end = top - GAP / 2, top + PADDING / 2 + LINE * (len(box.lines) - 0.5)
            points = ((x, start), (right + _TURN, start), (right + _TURN, end), (right, end))
            self.paths.append(Path(points, has_arrow=True, is_shortcut=True))
        if times > 1:
            badge_x = right + (_TURN if box.has_shortcut else 0) + 4
            self.words.append(Words("strong", badge_x, bottom - LINE / 2, f"× {times}", "start"))
        return bottom

    def parallel(self, part: Parallel, x: float, top: float) -> float:
        """Ways side by side, from one line down to the step in which they meet."""
        columns = [_column(way) for way in part.ways]
        left = x - (sum(columns) + COLUMN_GAP * (len(columns) - 1)) / 2
        first = top + 2 * _TURN
        last = first + max(_size_of(way)[1] for way in part.ways)
        for column, way in zip(columns, part.ways, strict=True):
            middle = left + column / 2
            left += column + COLUMN_GAP
            fork = ((x, top), (x, top + _TURN / 2), (middle, top + _TURN / 2))
            if way:
                self.paths.append(Path((*fork, (middle, first)), not isinstance(way[0], Parallel)))
                bottom = self.chain(way, middle, first)
                fork = ((middle, bottom),) * 3
            ways_end = (*fork[:3], (middle, last + _TURN), (x, last + _TURN), (x, last + _TURN + GAP))
            self.paths.append(Path(tuple(dict.fromkeys(ways_end)), has_arrow=True, is_shortcut=not way))
        return self.join(part.join, x, last + _TURN + GAP)

    def join(self, join: Box, x: float, top: float) -> float:
        """Where ways meet."""
        if not _is_pill(join):
            return self.box(join, x, top, 1)
        width, height = _join_size(join)
        self.frames.append(Frame("pill", x - width / 2, top, width, height))
        self.words.append(Words("line", x, top + height / 2, join.lines[0]))
        return top + height
