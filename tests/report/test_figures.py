"""What the figures draw: lines with their gaps, and every count of a small confusion matrix."""

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np

from cifarlab.report.confusion import confusion_figure
from cifarlab.report.curves import KeptEpoch, accuracy_figure, series
from cifarlab.report.drawing import LIGHT
from cifarlab.report.run_folder import read_run

RunMaker = Callable[..., Path]


def test_a_gap_in_the_log_is_a_gap_in_the_line(make_run: RunMaker) -> None:
    run = read_run(make_run(left_out_epochs=(5, 6, 9)))
    figure = accuracy_figure(run.epochs, KeptEpoch(9, "val_accuracy"), LIGHT)
    line = figure.axes[0].lines[0]
    epochs, values = (np.asarray(data, dtype=float).tolist() for data in line.get_data())
    drawn = dict(zip(epochs, values, strict=True))
    assert {epoch for epoch, value in drawn.items() if not math.isnan(value)} == {
        1,
        2,
        3,
        4,
        7,
        8,
        10,
        11,
        12,
    }
    assert math.isnan(drawn[5])
    assert math.isnan(drawn[9])
    assert "no entry for epochs 5\N{EN DASH}6, epoch 9" in " ".join(run.notes)


def test_an_epoch_without_a_quantity_is_a_gap_too() -> None:
    epochs, values = series([{"epoch": 1, "lr": 0.1}, {"epoch": 2}, {"epoch": 3, "lr": 0.3}], "lr")
    assert epochs == [1, 2, 3]
    assert math.isnan(values[1])


def test_counts_stand_in_the_cells_of_small_matrices(make_run: RunMaker) -> None:
    run = read_run(make_run([f"c{number}" for number in range(20)]))
    assert run.result.confusion is not None
    written = confusion_figure(run.result.confusion, run.class_names, LIGHT).axes[0].texts
    assert [int(text.get_text()) for text in written] == run.result.confusion.ravel().tolist()


def test_too_many_classes_are_numbered_and_not_named() -> None:
    names = tuple(f"name {number}" for number in range(130))
    axes = confusion_figure(np.eye(130, dtype=np.int64), names, LIGHT).axes[0]
    assert not any("name" in label.get_text() for label in axes.get_yticklabels())
