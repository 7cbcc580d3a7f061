"""The runs of a study one after the other, in this process."""

import time
from collections import deque
from types import TracebackType
from typing import Self

from cifarlab.interrupts import Interrupts
from cifarlab.studies.orders import Ending, Order, Sources, carry_out
from cifarlab.studies.progress_display import RunFeed, StudyProgress, epochs_done

PAUSE = 0.5
"""Seconds between two looks whether another process has finished a run."""


class ThisProcess:
    """A workshop: see ``work.Workshop``."""

    def __init__(self, sources: Sources, progress: StudyProgress) -> None:
        self._sources = sources
        self._progress = progress
        self._orders: deque[Order] = deque()

    def submit(self, order: Order) -> None:
        """Put the order at the end of the queue."""
        self._orders.append(order)

    def wait(self) -> list[tuple[Order, Ending]]:
        """Carry out the first order of the queue; where there is none, rest a moment."""
        if not self._orders:
            with Interrupts() as interrupts:
                time.sleep(PAUSE)
                interrupts.check()
            return []
        order = self._orders.popleft()
        self._progress.start(order.title, order.folder, order.recipe.epochs, epochs_done(order.folder))
        return [(order, carry_out(order, self._sources, RunFeed(self._progress, order.title)))]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return
