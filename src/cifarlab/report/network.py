"""What a run's page says about its network: how it is built, and how its weights moved while it learned."""

from dataclasses import dataclass
from functools import partial
from typing import Any

from markupsafe import Markup

from cifarlab.config import from_json
from cifarlab.errors import UserError
from cifarlab.explain.architecture import architecture_svg
from cifarlab.models import Model
from cifarlab.report import parameters
from cifarlab.report.drawing import Picture, picture
from cifarlab.report.run_folder import RunFiles

WIDTH_INCHES = 10.8
"""Of five panels: as wide as the page."""


@dataclass(frozen=True)
class NetworkView:
    """The parts of the section; ``None`` where the run folder lacks what they show."""

    drawing: Markup | None
    """An SVG element."""
    weights: Picture | None
    reading: str
    """What the weights say about the normal distribution."""
    missing: str
    """Epochs whose weights are not known, in words."""


def network_view(run: RunFiles) -> NetworkView:
    """Everything that is known of the network of ``run``."""
    known = {epoch: layers for epoch, layers in run.parameters.items() if layers}
    if not known:
        return NetworkView(_drawing(run), None, "", "")
    kept = run.result.best_epoch
    layers = parameters.histories(known)
    text = f"The weights of {len(layers)} layers over {len(known)} epochs: their spread, epoch by epoch."
    figure = partial(parameters.epochs_figure, layers, kept, WIDTH_INCHES)
    absent = [int(row["epoch"]) for row in run.epochs if int(row["epoch"]) not in known]
    missing = f"{len(absent)} of {len(run.epochs)} epochs were not recorded." if absent else ""
    return NetworkView(_drawing(run), picture(figure, text), parameters.reading(known, kept), missing)


def _drawing(run: RunFiles) -> Markup | None:
    size: Any = run.data.get("image_size")
    try:
        model: Model = from_json(Model, run.recipe.get("model"))
        if type(size) is not int or not 1 <= size <= 1024:
            return None
        svg = architecture_svg(model, len(run.class_names), size)
    except (UserError, RuntimeError, ValueError):
        return None  # of another version of cifarlab
    return Markup(svg)  # our own, and every text in it is escaped
