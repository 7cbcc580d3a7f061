"""The learning rate over the whole run, of every variant's recipe (report 000, figure 5; 002, figure 5)."""

import math
from dataclasses import dataclass
from functools import partial

from matplotlib.artist import Artist
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from cifarlab import run
from cifarlab.errors import UserError
from cifarlab.recipe import Recipe
from cifarlab.report import words
from cifarlab.report.drawing import Theme, open_axes
from cifarlab.report.lab.drawn import Drawing
from cifarlab.report.lab.material import Material
from cifarlab.report.lab.styles import WIDTH_INCHES, legend_below, plain_numbers, style
from cifarlab.report.run_folder import read_metrics
from cifarlab.schedules import Moment, Plateau
from cifarlab.studies.table import Row
from cifarlab.train import learning_rate

POINTS = 1200
NOMINAL_STEPS = 352
"""Steps per epoch where no run tells them: 45,000 images in batches of 128."""


@dataclass(frozen=True)
class Rates:
    """One line: rates against epochs done."""

    epochs: tuple[float, ...]
    rates: tuple[float, ...]


def rates_drawing(material: Material) -> tuple[Drawing, ...]:
    """One line per schedule; variants that share one are named together.

    Raises:
        UserError: every schedule follows a validation loss, and there is no log of a run yet.
    """
    lines: dict[Rates, list[str]] = {}
    for row in material.table.rows:
        if (rates := rates_of(material, row)) is not None:
            lines.setdefault(rates, []).append(row.label)
    if not lines:
        raise UserError("these rates follow the validation loss, and no run has a log of it yet")
    everything = len(material.table.rows) > 1 and len(lines) == 1
    named = {"all variants" if everything else _together(labels): rates for rates, labels in lines.items()}
    caption = (
        "Learning rate over the whole run, as each recipe gives it; on plateau: as the first run logged it."
    )
    alternative = f"Learning rate against epoch, {len(named)} different schedules."
    return (Drawing("learning-rate", caption, alternative, partial(rates_figure, named)),)


def rates_of(material: Material, row: Row) -> Rates | None:
    """The line of one row; None where only a run could tell it, and there is none."""
    recipe = material.recipe(row)
    log = next((log for path in material.folders(row) if (log := read_metrics(path / run.METRICS)[0])), ())
    if isinstance(recipe.schedule, Plateau):
        known = [(line["epoch"], line["lr"]) for line in log if "lr" in line]
        if not known:
            return None
        points = [(end, rate) for epoch, rate in known for end in (epoch - 1, epoch)]
        epochs, rates = zip(*points, strict=True)
        return Rates(epochs, rates)
    steps = int(log[0].get("step", 0) / log[0]["epoch"]) if log else 0
    return scheduled(recipe, steps or NOMINAL_STEPS)


def scheduled(recipe: Recipe, steps_per_epoch: int) -> Rates:
    """The rates of ``recipe`` at the first and the last step of every epoch and at steps between."""
    parts = min(steps_per_epoch, max(2, math.ceil(POINTS / recipe.epochs)))
    within = [round(part * (steps_per_epoch - 1) / max(parts - 1, 1)) for part in range(parts)]
    steps = [epoch * steps_per_epoch + step for epoch in range(recipe.epochs) for step in within]
    # A step lasts until the next one, so that a rate which changes by epochs is drawn as stairs.
    epochs = tuple(
        (step + (place % parts == parts - 1)) / steps_per_epoch for place, step in enumerate(steps)
    )
    return Rates(
        epochs, tuple(learning_rate(recipe, Moment(step, steps_per_epoch, recipe.epochs)) for step in steps)
    )


def rates_figure(lines: dict[str, Rates], theme: Theme) -> Figure:
    """All schedules in one panel; a logarithmic axis only where their highest rates differ by much."""
    figure = Figure(figsize=(WIDTH_INCHES, 3.3), layout="constrained")
    axes = figure.add_subplot()
    open_axes(axes, theme)
    handles: list[Artist] = []
    for place, rates in enumerate(lines.values()):
        look = style(place, theme)
        handles += axes.plot(rates.epochs, rates.rates, linestyle=look.dash, color=look.color, linewidth=1.7)
    highest = [max(rates.rates) for rates in lines.values() if max(rates.rates) > 0]
    if highest and max(highest) > 20 * min(highest):
        axes.set_yscale("log")
        plain_numbers(axes.yaxis)
        axes.yaxis.set_minor_formatter(NullFormatter())
        axes.set_ylabel("learning rate (logarithmic)")
    else:
        axes.set_ylabel("learning rate")
        axes.set_ylim(bottom=0)
        plain_numbers(axes.yaxis)
    axes.set_xlabel("epoch")
    axes.set_xlim(left=0)
    legend_below(figure, handles, list(lines))
    return figure


def _together(labels: list[str]) -> str:
    """One name for all rows with the same rates."""
    if len(labels) <= 2:
        return ", ".join(labels)
    return f"{words.shortened(labels[0], 30)} and {len(labels) - 1} more"
