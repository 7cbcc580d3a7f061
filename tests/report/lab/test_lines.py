"""What the lines of the figures are: means, gaps, rates, groups."""

import itertools
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox
from torch import nn

from cifarlab.config import vary
from cifarlab.recipes import recipe_named
from cifarlab.report.drawing import LIGHT
from cifarlab.report.lab.activations import NAMES, functions_figure
from cifarlab.report.lab.drawn import Drawing
from cifarlab.report.lab.figures import FIGURES
from cifarlab.report.lab.learning_curves import mean_series
from cifarlab.report.lab.learning_rates import rates_of, scheduled
from cifarlab.report.lab.material import Material, grouped
from cifarlab.report.lab.styles import LABEL_COLUMNS, short
from cifarlab.report.lab.training_size import training_images
from cifarlab.report.lab.weights import layers_of
from cifarlab.report.parameters import is_near_normal
from cifarlab.studies.table import Entry, ItemTable
from table_samples import estimate, learning_row, row, run_name, table, write_run, write_runs


def drawn(name: str, made: ItemTable, runs: Path) -> Figure:
    """The first drawing of that name, laid out."""
    drawing = FIGURES[name](Material(made, runs))[0]
    assert isinstance(drawing, Drawing)
    figure = drawing.draw(LIGHT)
    FigureCanvasAgg(figure)
    figure.draw_without_rendering()
    return figure


def log(*values: float | None) -> tuple[dict[str, float], ...]:
    """Epochs from 1; None is an epoch that the log lacks."""
    return tuple({"epoch": e, "x": v} for e, v in enumerate(values, 1) if v is not None)


def test_the_mean_stops_where_any_run_does() -> None:
    epochs, means = mean_series([log(1.0, 2.0, None, 4.0, 5.0), log(3.0, 4.0, 5.0, 6.0)], "x")
    assert epochs == [1, 2, 3, 4, 5]
    assert means[:2] == [2.0, 3.0]
    assert math.isnan(means[2])
    assert means[3] == 5.0
    assert math.isnan(means[4])


def test_a_gap_in_a_log_is_a_gap_in_its_line(tmp_path: Path) -> None:
    made = table(row("a", seeds=1))
    lines = [learning_row(epoch) for epoch in (1, 2, 5, 6)]
    write_run(tmp_path / run_name("a", 0), lines)
    axes = drawn("accuracy-curves", made, tmp_path).axes[0]
    (line,) = axes.lines
    values = dict(zip(*(np.asarray(each, dtype=float).tolist() for each in line.get_data()), strict=True))
    assert values[2] == pytest.approx(100 * lines[1]["val_accuracy"])
    assert math.isnan(values[3])


def test_each_seed_has_a_thin_line_and_all_a_thick_one(tmp_path: Path) -> None:
    made = table(row("a"), row("b", 0.8))
    write_runs(made, tmp_path)
    widths = [line.get_linewidth() for line in drawn("loss-curves", made, tmp_path).axes[0].lines]
    assert sorted(widths) == [0.7] * 6 + [1.7] * 2


def test_a_grid_of_variants_has_a_panel_per_network(tmp_path: Path) -> None:
    rows = [
        row(f"{net} · {rate}", seeds=1) for net in ("ResNet10", "ResNet24") for rate in ("0.1", "0.2", "0.3")
    ]
    made = table(*rows)
    write_runs(made, tmp_path)
    figure = drawn("accuracy-curves", made, tmp_path)
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["ResNet10", "ResNet24"]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["0.1", "0.2", "0.3"]


def test_many_variants_without_groups_are_divided() -> None:
    groups = grouped(tuple(row(f"v{place}") for place in range(24)))
    assert [len(members) for members in groups.values()] == [6, 6, 6, 6]
    assert [label for members in groups.values() for label, _ in members] == [f"v{p}" for p in range(24)]


def test_long_labels_keep_what_tells_them_apart() -> None:
    labels = [f"the same forty letters and many more for variant {place}" for place in (1, 2)]
    assert len({short(label) for label in labels}) == 2
    assert all(len(short(label)) <= LABEL_COLUMNS + 1 for label in labels)
    assert short("as it is") == "as it is"


def test_rates_are_the_recipe_s_at_every_epoch(tmp_path: Path) -> None:
    rates = scheduled(recipe_named("resnet24").make(), 352)
    at = list(zip(rates.epochs, rates.rates, strict=True))
    assert at[0] == (0.0, 0.1)
    assert max(epoch for epoch, rate in at if rate == 0.1) == pytest.approx(1.0)
    assert rates.rates[-1] == pytest.approx(0.1 * 0.9**49)
    assert rates.epochs[-1] == 50


def test_rates_come_from_the_run_that_a_scale_shortened(tmp_path: Path) -> None:
    recipe = vary(recipe_named("resnet24").make(), "epochs", 3)
    write_run(tmp_path / run_name("a", 0), [learning_row(1)], recipe=recipe)
    made = table(row("a", seeds=1))
    rates = rates_of(Material(made, tmp_path), made.rows[0])
    assert rates is not None
    assert rates.epochs[-1] == 3


@pytest.mark.parametrize(
    ("label", "images"), [("12,500 images", 12_500), ("50,000 images, 250 epochs", 50_000)]
)
def test_the_number_of_images_is_read_from_the_label(tmp_path: Path, label: str, images: int) -> None:
    made = table(row(label))
    assert training_images(Material(made, tmp_path), made.rows[0]) == images


def test_the_pareto_front_alone_is_filled_and_joined(tmp_path: Path) -> None:
    made = table(
        row("cheap", 0.9, training_flops=1e15, on_pareto_front=True),
        row("worse", 0.8, training_flops=2e15),
        row("best", 0.95, training_flops=4e15, on_pareto_front=True),
    )
    axes = drawn("cost", made, tmp_path).axes[0]
    front = next(line for line in axes.lines if line.get_drawstyle() == "steps-post")
    assert np.asarray(front.get_xdata()).tolist() == [1.0, 4.0]
    assert axes.get_xlabel() == "cost of training (PFLOPs)"


def test_the_functions_are_those_of_the_networks() -> None:
    left = functions_figure(LIGHT).axes[0]
    ends = [float(np.asarray(line.get_ydata())[-1]) for line in left.lines[2:]]
    assert len(ends) == len(NAMES)
    assert ends[:2] == [9.0, 6.0]


def test_normal_weights_are_called_so_and_skewed_ones_not() -> None:
    first, second = nn.Linear(200, 200), nn.Linear(200, 200)
    with torch.no_grad():
        random = torch.Generator().manual_seed(1)
        first.weight.normal_(generator=random)
        second.weight.exponential_(generator=random)
    normal, skewed = layers_of(nn.Sequential(first, second))
    assert is_near_normal(normal.skewness, normal.kurtosis)
    assert not is_near_normal(skewed.skewness, skewed.kurtosis)
    assert skewed.skewness == pytest.approx(2, abs=0.3)
    assert [normal.name, skewed.name] == ["0", "1"]


@pytest.mark.parametrize("name", ["accuracy-curves", "cost", "capacity", "per-class", "learning-rate"])
@pytest.mark.parametrize("rows", [2, 24])
def test_no_text_hides_another(tmp_path: Path, name: str, rows: int) -> None:
    made = table(
        *(
            row(
                f"a rather long label, variant {place}",
                0.7 + 0.01 * place,
                seeds=1,
                training_flops=1e15 * (1 + place % 5),
                training_seconds=300.0 + 40 * (place % 7),
            )
            for place in range(rows)
        )
    )
    write_runs(made, tmp_path, epochs=2)
    figure = drawn(name, made, tmp_path)
    boxes = [box for axes in figure.axes for box in texts_of(axes)] + [
        legend.get_window_extent() for legend in figure.legends
    ]
    page = figure.bbox
    for place, box in enumerate(boxes):
        assert page.x0 - 1 <= box.x0
        assert box.x1 <= page.x1 + 1
        assert page.y0 - 1 <= box.y0
        assert box.y1 <= page.y1 + 1
        for other in boxes[place + 1 :]:
            common = Bbox.intersection(box, other)
            assert common is None or common.width * common.height < 4, (box, other)


def texts_of(axes: Axes) -> list[Bbox]:
    """Where the words of one panel are: labels of its axes and ticks, its title, names beside points."""
    ticks = [
        label
        for axis, (low, high) in ((axes.xaxis, axes.get_xlim()), (axes.yaxis, sorted(axes.get_ylim())))
        for tick in axis.get_major_ticks()
        if low <= tick.get_loc() <= high and (label := tick.label1).get_visible()
    ]
    words = [*ticks, axes.xaxis.label, axes.yaxis.label, axes._left_title, *axes.texts]  # type: ignore[attr-defined]
    return [word.get_window_extent() for word in words if word.get_text()]


def test_one_value_has_no_error_bar_and_no_warning(tmp_path: Path) -> None:
    made = table(row("a", entries=(Entry("test_accuracy", "C", estimate(0.9)),)))
    axes = drawn("cost", made, tmp_path).axes[0]
    assert [text.get_text() for text in axes.texts] == ["a"]


def test_names_beside_crowded_points_keep_clear_of_each_other(tmp_path: Path) -> None:
    rows = [
        row(f"variant {place}", 0.9 + 0.001 * place, seeds=1, training_flops=(4 + 0.05 * place) * 1e15)
        for place in range(8)
    ]
    far = row("far", 0.95, seeds=1, training_flops=8e15)
    axes = drawn("cost", table(*rows, far), tmp_path).axes[0]
    boxes = [Text.get_window_extent(text) for text in axes.texts]
    assert len(boxes) == 9
    shared = [Bbox.intersection(*pair) for pair in itertools.combinations(boxes, 2)]
    assert [box for box in shared if box is not None and box.width * box.height > 1] == []
    frame = axes.get_window_extent()
    assert all(frame.x0 <= box.x0 and box.x1 <= frame.x1 for box in boxes)
