"""The reliability diagram: how often the network is right when it is that sure."""

from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from cifarlab.report.drawing import Theme, open_axes
from cifarlab.report.result import Calibration

SIZE_INCHES = (5.3, 4.6)


def reliability_figure(calibration: Calibration, theme: Theme) -> Figure:
    """Above, accuracy against mean confidence per bin; below, how many images each bin holds (log scale)."""
    figure = Figure(figsize=SIZE_INCHES, layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    filled = [item for item in calibration.bins if item.count and item.accuracy is not None]
    for axes in (above, below):
        open_axes(axes, theme)
    above.plot([0, 100], [0, 100], "--", color=theme.muted, linewidth=1.2, label="perfectly calibrated")
    centers = [
        100 * (item.confidence if item.confidence is not None else (item.lower + item.upper) / 2)
        for item in filled
    ]
    accuracies = [100 * (item.accuracy or 0.0) for item in filled]
    above.vlines(centers, centers, accuracies, color=theme.validation, linewidth=1.4, label="gap")
    above.plot(centers, accuracies, "o", markersize=5.5, color=theme.train, label="images of one bin")
    above.set_xlim(-2, 102)
    above.set_ylim(-4, 104)
    above.set_ylabel("accuracy (%)")
    below.bar(
        [50 * (item.lower + item.upper) for item in filled],
        [item.count for item in filled],
        width=[90 * (item.upper - item.lower) for item in filled],
        color=theme.train,
    )
    largest = max((item.count for item in filled), default=1)
    below.set_yscale("log")
    below.set_ylim(0.5, 2 * largest)  # a single image is still a visible bar
    below.yaxis.set_major_locator(LogLocator(numticks=4))
    below.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    below.yaxis.set_minor_locator(NullLocator())
    below.set_ylabel("images")
    below.set_xlabel("confidence (%)")
    handles, labels = above.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper left", ncols=3, frameon=False, fontsize=8.5)
    return figure
