"""How the weights of every layer are distributed after every epoch (report 002, figure 12).

Kept as ``parameters.jsonl`` in the run folder, ``{"epoch": 1, "layers": [...]}`` for every epoch. Of a run
that averages its weights it is the average, since that is judged and kept. Nothing random is drawn and no
weight is touched: a run's numbers are the same with and without it.
"""

import contextlib
import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from cifarlab.files import append_line, one_line_errors, write_atomic

PARAMETERS = "parameters.jsonl"
REACH = 5.0
"""The bins lie within so many standard deviations of the mean."""
BINS = 40


@dataclass(frozen=True)
class LayerStatistics:
    """The weights, without biases, of one convolution or dense layer."""

    name: str
    """As in ``named_modules``."""
    mean: float
    deviation: float
    """Standard deviation of the weights themselves, not an estimate for others."""
    skewness: float
    """0 for a normal distribution, as ``kurtosis``; both are 0 where all weights are equal."""
    kurtosis: float
    """Excess kurtosis."""
    counts: tuple[int, ...]
    """Weights below the bins, in each of the ``BINS`` of equal width, and above them."""


def statistics_of(network: nn.Module) -> tuple[LayerStatistics, ...]:
    """Every convolution and dense layer, in order; one with a weight that is not finite is left out."""
    layers = [
        (name, module.weight.detach())
        for name, module in network.named_modules()
        if isinstance(module, nn.Conv2d | nn.Linear)
    ]
    # One transfer from the device for all layers.
    rows = torch.stack([_measured(weight) for _, weight in layers]).tolist() if layers else []
    return tuple(
        _layer(name, [float(f"{moment:.6g}") for moment in row[:4]], row[4:])
        for (name, _), row in zip(layers, rows, strict=True)
        if all(math.isfinite(number) for number in row)
    )


def _measured(weight: Tensor) -> Tensor:
    """Mean, deviation, skewness, excess kurtosis and counts, float32 ``[4 + BINS + 2]``."""
    # Flat in logical order, so that the sums do not depend on how the weights lie in memory.
    weights = weight.float().flatten()
    deviation, mean = torch.std_mean(weights, correction=0)
    scaled = (weights - mean) / deviation.clamp_min(torch.finfo(torch.float32).tiny)
    squares = scaled.square()
    varies = deviation > 0
    skewness = torch.where(varies, (squares * scaled).mean(), 0.0)
    kurtosis = torch.where(varies, squares.square().mean() - 3, 0.0)
    # One bin more at either end takes what lies outside.
    outer = REACH * (1 + 2 / BINS)
    counts = torch.histc(scaled.clamp(-outer, outer), BINS + 2, -outer, outer)
    return torch.cat((torch.stack((mean, deviation, skewness, kurtosis)), counts))


def _layer(name: str, moments: Sequence[float], counts: Sequence[float]) -> LayerStatistics:
    mean, deviation, skewness, kurtosis = moments
    return LayerStatistics(name, mean, deviation, skewness, kurtosis, tuple(map(int, counts)))


def append_parameters(folder: Path, epoch: int, network: nn.Module) -> None:
    """Add the line of one epoch, counted from 1.

    It is flushed to the disk: the state that is saved next must never know of an epoch that this file lacks.
    """
    value = {"epoch": epoch, "layers": [asdict(layer) for layer in statistics_of(network)]}
    append_line(folder / PARAMETERS, json.dumps(value, allow_nan=False, separators=(",", ":")))


def keep_epochs(folder: Path, epochs: int) -> None:
    """Leave the lines of the first ``epochs`` epochs alone; a run that goes on writes the others again."""
    kept = [line for line, value in _lines(folder) if value["epoch"] <= epochs]
    write_atomic(folder / PARAMETERS, "".join(f"{line}\n" for line in kept).encode())


def read_parameters(folder: Path) -> dict[int, tuple[LayerStatistics, ...]]:
    """The layers by epoch, in order; empty for a run that an older version made.

    A line that cannot be read is left out.
    """
    found = {}
    for _, value in _lines(folder):
        with contextlib.suppress(ValueError, TypeError, KeyError, OverflowError):
            found[value["epoch"]] = tuple(_parsed(each) for each in value["layers"])
    return dict(sorted(found.items()))


def _parsed(value: dict[str, Any]) -> LayerStatistics:
    moments = [float(value[name]) for name in ("mean", "deviation", "skewness", "kurtosis")]
    layer = _layer(value["name"], moments, value["counts"])
    if not (isinstance(layer.name, str) and all(map(math.isfinite, moments)) and moments[1] >= 0):
        raise ValueError("no layer has such a name or such moments")
    if len(layer.counts) != BINS + 2 or min(layer.counts) < 0 or not any(layer.counts):
        raise ValueError("no histogram has such counts")
    return layer


def _lines(folder: Path) -> list[tuple[str, dict[str, Any]]]:
    """Every line that is an object with an epoch and layers, as text and value."""
    path = folder / PARAMETERS
    if not path.is_file():
        return []
    with one_line_errors(f"read {path}"):
        texts = path.read_text(encoding="utf-8", errors="replace").split("\n")
    found = []
    for text in texts:
        with contextlib.suppress(ValueError, RecursionError):
            value = json.loads(text)
            if isinstance(value, dict) and type(value.get("epoch")) is int and "layers" in value:
                found.append((text, value))
    return found
