"""``result.json`` as checked values. A field that a run did not fill is ``None`` and shown as missing."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cifarlab.errors import UserError, printable


@dataclass(frozen=True)
class ClassScore:
    """One class of the test set; ``accuracy`` and its 95% interval are fractions, ``None`` without images."""

    name: str
    images: int
    correct: int
    accuracy: float | None
    interval: tuple[float, float] | None


@dataclass(frozen=True)
class Bin:
    """Test images whose confidence lies between ``lower`` and ``upper``, and how often they are right."""

    lower: float
    upper: float
    count: int
    confidence: float | None
    accuracy: float | None


@dataclass(frozen=True)
class Calibration:
    """Expected calibration error, a fraction, and the bins that it is made of."""

    error: float
    bins: tuple[Bin, ...]


@dataclass(frozen=True)
class EpochScore:
    """The accuracies after one epoch, as fractions."""

    epoch: int
    val_accuracy: float | None
    test_accuracy: float | None


@dataclass(frozen=True)
class Result:
    """What a finished run measured. Accuracies are fractions; ``confusion`` is int64 ``K K``, rows true."""

    recipe_name: str
    test_accuracy: float
    test_images: int
    interval: tuple[float, float]
    test_accuracy_without_views: float | None
    test_loss: float | None
    balanced_accuracy: float | None
    val_accuracy: float | None
    val_loss: float | None
    val_images: int | None
    train_images: int | None
    best_epoch: int | None
    last_epoch: int | None
    last: EpochScore | None
    best_on_test: EpochScore | None
    per_class: tuple[ClassScore, ...]
    confusion: NDArray[np.int64] | None
    calibration: Calibration | None
    parameters: Mapping[str, Any]
    flops: float | None
    training_flops: float | None
    seconds: float | None
    select_by: str
    evaluation_mode: str
    device: str
    precision: str
    versions: Mapping[str, Any]
    hardware: Mapping[str, Any]
    command: str


def parse_result(value: Any, class_names: tuple[str, ...]) -> Result:
    """Check the JSON value of ``result.json``.

    Raises:
        UserError: the run did not finish, or there is no test accuracy in it.
        KeyError, TypeError, ValueError: a field is not what it should be.
    """
    if isinstance(value, dict) and value.get("status", "finished") != "finished":
        reason = printable(value.get("reason", "no reason given"))
        raise UserError(f"the run did not finish, so there is nothing to report on: {reason}")
    if not isinstance(value, dict) or "test_accuracy" not in value:
        raise UserError("result.json is damaged: it has no test_accuracy; train the run again")
    matrix = value.get("confusion_matrix")
    confusion = None if matrix is None else np.array(matrix, dtype=np.int64)
    if confusion is not None and confusion.shape != (len(class_names), len(class_names)):
        raise ValueError(f"a confusion matrix of shape {confusion.shape} for {len(class_names)} classes")
    command = value.get("command") or ""
    return Result(
        recipe_name=_text(value, "recipe_name"),
        test_accuracy=_number(value["test_accuracy"]),
        test_images=int(_number(value["test_images"])),
        interval=_pair(value["interval"]),
        test_accuracy_without_views=_optional(value, "test_accuracy_without_views"),
        test_loss=_optional(value, "test_loss"),
        balanced_accuracy=_optional(value, "balanced_accuracy"),
        val_accuracy=_optional(value, "val_accuracy"),
        val_loss=_optional(value, "val_loss"),
        val_images=_optional_count(value, "val_images"),
        train_images=_optional_count(value, "train_images"),
        best_epoch=_optional_count(value, "best_epoch"),
        last_epoch=_optional_count(value, "last_epoch"),
        last=_epoch_score(value.get("last")),
        best_on_test=_epoch_score(value.get("best_on_test")),
        per_class=tuple(_class_score(item, class_names) for item in value.get("per_class") or ()),
        confusion=confusion,
        calibration=_calibration(value.get("calibration")),
        parameters=dict(value.get("parameters") or {}),
        flops=_optional(value, "flops"),
        training_flops=_optional(value, "training_flops"),
        seconds=_optional(value, "seconds"),
        select_by=_text(value, "select_by"),
        evaluation_mode=_mode(value.get("evaluation_mode") or ""),
        device=_text(value, "device"),
        precision=_text(value, "precision"),
        versions=dict(value.get("versions") or {}),
        hardware=dict(value.get("hardware") or {}),
        command=" ".join(map(str, command)) if isinstance(command, list) else str(command),
    )


def _class_score(value: Mapping[str, Any], class_names: tuple[str, ...]) -> ClassScore:
    name = value["class"]
    interval = value.get("interval")
    return ClassScore(
        name=class_names[name] if isinstance(name, int) else str(name),
        images=int(_number(value["images"])),
        correct=int(_number(value["correct"])),
        accuracy=_optional(value, "accuracy"),
        interval=None if interval is None else _pair(interval),
    )


def _calibration(value: Mapping[str, Any] | None) -> Calibration | None:
    if value is None:
        return None
    bins = tuple(
        Bin(
            lower=_number(item["lower"]),
            upper=_number(item["upper"]),
            count=int(_number(item["count"])),
            confidence=_optional(item, "confidence"),
            accuracy=_optional(item, "accuracy"),
        )
        for item in value["bins"]
    )
    return Calibration(_number(value["ece"]), bins)


def _epoch_score(value: Mapping[str, Any] | None) -> EpochScore | None:
    if value is None:
        return None
    epoch = int(_number(value["epoch"]))
    return EpochScore(epoch, _optional(value, "val_accuracy"), _optional(value, "test_accuracy"))


def _mode(value: Any) -> str:
    """``{"type": "TrainingMode", "batch_size": 4}`` → ``TrainingMode, batch_size 4``."""
    if not isinstance(value, dict):
        return str(value)
    return ", ".join(f"{item}" if key == "type" else f"{key} {item}" for key, item in value.items())


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise TypeError(f"expected a finite number, found {str(value)[:40]!r}")
    return value


def _optional(value: Mapping[str, Any], key: str) -> float | None:
    return None if value.get(key) is None else _number(value[key])


def _optional_count(value: Mapping[str, Any], key: str) -> int | None:
    return None if value.get(key) is None else int(_number(value[key]))


def _pair(value: Any) -> tuple[float, float]:
    low, high = value
    return _number(low), _number(high)


def _text(value: Mapping[str, Any], key: str) -> str:
    return "" if value.get(key) is None else str(value[key])
