"""Small runs for tests: data made on the spot, tiny networks, ways to stop a run and to compare two."""

import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from cifarlab import resumption, run
from cifarlab.data.holdout import Fraction
from cifarlab.data.pictures import Preparation
from cifarlab.data.split import Source, Split, source_of
from cifarlab.errors import Stopped
from cifarlab.interrupts import Interrupts
from cifarlab.logs import Silence
from cifarlab.models import PlainCnn
from cifarlab.parameter_statistics import PARAMETERS
from cifarlab.recipe import EvaluationMode, Judging, Recipe

TIMING = ("images_per_second", "seconds", "preparation_seconds", "seconds_to_predictions")
"""What two equal runs may differ in."""

CLASS_NAMES = ("cat", "dog", "frog")
REGULARIZED = PlainCnn(widths=(4, 4, 8), batch_norm=True, dropout=(0.1, 0.2, 0.3))


class Crash(BaseException):
    """The power is gone: nothing of the program under test runs after it."""


class Recorder(Silence):
    """A display that remembers what it was told."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.rates: list[tuple[int, float]] = []
        self.lines: list[dict[str, Any]] = []

    def say(self, text: str) -> None:
        self.said.append(text)

    def step(self, epoch: int, steps_done: int, lr: float, loss: Tensor, images_per_second: float) -> None:
        self.rates.append((steps_done, lr))

    def epoch(self, line: dict[str, Any]) -> None:
        self.lines.append(line)


def synthetic_split(images: int, seed: int, *, size: int = 8, noise: float = 60.0) -> Split:
    """Images of three classes, as many of each, that differ in color and stripes under noise."""
    random = torch.Generator().manual_seed(seed)
    labels = torch.arange(images) % len(CLASS_NAMES)
    pattern = torch.randint(
        40, 216, (len(CLASS_NAMES), 3, size, size), generator=torch.Generator().manual_seed(0)
    )
    pixels = pattern[labels] + noise * torch.randn(images, 3, size, size, generator=random)
    return Split(pixels.clamp(0, 255).to(torch.uint8), labels, CLASS_NAMES)


def synthetic_source(train: int = 60, test: int = 30, *, size: int = 8, noise: float = 60.0) -> Source:
    """A data set of three classes that is quick to learn."""
    first = synthetic_split(train, 1, size=size, noise=noise)
    second = synthetic_split(test, 2, size=size, noise=noise)
    return source_of("synthetic", first, second, "given", Preparation(size=size))


def shuffled_labels(source: Source, seed: int = 0) -> Source:
    """The same images, the labels of the training set in any order."""
    split = source.read_train()
    order = torch.randperm(len(split), generator=torch.Generator().manual_seed(seed))
    train = replace(split, labels=split.labels[order])
    description = source.description
    return source_of("shuffled", train, source.read_test(), description.test_set, description.preparation)


def small_recipe(**changes: Any) -> Recipe:
    """A recipe that runs in a blink on ``synthetic_source``: 48 images, 5 steps an epoch, 3 epochs."""
    judging = Judging(Fraction(0.2), "val_accuracy", EvaluationMode(batch_size=5))
    values: dict[str, Any] = {"model": REGULARIZED, "epochs": 3, "batch_size": 10, "judging": judging}
    return Recipe(**(values | changes))


def stop_at(patch: pytest.MonkeyPatch, *calls: int, error: BaseException | None = None) -> list[int]:
    """Let the given calls (from 1) of the loop's question "has the user asked to stop?" end the run.

    ``error`` is raised instead of Stopped: ``Crash()`` leaves no time to save. Returns the count of calls,
    which goes on growing.
    """
    count = [0]

    def check(self: Interrupts) -> None:
        count[0] += 1
        if count[0] in calls:
            raise error or Stopped("stopped by a test")

    patch.setattr(Interrupts, "check", check)
    return count


def save_always(patch: pytest.MonkeyPatch) -> None:
    """Save the state after every step, however long it takes."""
    patch.setattr(resumption.Saver, "is_due", lambda self: True)


def save_never(patch: pytest.MonkeyPatch) -> None:
    """Save the state at the end of training and where a run is stopped, and at no other time."""
    patch.setattr(resumption.Saver, "is_due", lambda self: False)


def without_timing(value: Any) -> Any:
    """A JSON value without what a clock put there."""
    if isinstance(value, dict):
        return {name: without_timing(item) for name, item in value.items() if name not in TIMING}
    if isinstance(value, list):
        return [without_timing(item) for item in value]
    return value


def outcome(folder: Path) -> dict[str, Any]:
    """All that two equal runs must have in common, to the bit."""
    return {
        "weights": (folder / run.WEIGHTS).read_bytes(),
        "logits": (folder / run.TEST_LOGITS).read_bytes(),
        "metrics": [without_timing(line) for line in metrics_of(folder)],
        "parameters": (folder / PARAMETERS).read_bytes(),
        "result": without_timing(json.loads((folder / run.RESULT).read_text())),
    }


def metrics_of(folder: Path) -> list[dict[str, Any]]:
    """The lines of ``metrics.jsonl``, each of which must be whole."""
    return [json.loads(line) for line in (folder / run.METRICS).read_text().splitlines()]


def contents(folder: Path, *, but: Iterable[str] = ()) -> dict[str, bytes]:
    """Every file under ``folder`` and its bytes."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file() and path.name not in but)
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def states(folder: Path) -> list[Path]:
    """The resume states of the run in ``folder``, the newest first."""
    return sorted(
        (folder / run.STATES).glob("state-*"), key=lambda path: (path.name[:14], path.stat().st_mtime_ns)
    )[::-1]
