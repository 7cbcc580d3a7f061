"""What a finished run says of a quantity that reports give numbers of."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cifarlab import run
from cifarlab.studies.measure import Measurement, measured
from cifarlab.studies.table import Quantity

_MEASURED: tuple[Measurement, ...] = ("train_accuracy", "train_inference_seconds", "test_inference_seconds")


def quantity_of(
    folder: Path, quantity: Quantity, *, device: str = "auto", logged_train_accuracy: bool = False
) -> float | None:
    """The value for the run in ``folder``, under the protocol that it was made with; None if it has none.

    Args:
        logged_train_accuracy: take the training accuracy from the log (augmented images, dropout on) in place
            of measuring the kept weights on the training images as they are.

    Raises:
        UserError: no finished run, or a measurement needs data that are gone.
    """
    result = run.read_result(folder)
    if quantity == "train_accuracy" and logged_train_accuracy:
        return at_epoch(run.read_metrics(folder), result["best_epoch"], "train_accuracy")
    if quantity in _MEASURED:
        return measured(folder, quantity, device)
    best, epochs = result.get("best_on_test"), int(result["last_epoch"])
    told: dict[Quantity, Any] = {
        "test_accuracy": result["test_accuracy"],
        "val_accuracy": result.get("val_accuracy"),
        "val_loss": result.get("val_loss"),
        "best_epoch": result["best_epoch"],
        "best_test_accuracy": None if best is None else best["test_accuracy"],
        "parameters": result["parameters"]["total"],
        "training_seconds": result["seconds"],
        "seconds_per_epoch": result["seconds"] / epochs,
    }
    return _number(told.get(quantity))


def best_within(folder: Path, quantity: Quantity, share: float) -> float | None:
    """The best validation or test accuracy in the first ``share`` of a run's planned epochs, from its log."""
    epochs = run.read_description(folder).recipe.epochs
    key = "test_accuracy" if quantity in ("best_test_accuracy", "test_accuracy") else quantity
    rows = [row for row in run.read_metrics(folder) if row.get("epoch", 0) <= max(1, round(share * epochs))]
    values = [float(row[key]) for row in rows if key in row]
    return max(values, default=None)


def class_accuracy(folder: Path, names: Sequence[str]) -> float | None:
    """Accuracy on the test images of the classes ``names`` together; None where a class is absent."""
    rows = {row["class"]: row for row in run.read_result(folder)["per_class"]}
    if any(name not in rows for name in names):
        return None
    images = sum(rows[name]["images"] for name in names)
    return float(sum(rows[name]["accuracy"] * rows[name]["images"] for name in names) / images)


def at_epoch(rows: Sequence[dict[str, Any]], epoch: int, key: str) -> float | None:
    """The value of ``key`` in the log's line of ``epoch``; None where the log has a gap there."""
    return next((_number(row.get(key)) for row in rows if row.get("epoch") == epoch), None)


def machine_of(folder: Path) -> tuple[str, str]:
    """Hardware and versions of a finished run, in words."""
    result = run.read_result(folder)
    return _words(result.get("hardware")), _words(result.get("versions"))


def _words(facts: Any) -> str:
    if not isinstance(facts, dict):
        return json.dumps(facts)
    return ", ".join(f"{name} {value}" for name, value in facts.items())


def _number(value: Any) -> float | None:
    return None if value is None else float(value)
