"""What the report knows: the files of one run folder, checked and made into plain values.

This is the one place of the report that knows how a run folder is laid out.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file

from cifarlab import files
from cifarlab.errors import UserError
from cifarlab.parameter_statistics import LayerStatistics, read_parameters
from cifarlab.report.explanation import Inside, read_inside
from cifarlab.report.result import Result, parse_result


@dataclass(frozen=True)
class Mistake:
    """A test image that the network got wrong. ``image`` is uint8 ``3 S S``; classes are row numbers."""

    index: int
    truth: int
    predicted: int
    confidence: float
    image: NDArray[np.uint8]


@dataclass(frozen=True)
class RunFiles:
    """One run folder. ``epochs`` holds a row of finite numbers per epoch that was logged, in order.

    ``mistakes`` is ``None`` where the folder does not tell them; ``notes`` says what is missing and why.
    """

    folder: str
    recipe: Mapping[str, Any]
    data: Mapping[str, Any]
    seed: Any
    protocols: str
    numerics: Any
    initial_weights: Mapping[str, Any] | None
    class_names: tuple[str, ...]
    result: Result
    epochs: tuple[Mapping[str, float], ...]
    mistakes: tuple[Mistake, ...] | None
    notes: tuple[str, ...]
    parameters: Mapping[int, tuple[LayerStatistics, ...]] = field(default_factory=dict)
    """The weights of each layer after each epoch, as far as the folder tells them."""
    explanation: Inside | None = None
    """What ``cifarlab explain`` has left; None where it has not been asked."""


def read_run(folder: Path) -> RunFiles:
    """Read a run folder.

    Raises:
        UserError: the folder, ``recipe.json`` or ``result.json`` is missing or damaged.
    """
    if not folder.is_dir():
        raise UserError(f"there is no run folder at {folder}")
    if not (folder / "result.json").exists():
        raise UserError(f"{folder} has no result.json: the run is not finished, or this is no run folder")
    description = files.read_json(folder / "recipe.json")
    value = files.read_json(folder / "result.json")
    try:
        data = _object(description["data"])
        class_names = tuple(str(name) for name in data["class_names"])
        result = parse_result(value, class_names)
        initial_weights = description.get("initial_weights")
        recipe, initial_weights = _object(description["recipe"]), initial_weights and _object(initial_weights)
    except (LookupError, TypeError, ValueError, ArithmeticError, AttributeError) as error:
        raise UserError(f"recipe.json or result.json in {folder} is damaged: {error!r}") from error
    epochs, metric_notes = read_metrics(folder / "metrics.jsonl")
    mistakes, mistake_notes = _read_mistakes_or_say_why(folder / "test_logits.safetensors", len(class_names))
    explanation, explanation_notes = read_inside(folder)
    return RunFiles(
        folder=folder.resolve().name,
        recipe=recipe,
        data=data,
        seed=description.get("seed"),
        protocols=str(description.get("protocols", "")),
        numerics=description.get("numerics"),
        initial_weights=initial_weights,
        class_names=class_names,
        result=result,
        epochs=epochs,
        mistakes=mistakes,
        notes=metric_notes + mistake_notes + explanation_notes,
        parameters=read_parameters(folder),
        explanation=explanation,
    )


def read_metrics(path: Path) -> tuple[tuple[Mapping[str, float], ...], tuple[str, ...]]:
    """The rows of a metrics file, one per epoch and in order, and notes on what it lacks.

    A line that cannot be read (a crash can tear the last one) is left out; of two lines on one epoch the
    later one counts, since a resumed run repeats the epoch that was interrupted.
    """
    if not path.exists():
        return (), ("metrics.jsonl is missing, so the learning curves and the speed are not shown.",)
    with files.one_line_errors(f"read {path}"):
        lines = [line for line in path.read_bytes().split(b"\n") if line.strip()]
    by_epoch: dict[float, Mapping[str, float]] = {}
    unreadable = 0
    for line in lines:
        row = _metrics_row(line)
        if row is None:
            unreadable += 1
        else:
            by_epoch[row["epoch"]] = row
    epochs = tuple(by_epoch[epoch] for epoch in sorted(by_epoch))
    notes = []
    if unreadable:
        lines_are = (
            "1 line of metrics.jsonl is" if unreadable == 1 else f"{unreadable} lines of metrics.jsonl are"
        )
        notes.append(f"{lines_are} torn or damaged and left out.")
    if missing := _missing_epochs([int(row["epoch"]) for row in epochs]):
        notes.append(f"The log has no entry for {missing}: the curves are broken there, not bridged.")
    if not epochs:
        notes.append("metrics.jsonl has no readable line, so there are no learning curves.")
    return epochs, tuple(notes)


def _metrics_row(line: bytes) -> Mapping[str, float] | None:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, dict) or type(value.get("epoch")) is not int:
        return None
    if not 1 <= value["epoch"] < 10**9:
        return None
    numbers = {key: item for key, item in value.items() if type(item) in (int, float)}
    return {key: float(item) for key, item in numbers.items() if abs(item) < 1e300}


def _missing_epochs(epochs: list[int]) -> str:
    spans = []
    for before, after in zip([0, *epochs], epochs, strict=False):
        if after - before == 2:
            spans.append(f"epoch {before + 1}")
        elif after - before > 2:
            spans.append(f"epochs {before + 1}\N{EN DASH}{after - 1}")
    shown = spans if len(spans) <= 8 else [*spans[:8], f"{len(spans) - 8} more stretches"]
    return ", ".join(shown)


def read_mistakes(path: Path, classes: int) -> tuple[Mistake, ...]:
    """The most confident mistakes, most confident first; the confidence is the softmax probability.

    Raises:
        UserError: the file cannot be read.
        ValueError, KeyError, SafetensorError: the file is damaged.
    """
    with files.one_line_errors(f"read {path}"):
        tensors = load_file(path)
    logits, labels = tensors["logits"].astype(np.float64), tensors["labels"].astype(np.int64)
    indices, images = tensors["mistakes"].astype(np.int64), tensors["mistake_images"]
    if logits.shape != (len(labels), classes) or indices.ndim != 1:
        raise ValueError(f"logits of shape {logits.shape} for {len(labels)} labels and {classes} classes")
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[:2] != (len(indices), 3):
        raise ValueError(f"pictures of shape {images.shape} for {len(indices)} mistakes")
    if len(indices) and not (indices.min() >= 0 and indices.max() < len(labels)):
        raise ValueError("a mistake that is not in the test set")
    mistakes = []
    for index, image in zip(indices.tolist(), images, strict=True):
        scores = logits[index] - logits[index].max()
        predicted, truth = int(scores.argmax()), int(labels[index])
        confidence = 1 / float(np.exp(scores).sum())
        if not math.isfinite(confidence) or not 0 <= truth < classes:
            raise ValueError(f"test image {index} has no valid prediction or label")
        mistakes.append(Mistake(index, truth, predicted, confidence, image))
    return tuple(mistakes)


def _read_mistakes_or_say_why(path: Path, classes: int) -> tuple[tuple[Mistake, ...] | None, tuple[str, ...]]:
    if not path.exists():
        return None, ("test_logits.safetensors is missing, so the mistakes are not shown as pictures.",)
    try:
        return read_mistakes(path, classes), ()
    except (UserError, ValueError, KeyError, SafetensorError) as error:
        return None, (f"test_logits.safetensors is damaged, so the mistakes are not shown ({error}).",)


def _object(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise TypeError(f"expected an object, found {type(value).__name__}")
    return value
