"""The report: everything that the template needs, computed from a run folder, and the file it makes."""

import base64
import io
import statistics
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from numpy.typing import NDArray
from PIL import Image

from cifarlab import files
from cifarlab.errors import printable
from cifarlab.report import sentences, words
from cifarlab.report.confusion import confusion_figure, most_confused
from cifarlab.report.curves import KeptEpoch, accuracy_figure, has, learning_rate_figure, loss_figure
from cifarlab.report.drawing import Picture, picture
from cifarlab.report.network import network_view
from cifarlab.report.reliability import reliability_figure
from cifarlab.report.result import ClassScore
from cifarlab.report.run_folder import RunFiles, read_run

ROWS_SHOWN_AT_ONCE = 20
NAME_COLUMNS = 64


@dataclass(frozen=True)
class Figures:
    """The pictures of a report; one is ``None`` where the run folder lacks what it shows."""

    loss: Picture | None
    accuracy: Picture | None
    learning_rate: Picture | None
    confusion: Picture | None
    reliability: Picture | None


def write_report(folder: Path) -> Path:
    """Make ``report.html`` in a finished run folder, from what is in that folder alone.

    The page is one file that asks for nothing from outside and runs no script. Equal folders give equal
    pages.

    Raises:
        UserError: the folder holds no finished run, or the page cannot be written.
    """
    run = read_run(folder)
    path = folder / "report.html"
    files.write_atomic(path, render(run).encode())
    return path


def render(run: RunFiles) -> str:
    """The HTML of the report."""
    worst_first = sorted(run.result.per_class, key=_accuracy_or_one)
    return (
        environment()
        .get_template("report.html")
        .render(
            run=run,
            result=run.result,
            sentences=sentences,
            figures=draw_figures(run),
            images_per_second=images_per_second(run),
            worst_classes=worst_first[:ROWS_SHOWN_AT_ONCE],
            other_classes=worst_first[ROWS_SHOWN_AT_ONCE:],
            confused=most_confused(run.result.confusion, 10) if run.result.confusion is not None else [],
            pictures=[png_uri(mistake.image) for mistake in run.mistakes or ()],
            landmarks=landmarks(run),
            inside=run.explanation,
            network=network_view(run),
            has_test=has(run.epochs, "test_accuracy"),
            recipe_rows=list(words.flattened(run.recipe)),
            data_rows=list(words.flattened(_without_class_names(run.data))),
        )
    )


def environment() -> Environment:
    """Jinja2 with this package's templates: everything is escaped, and no string brings control characters.

    Control characters include those that reverse the reading direction; names also stand in ``<bdi>``.
    """
    made = Environment(
        loader=PackageLoader("cifarlab.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        # Only plain strings: what Jinja2 has marked as finished HTML keeps its line ends.
        finalize=lambda value: printable(value) if type(value) is str else value,
    )
    made.filters.update(
        percent=words.percent,
        interval=words.interval,
        count=words.count,
        decimal=words.decimal,
        magnitude=words.magnitude,
        duration=words.duration,
        short=lambda name: words.shortened(str(name), NAME_COLUMNS),
    )
    return made


def draw_figures(run: RunFiles) -> Figures:
    """All figures that the run folder has the numbers for."""
    rows, result = run.epochs, run.result
    kept, matrix, calibration = (
        KeptEpoch(result.best_epoch, result.select_by),
        result.confusion,
        result.calibration,
    )
    ending = f" The weights of epoch {kept.epoch} were kept." if kept.epoch else ""
    loss = accuracy = learning_rate = confusion = reliability = None
    if has(rows, "train_loss") or has(rows, "val_loss"):
        loss = picture(lambda theme: loss_figure(rows, kept, theme), f"Loss against epoch.{ending}")
    if has(rows, "train_accuracy") or has(rows, "val_accuracy"):
        accuracy = picture(
            lambda theme: accuracy_figure(rows, kept, theme), f"Accuracy against epoch.{ending}"
        )
    if has(rows, "lr"):
        learning_rate = picture(
            lambda theme: learning_rate_figure(rows, theme), "Learning rate against epoch."
        )
    if matrix is not None:
        confusion = picture(
            lambda theme: confusion_figure(matrix, run.class_names, theme),
            f"Confusion matrix of {len(matrix)} classes; the largest errors are in the table beside it.",
        )
    if calibration is not None:
        reliability = picture(
            lambda theme: reliability_figure(calibration, theme),
            "Reliability diagram: accuracy against confidence, with the number of images in each bin.",
        )
    return Figures(loss, accuracy, learning_rate, confusion, reliability)


def images_per_second(run: RunFiles) -> float | None:
    """Median over the epochs of the log; the first epoch, which warms up, weighs no more than any other."""
    speeds = [row["images_per_second"] for row in run.epochs if "images_per_second" in row]
    return statistics.median(speeds) if speeds else None


def landmarks(run: RunFiles) -> list[tuple[str, Mapping[str, float]]]:
    """The epochs worth comparing, each with its name and its row of the log: (name, row).

    One that the log lacks has an empty row, which the table shows as not recorded.
    """
    best_on_test = run.result.best_on_test
    named: dict[int, list[str]] = {}
    for epoch, name in (
        (1, "first"),
        (run.result.best_epoch, "kept"),
        (best_on_test.epoch if best_on_test else None, "best on test"),
        (run.result.last_epoch, "last"),
    ):
        if epoch is not None:
            named.setdefault(epoch, []).append(name)
    rows = {row["epoch"]: row for row in run.epochs}
    return [(f"{epoch} ({', '.join(named[epoch])})", rows.get(epoch, {})) for epoch in sorted(named)]


def png_uri(image: NDArray[np.uint8]) -> str:
    """A picture ``3 H W`` as a PNG data URI, lossless and in its own size."""
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(image.transpose(1, 2, 0))).save(buffer, format="png")
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def _accuracy_or_one(score: ClassScore) -> float:
    return 1.0 if score.accuracy is None else score.accuracy


def _without_class_names(data: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in data.items() if key != "class_names"}
