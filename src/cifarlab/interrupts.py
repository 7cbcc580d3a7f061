"""Ctrl-C and SIGTERM as a question that the loop asks between batches."""

import signal
import threading
from types import FrameType, TracebackType
from typing import Any, Self

from cifarlab.distributed import ALONE, Group
from cifarlab.errors import Stopped

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupts:
    """While entered, the first SIGINT or SIGTERM is noted, so that work can be saved before the end.

    A second signal ends the process at once in the usual way, unless the process is one of several: their
    launcher ends them itself if they take too long, and may send a signal twice. Outside the main thread,
    where Python delivers no signals, it does nothing.

    Args:
        group: the processes that stop together, wherever the signal arrived.
    """

    def __init__(self, group: Group = ALONE) -> None:
        self._group = group
        self._received: int | None = None
        self._previous: dict[int, Any] = {}

    def check(self) -> None:
        """Raise Stopped if a signal has arrived; all processes of the group must ask."""
        if self._group.any(self._received is not None):
            reason = signal.Signals(self._received).name if self._received else "a signal to another process"
            raise Stopped(f"stopped by {reason}")

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._previous = {number: signal.signal(number, self._note) for number in SIGNALS}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._restore()

    def _note(self, number: int, frame: FrameType | None) -> None:
        self._received = number
        if self._group.size == 1:
            self._restore()

    def _restore(self) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        self._previous = {}
