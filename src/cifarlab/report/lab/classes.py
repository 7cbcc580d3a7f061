"""What a study says of single classes: the confusion matrix of its best network, and accuracy per class."""

import statistics
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
from matplotlib.artist import Artist
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from cifarlab import run
from cifarlab.errors import UserError
from cifarlab.report import words
from cifarlab.report.confusion import confusion_figure
from cifarlab.report.drawing import Theme, open_axes
from cifarlab.report.lab.drawn import Drawing
from cifarlab.report.lab.material import Material, accuracy_of
from cifarlab.report.lab.styles import WIDTH_INCHES, legend_below, style
from cifarlab.report.result import Result, parse_result

MOST_PANELS = 6
Scores = dict[str, float]
"""Accuracy in percent by class."""


def confusion_drawing(material: Material) -> tuple[Drawing, ...]:
    """The matrix of the best row's first run; where the report prints one, that one beside it.

    Raises:
        UserError: no run has finished, or it left no matrix.
    """
    row, folder = material.best_run()
    result, names = _result(folder)
    if result.confusion is None:
        raise UserError(f"{folder} has no confusion matrix")
    caption = f"Confusion matrix of {row.label}, first seed, in test images. Color: share of the row."
    text = f"Confusion matrix of {row.label}; test accuracy {words.percent(result.test_accuracy)}."
    drawings = [Drawing("confusion", caption, text, partial(confusion_figure, result.confusion, names))]
    if material.reference.matrix:
        theirs = np.array(material.reference.matrix, dtype=np.int64)
        share = words.percent(float(np.trace(theirs) / theirs.sum()))
        drawings.append(
            Drawing(
                "confusion-published",
                f"The matrix that {material.reference.where} prints; its diagonal gives {share}.",
                f"Published confusion matrix; its diagonal gives {share}.",
                partial(confusion_figure, theirs, material.reference.matrix_classes),
            )
        )
    return tuple(drawings)


def per_class_drawing(material: Material) -> tuple[Drawing, ...]:
    """Accuracy per class: ours under protocols C and A, and theirs for the classes that ours have, too.

    Raises:
        UserError: no row has a finished run.
    """
    published = dict(material.reference.per_class)
    panels: dict[str, dict[str, Scores]] = {}
    for row in sorted(material.table.rows, key=lambda row: -accuracy_of(row)):
        ours = {
            "ours": _scores(material.runs, row.runs),
            "ours, judged as published": _scores(material.runs, row.published_runs),
        }
        names = {name for scores in ours.values() for name in scores}
        theirs = {name: 100 * value for name, value in published.get(row.label, ()) if name in names}
        found = {**ours, "report": theirs}
        if names:
            panels[row.label] = {name: scores for name, scores in found.items() if scores}
    if not panels:
        raise UserError("no run of this item has finished")
    left_out = max(0, len(panels) - MOST_PANELS)
    order = [row.label for row in material.table.rows if row.label in list(panels)[:MOST_PANELS]]
    panels = {label: panels[label] for label in order}
    caption = "Test accuracy per class, mean over the seeds."
    if left_out:
        caption += f" The {MOST_PANELS} best variants are shown; {left_out} more are left out."
    names = {name for found in panels.values() for scores in found.values() for name in scores}
    if any(name not in names for label in panels for name, _ in published.get(label, ())):
        caption += " The report's numbers for other classes than these are not drawn."
    text = f"Accuracy per class of {', '.join(panels)}."
    return (Drawing("per-class", caption, text, partial(per_class_figure, panels)),)


def per_class_figure(panels: dict[str, dict[str, Scores]], theme: Theme) -> Figure:
    """A panel per variant, classes from top to bottom, and a marker for each source."""
    classes = list(
        dict.fromkeys(name for found in panels.values() for scores in found.values() for name in scores)
    )
    columns = min(3, len(panels))
    rows = -(-len(panels) // columns)
    height = (0.2 * len(classes) + 0.75) * rows + 0.3
    figure = Figure(figsize=(WIDTH_INCHES, height), layout="constrained")
    grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).ravel()
    handles: dict[str, Artist] = {}
    sources = ("ours", "ours, judged as published", "report")
    for axes, (label, found) in zip(grid, panels.items(), strict=False):
        open_axes(axes, theme)
        axes.grid(visible=False)
        axes.grid(axis="both", color=theme.grid, linewidth=0.7)
        axes.set_title(words.shortened(label, 66 // columns), fontsize=8.5, loc="left")
        for place, source in enumerate(sources):
            scores = found.get(source, {})
            if scores:
                look = style(place, theme)
                handles[source] = axes.scatter(
                    list(scores.values()), [classes.index(name) for name in scores], s=26, marker=look.marker,
                    facecolor=theme.page if source == "report" else look.color, edgecolor=look.color,
                    linewidth=1.3, zorder=4 - place,
                )  # fmt: skip
        axes.tick_params(labelbottom=True)
        axes.xaxis.set_major_locator(MaxNLocator(nbins=4))
    for axes in grid[len(panels) :]:
        axes.remove()
    grid[0].set_yticks(range(len(classes)), [words.shortened(name, 18) for name in classes])
    grid[0].set_ylim(len(classes) - 0.4, -0.6)
    for axes in grid[max(0, len(panels) - columns) : len(panels)]:
        axes.set_xlabel("test accuracy (%)")
    shown = [source for source in sources if source in handles]
    legend_below(figure, [handles[source] for source in shown], shown)
    return figure


def _scores(runs: Path, names: Sequence[str]) -> Scores:
    """Mean over the finished runs, in percent; of classes that every one of them measured."""
    tables = []
    for name in names:
        folder = runs / name
        if run.is_run(folder) and (ending := run.read_ending(folder)) and ending["status"] == "finished":
            result, _ = _result(folder)
            tables.append({s.name: 100 * s.accuracy for s in result.per_class if s.accuracy is not None})
    shared = [name for name in tables[0] if all(name in each for each in tables)] if tables else []
    return {name: statistics.fmean(each[name] for each in tables) for name in shared}


def _result(folder: Path) -> tuple[Result, tuple[str, ...]]:
    """What a finished run measured, and its classes."""
    names = run.read_description(folder).data.class_names
    try:
        return parse_result(run.read_result(folder), names), names
    except (LookupError, TypeError, ValueError, ArithmeticError, AttributeError) as error:
        raise UserError(f"{folder / run.RESULT} is damaged: {error!r}") from error
