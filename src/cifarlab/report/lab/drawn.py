"""From a drawing to files beside the table: SVG for light and dark pages, PNG for papers, and their index."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from matplotlib.figure import Figure

from cifarlab import files
from cifarlab.config import from_json, to_json
from cifarlab.errors import UserError
from cifarlab.report.drawing import DARK, LIGHT, PIXELS_PER_INCH, Theme, file_contents

INDEX = "figures.json"


@dataclass(frozen=True)
class Drawing:
    """A figure that can be drawn in any theme."""

    name: str
    caption: str
    alternative: str
    """Words for who cannot see it."""
    draw: Callable[[Theme], Figure]


@dataclass(frozen=True)
class Finished:
    """A picture that is drawn already, once for all themes; ``contents`` holds it as ``svg`` and ``png``."""

    name: str
    caption: str
    alternative: str
    contents: Mapping[str, bytes]
    width: int
    """In CSS pixels, as ``height``."""
    height: int


@dataclass(frozen=True)
class FigureFile:
    """A line of ``figures.json``: ``NAME.svg`` and ``NAME.png``, or why there is no such figure."""

    name: str
    caption: str = ""
    alternative: str = ""
    width: int = 0
    height: int = 0
    has_dark: bool = False
    """Whether there is a ``NAME-dark.svg``."""
    missing: str = ""


def save(drawing: Drawing | Finished, folder: Path) -> FigureFile:
    """Write the files of one figure into ``folder``. Equal figures give equal bytes."""
    names = (drawing.name, drawing.caption, drawing.alternative)
    if isinstance(drawing, Finished):
        for suffix, content in drawing.contents.items():
            files.write_atomic(folder / f"{drawing.name}.{suffix}", content)
        return FigureFile(*names, drawing.width, drawing.height)
    light, size = file_contents(drawing.draw, LIGHT, ("svg", "png"))
    dark, _ = file_contents(drawing.draw, DARK, ("svg",))
    for suffix, content in light.items():
        files.write_atomic(folder / f"{drawing.name}.{suffix}", content)
    files.write_atomic(folder / f"{drawing.name}-dark.svg", dark["svg"])
    width, height = (round(inches * PIXELS_PER_INCH) for inches in size)
    return FigureFile(*names, width, height, has_dark=True)


def write_index(figures: tuple[FigureFile, ...], folder: Path) -> None:
    """Leave ``figures.json``, from which pages take captions and sizes."""
    files.write_json(folder / INDEX, to_json(figures))


def read_index(folder: Path) -> tuple[FigureFile, ...]:
    """The figures in ``folder``; none where there is no index.

    Raises:
        UserError: the index is damaged.
    """
    path = folder / INDEX
    if not path.is_file():
        return ()
    try:
        figures: tuple[FigureFile, ...] = from_json(tuple[FigureFile, ...], files.read_json(path))
    except UserError as error:
        raise UserError(f"{path} is damaged ({error}); make the item again") from error
    return figures
