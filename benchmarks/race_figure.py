"""Accuracy against time: every run of some races, one panel each.

    python -m benchmarks.race_figure RECORD.json [RECORD.json …] [--out FIGURE]

Writes FIGURE.svg and FIGURE.png. A small mark is one run; a large one is the mean over runs with its 95 %
intervals in both directions, where there are at least two. The dashed line is the accuracy to reach.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import (
    FuncFormatter,
    LogLocator,
    MaxNLocator,
    NullFormatter,
    NullLocator,
    PercentFormatter,
)

from cifarlab.files import write_atomic
from cifarlab.race.figures import target_text
from cifarlab.race.outcome import Outcome
from cifarlab.race.record import Record, read_record
from cifarlab.race.summary import Estimate, estimate, summarize
from cifarlab.race.tiers import tier_named
from cifarlab.race.together import machine_text
from cifarlab.race.verdict import peer_as_raced
from cifarlab.report.drawing import LIGHT, Theme, file_contents, open_axes

OURS, PEERS = "o", "s"
"""Marks: who cannot tell the colors apart can tell these."""
COLUMNS = 2
PANEL = (4.2, 3.4)
"""Width and height in inches."""


@dataclass(frozen=True)
class Runner:
    """One side of one race."""

    name: str
    outcomes: tuple[Outcome, ...]
    mark: str
    color: str


def runners_of(record: Record, theme: Theme) -> list[Runner]:
    """The sides that have run, ours first."""
    header = record.header
    sides = [Runner(str(header["ours"]["recipe_name"]), record.ours, OURS, theme.series[0])]
    if record.is_paired:
        sides.append(Runner(peer_as_raced(header), record.peers, PEERS, theme.series[1]))
    return [side for side in sides if side.outcomes]


def draw(records: Sequence[Record], theme: Theme) -> Figure:
    """The figure: one panel for each race, each with scales of its own."""
    columns = min(COLUMNS, len(records))
    rows = -(-len(records) // columns)
    figure = Figure(figsize=(PANEL[0] * columns, PANEL[1] * rows), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False).flat
    for axes, record in zip(panels, records, strict=False):
        _draw_race(axes, record, theme)
    for axes in panels[len(records) :]:
        axes.set_axis_off()
    return figure


def _draw_race(axes: Axes, record: Record, theme: Theme) -> None:
    open_axes(axes, theme)
    axes.set_xscale("log")
    axes.margins(0.12)
    for runner in runners_of(record, theme):
        _draw_runner(axes, runner, theme)
    tier = tier_named(record.header["tier"])
    summary = summarize(record, tier)
    if summary.target is not None and summary.target_origin == "the tier's":
        axes.axhline(summary.target, color=theme.muted, linewidth=1, linestyle=(0, (4, 3)), zorder=1)
        axes.annotate(
            target_text(summary.target),
            (1, summary.target),
            (4, 0),
            xycoords=("axes fraction", "data"),
            textcoords="offset points",
            va="center",
            color=theme.muted,
        )
    _label_seconds(axes)
    axes.yaxis.set_major_formatter(PercentFormatter(1))
    axes.set_ylabel("test accuracy")
    axes.set_title(f"{tier.name}, {machine_text(record.header)}", loc="left", fontsize=9.5)
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.08), frameon=False, ncols=1, handletextpad=0.1)


def _draw_runner(axes: Axes, runner: Runner, theme: Theme) -> None:
    seconds = [outcome.seconds for outcome in runner.outcomes]
    accuracies = [outcome.accuracy for outcome in runner.outcomes]
    label = f"{runner.name}, n = {len(seconds)}"
    axes.scatter(
        seconds, accuracies, s=14, marker=runner.mark, color=runner.color, alpha=0.5, linewidths=0, zorder=2
    )
    axes.scatter([], [], s=30, marker=runner.mark, color=runner.color, label=label)
    if len(seconds) > 1:
        time, accuracy = estimate(seconds), estimate(accuracies)
        axes.errorbar(
            time.mean,
            accuracy.mean,
            xerr=_half_width(time),
            yerr=_half_width(accuracy),
            fmt=runner.mark,
            color=runner.color,
            markersize=6,
            markeredgecolor=theme.page,
            elinewidth=1.8,
            capsize=3,
            zorder=3,
        )


def _half_width(value: Estimate) -> float:
    assert value.interval is not None
    return value.interval[1] - value.mean


def _label_seconds(axes: Axes) -> None:
    """Ticks as plain numbers, also where all runs lie within one power of ten."""
    low, high = axes.get_xlim()
    near = high / low < 10
    axes.xaxis.set_major_locator(
        MaxNLocator(5, steps=[1, 2, 5, 10]) if near else LogLocator(subs=(1.0, 2.0, 5.0))
    )
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.6g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel("seconds of a run, logarithmic")


def main() -> None:
    """Read, draw, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("records", nargs="+", type=Path, metavar="RECORD.json")
    parser.add_argument("--out", type=Path, default=Path("race"), metavar="FIGURE")
    options = parser.parse_args()
    records = [record for record in map(read_record, options.records) if record.ours]
    if not records:
        parser.error("there is no run in these records")
    contents, _ = file_contents(lambda theme: draw(records, theme), LIGHT, ("svg", "png"))
    for suffix, content in contents.items():
        path = options.out.with_name(f"{options.out.name}.{suffix}")
        write_atomic(path, content)
        print(path)


if __name__ == "__main__":
    main()
