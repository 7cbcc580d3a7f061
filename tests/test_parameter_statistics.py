"""The distribution of every layer's weights, kept after every epoch."""

import itertools
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import stats
from torch import nn

from cifarlab import resumption, run
from cifarlab.averaging import MovingAverage
from cifarlab.models import CATALOG
from cifarlab.parameter_statistics import (
    BINS,
    PARAMETERS,
    REACH,
    append_parameters,
    keep_epochs,
    read_parameters,
    statistics_of,
)
from cifarlab.train import train
from support import Crash, Recorder, outcome, small_recipe, stop_at, synthetic_source

SOURCE = synthetic_source()


def dense(weights: torch.Tensor) -> nn.Module:
    layer = nn.Linear(weights.numel(), 1)
    with torch.no_grad():
        layer.weight.copy_(weights.reshape(1, -1))
    return layer


@pytest.mark.parametrize("name", ["resnet10", "slim-attention"])
def test_moments_and_counts_of_every_layer(name: str) -> None:
    torch.manual_seed(3)
    network = CATALOG[name][1].build(10, 32)
    found = statistics_of(network)
    layers = {n: m for n, m in network.named_modules() if isinstance(m, nn.Conv2d | nn.Linear)}
    assert [layer.name for layer in found] == list(layers)
    for layer in found:
        weights = layers[layer.name].weight.detach().double().numpy().ravel()
        moments = weights.mean(), weights.std(), stats.skew(weights), stats.kurtosis(weights)
        shown = layer.mean, layer.deviation, layer.skewness, layer.kurtosis
        assert shown == pytest.approx(moments, rel=1e-5, abs=1e-5)
        assert sum(layer.counts) == weights.size
        scaled = (weights - weights.mean()) / weights.std()
        expected, _ = np.histogram(scaled, BINS, (-REACH, REACH))
        assert abs(np.array(layer.counts[1:-1]) - expected).sum() <= 4  # rounding at the edges of bins


def test_equal_weights_have_no_negative_zeros() -> None:
    (layer,) = statistics_of(dense(torch.zeros(10)))
    assert str((layer.skewness, layer.kurtosis)) == "(0.0, 0.0)"


def test_what_lies_outside_is_counted_at_the_ends() -> None:
    weights = torch.cat((torch.zeros(1000), torch.tensor([-50.0, 60.0, 60.0])))
    (layer,) = statistics_of(dense(weights))
    assert (layer.counts[0], layer.counts[-1], sum(layer.counts)) == (1, 2, 1003)
    assert layer.skewness > 5


def test_equal_weights_have_no_shape_and_infinite_ones_are_left_out() -> None:
    (layer,) = statistics_of(dense(torch.full((64,), 0.25)))
    assert (layer.mean, layer.deviation, layer.skewness, layer.kurtosis) == (0.25, 0, 0, 0)
    assert sum(layer.counts) == 64
    for broken in (torch.nan, torch.inf):
        weights = torch.linspace(-1, 1, 64)
        weights[:2] = torch.tensor([broken, -broken])
        assert statistics_of(dense(weights)) == ()


def test_the_weights_lie_as_they_like() -> None:
    """A resumed run's weights may lie otherwise in memory."""
    network = CATALOG["resnet10"][1].build(10, 32)
    before = statistics_of(network)
    moved: nn.Module = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    assert statistics_of(moved) == before


def test_looking_changes_nothing() -> None:
    network = CATALOG["plain-cnn"][1].build(10, 32)
    weights = {name: value.clone() for name, value in network.state_dict().items()}
    state = torch.get_rng_state()
    statistics_of(network)
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(value, weights[name]) for name, value in network.state_dict().items())


@pytest.mark.parametrize("average", [None, MovingAverage(decay=0.9)], ids=["weights", "average"])
def test_the_last_line_of_a_run_is_about_the_weights_that_were_judged(
    average: MovingAverage | None, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    result = train(small_recipe(average=average), SOURCE, folder)
    kept = read_parameters(folder)
    assert list(kept) == [1, 2, 3]
    assert kept[result["best_epoch"]] == statistics_of(run.load_network(folder)[1])


def test_a_crash_long_after_the_last_save_leaves_no_epoch_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train(small_recipe(), SOURCE, tmp_path / "whole")
    asked = itertools.count(1)
    with monkeypatch.context() as patch:
        # Of the questions whether to save, five belong to an epoch's steps and one to its end.
        patch.setattr(resumption.Saver, "is_due", lambda self: next(asked) == 6)
        stop_at(patch, 8 + 8 + 3, error=Crash())
        with pytest.raises(Crash):
            train(small_recipe(), SOURCE, tmp_path / "parts")
    assert list(read_parameters(tmp_path / "parts")) == [1, 2]
    display = Recorder()
    train(small_recipe(), SOURCE, tmp_path / "parts", resume=True, display=display)
    assert "resumed after 1 epochs and 0 steps" in display.said
    assert outcome(tmp_path / "parts") == outcome(tmp_path / "whole")


def test_only_the_epochs_of_the_state_are_kept(tmp_path: Path) -> None:
    network = dense(torch.linspace(-1, 1, 50))
    keep_epochs(tmp_path, 0)
    for epoch in (1, 2, 3):
        append_parameters(tmp_path, epoch, network)
    whole = (tmp_path / PARAMETERS).read_bytes()
    with (tmp_path / PARAMETERS).open("a") as file:
        file.write('{"epoch": 4, "laye')  # a crash cut it short
    keep_epochs(tmp_path, 9)
    assert (tmp_path / PARAMETERS).read_bytes() == whole
    keep_epochs(tmp_path, 2)
    assert list(read_parameters(tmp_path)) == [1, 2]
    append_parameters(tmp_path, 3, network)
    assert (tmp_path / PARAMETERS).read_bytes() == whole


@pytest.mark.parametrize(
    "line",
    [
        "[]",
        "[" * 50_000,
        '{"epoch": "1", "layers": []}',
        '{"epoch": 2, "layers": 5}',
        '{"epoch": 2, "layers": [{"name": "a"}]}',
        "MOMENT:NaN",
        "MOMENT:1e999",
        "MOMENT:" + "9" * 400,
        "COUNTS:[1, 2]",
        "COUNTS:" + json.dumps([-1] * (BINS + 2)),
        "COUNTS:" + json.dumps([0] * (BINS + 2)),
    ],
)
def test_a_damaged_line_is_left_out(line: str, tmp_path: Path) -> None:
    append_parameters(tmp_path, 1, dense(torch.linspace(-1, 1, 50)))
    value = json.loads((tmp_path / PARAMETERS).read_text()) | {"epoch": 2}
    (layer,) = value["layers"]
    counts, mean = json.dumps(layer["counts"]), json.dumps(layer["mean"])
    layer["counts"], layer["mean"] = "COUNTS", "MOMENT"
    kind, _, put = line.partition(":") if line[:6] in ("MOMENT", "COUNTS") else ("", "", "")
    text = json.dumps(value)
    text = text.replace('"COUNTS"', put if kind == "COUNTS" else counts)
    text = text.replace('"MOMENT"', put if kind == "MOMENT" else mean)
    with (tmp_path / PARAMETERS).open("a") as file:
        file.write((text if kind else line) + "\n")
    assert list(read_parameters(tmp_path)) == [1]


def test_an_older_run_has_none(tmp_path: Path) -> None:
    assert read_parameters(tmp_path) == {}
