"""The page's section on the network: its drawing, its weights by epoch, and what they say about normality."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.image import AxesImage

from cifarlab.config import to_json
from cifarlab.models import PlainCnn
from cifarlab.parameter_statistics import BINS, PARAMETERS, REACH, LayerStatistics
from cifarlab.report import write_report
from cifarlab.report.drawing import DARK, LIGHT
from cifarlab.report.parameters import (
    MOST_LAYERS,
    epochs_figure,
    histories,
    how_near,
    is_near_normal,
    reading,
    signed,
)
from report.conftest import build_run


def layer(name: str, deviation: float = 0.1, skewness: float = 0.0, kurtosis: float = 0.0) -> LayerStatistics:
    """One whose histogram is normal, whatever its moments say."""
    edges = np.linspace(-REACH, REACH, BINS + 1)
    heights = np.exp(-(((edges[1:] + edges[:-1]) / 2) ** 2) / 2)
    counts = (0, *(int(1000 * height) for height in heights), 0)
    return LayerStatistics(name, 0.5, deviation, skewness, kurtosis, counts)


def write_parameters(folder: Path, epochs: range, names: tuple[str, ...]) -> None:
    lines = []
    for epoch in epochs:
        layers = [to_json(layer(name, 0.1 * epoch, 0.1 * place)) for place, name in enumerate(names)]
        for each in layers:
            del each["type"]
        lines.append(json.dumps({"epoch": epoch, "layers": layers}) + "\n")
    (folder / PARAMETERS).write_text("".join(lines))


def test_the_kept_epoch_is_read() -> None:
    epochs = {1: [layer("a", skewness=9.0), layer("b")], 2: [layer("a"), layer("b", kurtosis=-1.25)]}
    text = reading(epochs, 2)
    assert text.startswith("After epoch 2, the epoch that was kept, 1 of 2 layers are close to normal")
    assert "Farthest from it is b, with a skewness of +0.00 and an excess kurtosis of −1.25" in text
    assert reading(epochs, 1).count("1 of 2 layers") == 1
    assert "After epoch 2, the last epoch that is known" in reading(epochs, 7)
    assert "Farthest from it is a," in reading(epochs, 1)


def test_both_moments_decide() -> None:
    assert is_near_normal(-0.4, 0.9)
    assert not is_near_normal(-0.6, 0.0)
    assert not is_near_normal(0.0, -1.2)
    assert how_near([(0, 0)]) == (
        "1 of 1 layer is close to normal (skewness within ±0.5, excess kurtosis within ±1)"
    )


def test_the_heat_lies_where_the_weights_are() -> None:
    known = {"a": {1: layer("a", 0.1), 3: layer("a", 0.2)}}
    figure = epochs_figure(known, 3, 6.0, LIGHT)
    (axes,) = figure.axes
    (image,) = (child for child in axes.get_children() if isinstance(child, AxesImage))
    heat: Any = np.ma.filled(np.ma.asarray(image.get_array()), np.nan)
    left, right, low, high = image.get_extent()
    assert (left, right) == (0.5, 3.5)
    assert np.isnan(heat[:, 1]).all()  # epoch 2 is not known, and not made up
    cells = np.linspace(low, high, len(heat))
    widths = [np.ptp(cells[heat[:, place] > np.exp(-0.5)]) for place in (0, 2)]
    assert widths == pytest.approx([0.2, 0.4], abs=0.05)
    assert cells[heat[:, 2].argmax()] == pytest.approx(0.5, abs=0.03)
    lower, upper = (np.asarray(line.get_ydata()) for line in axes.lines[:2])
    assert (lower[2], upper[2]) == pytest.approx((0.3, 0.7))


def test_a_layer_of_equal_weights_is_drawn() -> None:
    still = LayerStatistics("a", 0.0, 0.0, 0.0, 0.0, (0, *[0] * 20, 5, *[0] * 19, 0))
    figure = epochs_figure({"a": {1: still}}, None, 6.0, DARK)
    (image,) = (child for child in figure.axes[0].get_children() if isinstance(child, AxesImage))
    assert np.nansum(np.ma.asarray(image.get_array())) == 1


def test_layers_of_equal_weights_are_no_evidence() -> None:
    epochs = {1: [layer("a"), layer("zeros", deviation=0.0)]}
    assert "1 of 1 layer is close to normal" in reading(epochs, 1)


def test_no_zero_is_negative() -> None:
    assert [signed(each) for each in (-0.0, -0.004, -0.006, -12.0)] == ["+0.00", "+0.00", "−0.01", "−12"]


def test_many_layers_are_thinned_out_evenly() -> None:
    epochs = {1: [layer(f"l{place}") for place in range(100)]}
    shown = list(histories(epochs))
    assert len(shown) == MOST_LAYERS
    assert (shown[0], shown[-1]) == ("l0", "l99")
    assert len(epochs_figure(histories(epochs), 1, 10.0, LIGHT).axes) == MOST_LAYERS


def test_the_section_has_figure_sentence_and_drawing(tmp_path: Path) -> None:
    folder = build_run(tmp_path / "run")
    write_parameters(folder, range(1, 13), ("features.0", "<b>classifier</b>"))
    description = json.loads((folder / "recipe.json").read_text())
    description["recipe"]["model"] = to_json(PlainCnn(widths=(4, 4, 8)))
    (folder / "recipe.json").write_text(json.dumps(description))
    page = write_report(folder).read_text()
    section = page[page.index('id="network"') : page.index('id="calibration"')]
    assert "After epoch 9, the epoch that was kept, 2 of 2 layers are close to normal" in section
    assert "2 layers over 12 epochs" in section and "not recorded" not in section
    assert "&lt;b&gt;classifier" in section and "<b>classifier" not in page
    assert "<svg" in section and "1,823 trainable parameters" in section
    assert "3×3 conv, 8" in section
    assert "<script" not in page


def test_epochs_without_statistics_are_counted(tmp_path: Path) -> None:
    folder = build_run(tmp_path / "run")
    write_parameters(folder, range(4, 13), ("features.0",))
    assert "3 of 12 epochs were not recorded" in write_report(folder).read_text()


def test_an_older_run_has_a_page_that_says_what_it_lacks(tmp_path: Path) -> None:
    page = write_report(build_run(tmp_path / "run")).read_text()
    assert "has no parameters.jsonl" in page
    assert "<svg" not in page  # its model is of another version
