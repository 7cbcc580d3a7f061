"""What the changed lines of a script call; the script knows it as ``race``."""

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import Any

import torch

from cifarlab.errors import UserError

CLASSES = 10
SIDE = 32
"""Classes and pixels that the scripts have written into them."""


class CpuEvent:
    """``torch.cuda.Event`` of a CPU."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def record(self) -> None:
        """Remember this moment."""
        self.seconds = time.perf_counter()

    def elapsed_time(self, end: "CpuEvent") -> float:
        """Milliseconds from this moment to ``end``'s."""
        return 1e3 * (end.seconds - self.seconds)


class Referee:
    """Hands a script its data, and takes its figures."""

    event = CpuEvent

    def __init__(self) -> None:
        self._figures: dict[str, Any] = {}
        self._splits: dict[str, dict[str, Any]] = {}
        self._random_labels = False

    def read(self, path: str, load: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """What ``load`` gives for ``path``, read once: images uint8 ``[N, 32, 32, 3]``, labels int64 ``[N]``.

        Raises:
            UserError: images or labels that the scripts cannot take.
        """
        if path not in self._splits:
            split = load()
            _refuse_unfit(split["images"], split["labels"])
            self._splits[path] = split
        split = dict(self._splits[path])
        if self._random_labels:
            split["labels"] = torch.randint_like(split["labels"], CLASSES)
        return split

    def finish(self, variables: dict[str, Any]) -> None:
        """Keep the variables of a run at its end."""
        self._figures = variables

    def take(self) -> dict[str, Any]:
        """The variables of the last run, once: they hold its data, which must not outlive it."""
        figures, self._figures = self._figures, {}
        return figures

    @contextlib.contextmanager
    def random_labels(self) -> Iterator[None]:
        """Inside, what is read has random labels: a warm-up learns nothing about the data."""
        self._random_labels = True
        try:
            yield
        finally:
            self._random_labels = False


def _refuse_unfit(images: torch.Tensor, labels: torch.Tensor) -> None:
    if images.dtype is not torch.uint8 or images.shape[1:] != (SIDE, SIDE, 3) or len(images) != len(labels):
        raise UserError(
            f"the peers' scripts take color images of {SIDE} × {SIDE} pixels, found {list(images.shape[1:])}"
        )
    if not len(labels) or not 0 <= int(labels.min()) <= int(labels.max()) < CLASSES:
        raise UserError(f"the peers' scripts take {CLASSES} classes and at least one image")
