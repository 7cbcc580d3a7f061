"""Every figure of a study, for tables with one run, many rows, failures, and nothing at all."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from cifarlab import run
from cifarlab.data.digits import open_digits
from cifarlab.errors import UserError
from cifarlab.models import PlainCnn
from cifarlab.parameter_statistics import append_parameters
from cifarlab.recipes import recipe_named
from cifarlab.report.drawing import LIGHT
from cifarlab.report.lab import FIGURES, draw_figures
from cifarlab.report.lab.drawn import Drawing
from cifarlab.report.lab.material import Material
from cifarlab.report.lab.reference import reference_of
from cifarlab.studies.table import ItemTable
from table_samples import (
    CLASSES,
    class_scores,
    learning_row,
    row,
    run_name,
    table,
    write_run,
    write_runs,
    write_weights,
)

CURVES = tuple(name for name in FIGURES if name.endswith("-curves"))


@pytest.fixture
def studied(tmp_path: Path) -> Callable[..., tuple[ItemTable, Path]]:
    """A function that gives a table of one row with everything, on digits, and the folder of its run."""

    def make(**changes: Any) -> tuple[ItemTable, Path]:
        made = table(row("only", seeds=1, zero_activations=0.4), data="digits", figures=tuple(FIGURES))
        write_runs(made, tmp_path / "runs", epochs=1)
        digits = open_digits().description.class_names
        folder = tmp_path / "runs" / run_name("only", 0)
        write_weights(folder, PlainCnn(widths=(4, 4, 8)), class_names=digits)
        return replace(made, **changes), tmp_path / "runs"

    return make


@pytest.mark.soak
def test_one_row_with_one_run_of_one_epoch_has_every_figure(
    studied: Callable[..., tuple[ItemTable, Path]], tmp_path: Path
) -> None:
    made, runs = studied()
    index = draw_figures(made, runs, tmp_path / "figures")
    names = [*FIGURES, "grad-cam-by-depth"]
    assert {file.name: file.missing for file in index} == dict.fromkeys(names, "")
    for file in index:
        picture = Image.open(tmp_path / "figures" / f"{file.name}.png")
        if file.has_dark:
            assert picture.info["dpi"] == pytest.approx((300, 300), abs=1)
            assert picture.width == pytest.approx(file.width * 300 / 96, abs=3)
            assert (tmp_path / "figures" / f"{file.name}-dark.svg").stat().st_size > 1000
        colors = np.asarray(picture.convert("L").resize((200, 200)))
        assert colors.std() > 2  # something was drawn
        assert file.alternative
        assert (tmp_path / "figures" / f"{file.name}.svg").read_bytes().rstrip().endswith(b"</svg>")


def test_equal_studies_give_equal_files(
    studied: Callable[..., tuple[ItemTable, Path]], tmp_path: Path
) -> None:
    made, runs = studied(figures=("accuracy-curves", "cost", "last-layer-histogram"))
    for name in ("first", "second"):
        draw_figures(made, runs, tmp_path / name)
    first, second = ({p.name: p.read_bytes() for p in (tmp_path / n).iterdir()} for n in ("first", "second"))
    assert len(first) == 10
    assert first == second


def test_without_runs_each_figure_is_left_out_with_its_reason(tmp_path: Path) -> None:
    made = table(row("a", entries=(), runs=(), training_flops=None), figures=tuple(FIGURES), data="nowhere")
    index = {file.name: file.missing for file in draw_figures(made, tmp_path, tmp_path / "figures")}
    drawn = {name for name, missing in index.items() if not missing}
    # They need a recipe, or nothing.
    assert drawn == {"learning-rate", "activation-functions", "architecture"}
    assert "no run of this item has validation accuracy" in index["accuracy-curves"]
    assert (
        json.loads((tmp_path / "figures" / "figures.json").read_text())[1]["missing"]
        == index["accuracy-curves"]
    )


def test_a_diverged_run_and_a_row_without_any_do_not_stop_the_others(tmp_path: Path) -> None:
    rows = (row("fine"), row("none", entries=(), runs=()), row("worse", 0.5, runs=("diverged",)))
    made = table(*rows, figures=(*CURVES, "learning-rate", "per-class", "confusion"))
    write_runs(table(rows[0]), tmp_path)
    folder = write_run(tmp_path / "diverged", [learning_row(1), {"epoch": 2, "train_loss": 1e9}])
    (folder / "result.json").write_text('{"status": "diverged", "reason": "not finite"}')
    index = draw_figures(made, tmp_path, tmp_path / "figures")
    assert [file.missing for file in index] == [""] * len(made.figures)


def test_a_schedule_that_follows_the_loss_needs_a_log(tmp_path: Path) -> None:
    recipe = recipe_named("resnet24-plateau").make()
    made = table(row("plateau", seeds=1, recipe="resnet24-plateau"), figures=("learning-rate",))
    write_run(tmp_path / "runs" / run_name("plateau", 0), [], recipe=recipe)
    (file,) = draw_figures(made, tmp_path / "runs", tmp_path / "figures")
    assert "no run has a log" in file.missing
    write_run(tmp_path / "runs" / run_name("plateau", 0), [learning_row(1), learning_row(2)], recipe=recipe)
    (file,) = draw_figures(made, tmp_path / "runs", tmp_path / "figures")
    assert not file.missing


def test_an_unknown_figure_is_refused_before_anything_is_drawn(tmp_path: Path) -> None:
    made = table(row("a"), figures=("cost", "acuracy-curves"))
    with pytest.raises(UserError, match="did you mean accuracy-curves"):
        draw_figures(made, tmp_path, tmp_path / "figures")
    assert not (tmp_path / "figures").exists()


def test_the_published_matrix_stands_beside_ours(tmp_path: Path) -> None:
    made = table(row("ResNet24"), report="small-resnets", item="best-model", figures=("confusion",))
    write_runs(made, tmp_path)
    ours, theirs = draw_figures(made, tmp_path, tmp_path / "figures")
    assert (ours.name, theirs.name) == ("confusion", "confusion-published")
    assert "94.59%" in theirs.caption  # the diagonal, not the 94.43 % that the report states
    assert "report 002, figure 15" in theirs.caption


@pytest.mark.parametrize("classes_agree", [True, False])
def test_theirs_is_drawn_for_classes_that_ours_have(tmp_path: Path, classes_agree: bool) -> None:
    made = table(
        row("final", seeds=1, recipe="cnn-final"),
        report="cnn-to-shake-shake",
        item="phases",
        figures=("per-class",),
    )
    names = CLASSES if classes_agree else tuple("0123456789")
    write_run(tmp_path / run_name("final", 0), [], result=class_scores(0, names), class_names=names)
    drawing = FIGURES["per-class"](Material(made, tmp_path, reference_of(made)))[0]
    assert isinstance(drawing, Drawing)
    figure = drawing.draw(LIGHT)
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert labels == list(names)
    sources = [text.get_text() for text in figure.legends[0].get_texts()]
    assert sources == ["ours", "report"][: 1 + classes_agree]
    assert ("not drawn" in drawing.caption) != classes_agree


def test_weights_are_shown_for_every_epoch_where_they_were_kept(
    studied: Callable[..., tuple[ItemTable, Path]], tmp_path: Path
) -> None:
    made, runs = studied(figures=("weight-histograms",))
    (before,) = draw_figures(made, runs, tmp_path / "before")
    folder = runs / run_name("only", 0)
    network = run.load_network(folder)[1]
    for epoch in (1, 2):
        append_parameters(folder, epoch, network)
    after, by_epoch = draw_figures(made, runs, tmp_path / "after")
    assert after == before
    assert by_epoch.name == "weight-histograms-by-epoch"
    assert "after epochs 1 to 2" in by_epoch.caption
    near = next(part for part in before.caption.split(". ") if "close to normal" in part)
    assert near in by_epoch.caption  # of the same weights


def test_every_row_has_its_network_drawn(tmp_path: Path) -> None:
    rows = (row("a", recipe="resnet10-nesterov", runs=()), row("b", recipe="resnet24", runs=()))
    index = draw_figures(table(*rows, figures=("architecture",)), tmp_path, tmp_path / "figures")
    assert [file.name for file in index] == ["architecture-resnet10-nesterov", "architecture-resnet24"]
    assert "4,903,242 trainable parameters" in index[0].alternative
    drawn = (tmp_path / "figures" / "architecture-resnet24-dark.svg").read_text()
    assert "+ (1×1 conv, 128, /2 · BN) · ReLU" in drawn and "4,935,242 trainable parameters" in drawn
