"""``cifarlab explain``: look inside a trained network."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import tyro

from cifarlab.cli.parsing import parse
from cifarlab.errors import UserError, printable

if TYPE_CHECKING:
    from cifarlab.explain.explanation import Explanation


@dataclass(frozen=True)
class Options:
    """Show where a trained network finds evidence: on its most confident mistakes, and on your pictures.

    Leaves RUN/explain/ and a section of RUN/report.html. Needs the extra: explain.
    """

    run: tyro.conf.Positional[Path]
    """The run folder."""
    images: tyro.conf.Positional[tuple[Path, ...]] = ()
    """Pictures of your own: PNG, JPEG, WebP or BMP files of any size."""
    mistakes: int = 8
    """How many of the most confident mistakes on the test set are shown, 0 to 24."""
    layers: str | None = None
    """Layers of the Grad-CAM row: all, or their names with commas (default: six, from first to last)."""
    device: str = "auto"
    """auto, cpu, cuda, cuda:1 or mps."""


def main(arguments: list[str]) -> None:
    """Parse, explain, write the report again."""
    options = parse(Options, "explain", arguments)
    from cifarlab.explain import explain
    from cifarlab.report import write_report

    found = explain(
        options.run,
        options.images,
        mistakes=options.mistakes,
        layers=_layers(options.layers),
        device=options.device,
        say=lambda text: print(text, flush=True),
    )
    page = write_report(options.run)
    for line in summary(found):
        print(line)
    print(f"pictures: {printable(options.run / 'explain')}")
    print(f"report: {printable(page)}")


def _layers(text: str | None) -> "tuple[str, ...] | None":
    if text is None:
        return None
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    if not names:
        raise UserError("--layers needs names of layers with commas between them, or all")
    return names


def summary(found: "Explanation") -> list[str]:
    """The lines that sum up an explanation."""
    lines = []
    for picture in found.pictures:
        truth = "" if picture.truth is None else f", is {printable(picture.truth)}"
        similar = ", ".join(dict.fromkeys(printable(each.class_name) for each in picture.neighbors))
        lines.append(
            f"{printable(picture.name)}: said {printable(picture.said)} ({picture.confidence:.1%}){truth}"
            + (f"; most similar training images: {similar}" if similar else "")
        )
    if (scaling := found.temperature) is not None:
        lines.append(
            f"temperature {scaling.value:.2f}, fitted on {scaling.fitted_on:,} validation images; "
            f"calibration error on the test set {scaling.error_before:.2%} before, "
            f"{scaling.error_after:.2%} after; loss {scaling.loss_before:.4f} before, "
            f"{scaling.loss_after:.4f} after"
        )
    return [*lines, *(printable(note) for note in found.notes)]
