"""A synthetic run folder, as ``cifarlab train`` leaves one, in any number of classes."""

import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

RunMaker = Callable[..., Path]

PER_CLASS = 40
RECIPE = {
    "type": "Recipe",
    "epochs": 12,
    "model": {"type": "ResNet", "widths": [16, 32, 64], "blocks": 2},
    "optimizer": {"type": "SGD", "lr": 0.1, "nesterov": True},
    "augment": [{"type": "Flip", "probability": 0.5}, {"type": "Crop", "padding": 4}],
}


def build_run(
    folder: Path,
    class_names: Sequence[str] = ("cat", "dog", "frog"),
    protocols: str = "C",
    left_out_epochs: Sequence[int] = (),
    **changes: Any,
) -> Path:
    """Write a finished run of 12 epochs; ``changes`` replace fields of ``result.json``."""
    folder.mkdir(parents=True, exist_ok=True)
    classes, images = len(class_names), PER_CLASS * len(class_names)
    draw = np.random.default_rng(7)
    labels = np.repeat(np.arange(classes), PER_CLASS)
    skill = np.repeat(draw.uniform(2.5, 6.0, classes), PER_CLASS)
    logits = draw.normal(size=(images, classes)).astype(np.float32) * 1.5
    logits[np.arange(images), labels] += skill.astype(np.float32)
    predicted = logits.argmax(axis=1)
    mistaken = np.flatnonzero(predicted != labels)
    confidence = np.exp(logits - logits.max(axis=1, keepdims=True)).sum(axis=1) ** -1
    wrong = mistaken[np.argsort(-confidence[mistaken])][:24]
    pictures = draw.integers(0, 256, (len(wrong), 3, 32, 32), dtype=np.uint8)
    save_file(
        {"logits": logits, "labels": labels, "mistakes": wrong, "mistake_images": pictures},
        folder / "test_logits.safetensors",
    )
    matrix = np.zeros((classes, classes), dtype=np.int64)
    np.add.at(matrix, (labels, predicted), 1)
    data = {
        "name": "digits",
        "class_names": list(class_names),
        "train_images": 1200,
        "test_images": images,
        "train_sha256": "1f" * 32,
        "test_sha256": "2e" * 32,
        "image_size": 32,
        "test_set": "given",
        "preparation": {"type": "Preparation", "resize": 32, "background": "black"},
    }
    accuracy = float((predicted == labels).mean())
    correct = matrix.diagonal().tolist()
    result = {
        "schema": 1,
        "status": "finished",
        "recipe_name": "demo",
        "test_accuracy": accuracy,
        "test_images": images,
        "interval": list(wilson(int(accuracy * images + 0.5), images)),
        "test_loss": 0.31234,
        "balanced_accuracy": accuracy,
        "val_accuracy": 0.9512,
        "val_loss": 0.21,
        "val_images": 240,
        "train_images": 960,
        "best_epoch": 9,
        "last_epoch": 12,
        "last": {"epoch": 12, "val_accuracy": 0.949, "test_accuracy": accuracy - 0.004},
        "best_on_test": {"epoch": 7, "test_accuracy": accuracy + 0.0051} if "B" in protocols else None,
        "per_class": [
            {
                "class": name,
                "images": PER_CLASS,
                "correct": right,
                "accuracy": right / PER_CLASS,
                "interval": list(wilson(right, PER_CLASS)),
            }
            for name, right in zip(class_names, correct, strict=True)
        ],
        "confusion_matrix": matrix.tolist(),
        "calibration": {"ece": 0.0412, "bins": calibration_bins(logits, labels)},
        "parameters": {"trainable": 272474, "statistics": 1376, "total": 273850},
        "flops": 40_813_184,
        "training_flops": 1.47e12,
        "seconds": 83.4,
        "data": data,
        "seed": 0,
        "protocols": protocols,
        "select_by": "val_accuracy",
        "evaluation_mode": {"type": "EvaluationMode", "batch_size": 500},
        "device": "cpu",
        "precision": "float32",
        "versions": {"cifarlab": "0.1.0", "python": "3.11.9", "torch": "2.13.0"},
        "hardware": {"processor": "Example CPU", "cores": 2, "memory": "8 GiB"},
        "command": "cifarlab train demo --seed 0",
    }
    description = {
        "type": "RunDescription",
        "schema": 1,
        "numerics": 1,
        "recipe": RECIPE,
        "data": data,
        "seed": 0,
        "protocols": protocols,
        "recipe_name": "demo",
        "initial_weights": None,
    }
    (folder / "result.json").write_text(json.dumps(result | changes))
    (folder / "recipe.json").write_text(json.dumps(description))
    lines = [
        json.dumps(epoch_row(epoch, protocols)) for epoch in range(1, 13) if epoch not in left_out_epochs
    ]
    (folder / "metrics.jsonl").write_text("".join(line + "\n" for line in lines))
    return folder


def epoch_row(epoch: int, protocols: str) -> dict[str, float]:
    """One line of ``metrics.jsonl``."""
    row = {
        "epoch": epoch,
        "step": 8 * epoch,
        "lr": 0.05 * (1 + math.cos(math.pi * epoch / 12)),
        "train_loss": 2.2 * math.exp(-epoch / 3) + 0.08,
        "train_accuracy": 1 - 0.7 * math.exp(-epoch / 3),
        "val_loss": 2.1 * math.exp(-epoch / 3) + 0.2 + 0.02 * math.sin(3 * epoch),
        "val_accuracy": 0.95 - 0.6 * math.exp(-epoch / 2.5) + 0.008 * math.sin(2 * epoch),
        "images_per_second": 1400.0 + epoch,
        "seconds": 6.9,
    }
    if "B" in protocols:
        row |= {"test_loss": row["val_loss"] + 0.05, "test_accuracy": row["val_accuracy"] - 0.01}
    return row


def wilson(right: int, images: int) -> tuple[float, float]:
    """The 95% Wilson interval, as a twin for what the run measures."""
    z, share = 1.959964, right / images
    center = (share + z * z / (2 * images)) / (1 + z * z / images)
    half = z / (1 + z * z / images) * math.sqrt(share * (1 - share) / images + z * z / (4 * images**2))
    return max(0.0, center - half), min(1.0, center + half)


def calibration_bins(logits: np.ndarray, labels: np.ndarray) -> list[dict[str, float | None]]:
    """Fifteen bins of equal width; an empty one has neither confidence nor accuracy."""
    chances = np.exp(logits - logits.max(axis=1, keepdims=True))
    confidence = (chances / chances.sum(axis=1, keepdims=True)).max(axis=1)
    right = logits.argmax(axis=1) == labels
    bins: list[dict[str, float | None]] = []
    for number in range(15):
        inside = (confidence > number / 15) & (confidence <= (number + 1) / 15)
        held = int(inside.sum())
        bins.append(
            {
                "lower": number / 15,
                "upper": (number + 1) / 15,
                "count": held,
                "confidence": float(confidence[inside].mean()) if held else None,
                "accuracy": float(right[inside].mean()) if held else None,
            }
        )
    return bins


@pytest.fixture
def make_run(tmp_path: Path) -> RunMaker:
    """A function that writes a run folder into the test's own folder; see ``build_run``."""
    return lambda *arguments, **changes: build_run(tmp_path / "run", *arguments, **changes)
