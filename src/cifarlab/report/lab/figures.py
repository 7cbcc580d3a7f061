"""The figures of a study by name, drawn into files beside its table."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from cifarlab import files
from cifarlab.errors import UserError, nearest
from cifarlab.report.lab.activations import functions_drawing, zeros_drawing
from cifarlab.report.lab.architecture import architecture_drawings
from cifarlab.report.lab.classes import confusion_drawing, per_class_drawing
from cifarlab.report.lab.drawn import Drawing, FigureFile, Finished, save, write_index
from cifarlab.report.lab.grad_cam import grad_cam_drawings
from cifarlab.report.lab.learning_curves import curves_drawing
from cifarlab.report.lab.learning_rates import rates_drawing
from cifarlab.report.lab.material import Material
from cifarlab.report.lab.points import capacity_drawing, cost_drawing
from cifarlab.report.lab.reference import Reference, reference_of
from cifarlab.report.lab.stage_pictures import stages_drawing
from cifarlab.report.lab.training_size import training_size_drawing
from cifarlab.report.lab.weights import last_layer_drawing, layers_drawing
from cifarlab.studies.table import ItemTable

Draw = Callable[[Material], tuple[Drawing | Finished, ...]]


def _curves(name: str, part: str, quantity: str) -> Draw:
    return partial(curves_drawing, name=name, part=part, quantity=quantity)


FIGURES: dict[str, Draw] = {
    "learning-rate": rates_drawing,
    "accuracy-curves": _curves("accuracy-curves", "val", "accuracy"),
    "loss-curves": _curves("loss-curves", "val", "loss"),
    "train-accuracy-curves": _curves("train-accuracy-curves", "train", "accuracy"),
    "train-loss-curves": _curves("train-loss-curves", "train", "loss"),
    "test-accuracy-curves": _curves("test-accuracy-curves", "test", "accuracy"),
    "training-size": training_size_drawing,
    "capacity": capacity_drawing,
    "cost": cost_drawing,
    "confusion": confusion_drawing,
    "per-class": per_class_drawing,
    "weight-histograms": layers_drawing,
    "last-layer-histogram": last_layer_drawing,
    "activation-functions": functions_drawing,
    "activation-zeros": zeros_drawing,
    "stages": stages_drawing,
    "architecture": architecture_drawings,
    "grad-cam": grad_cam_drawings,
}
"""What ``ItemTable.figures`` may name."""


def draw_figures(
    table: ItemTable, runs: Path, folder: Path, reference: Reference | None = None
) -> tuple[FigureFile, ...]:
    """Draw the figures that ``table`` names into ``folder``: ``NAME.svg``, ``NAME.png``, and their index.

    A figure that lacks its data is left out, and the index says why.

    Args:
        table: what was found.
        runs: the folder in which the rows' runs lie.
        folder: usually ``figures`` beside ``table.json``.
        reference: what the report prints beside single numbers; None for what is known of it.

    Raises:
        UserError: no figure has such a name, or a file cannot be written.
    """
    for name in table.figures:
        if name not in FIGURES:
            raise UserError(f"no figure is called {name!r}; {nearest(name, FIGURES)}")
    files.make_folder(folder)
    material = Material(table, runs, reference or reference_of(table))
    index: list[FigureFile] = []
    for name in table.figures:
        try:
            drawings = FIGURES[name](material)
        except UserError as error:
            index.append(FigureFile(name, missing=str(error)))
            continue
        index += [save(drawing, folder) for drawing in drawings]
    write_index(tuple(index), folder)
    return tuple(index)
