"""The runs of a study in several processes on this machine, any of which may be killed."""

import contextlib
import json
import os
import selectors
import signal
import subprocess
import sys
import tempfile
from collections import deque
from dataclasses import dataclass, replace
from types import TracebackType
from typing import IO, Self

import torch

from cifarlab.config import from_json, to_json
from cifarlab.errors import printable
from cifarlab.interrupts import Interrupts
from cifarlab.runtime import usable_cores
from cifarlab.studies.orders import Ending, Order
from cifarlab.studies.progress_display import StudyProgress, epochs_done

WORKER = ("-P", "-m", "cifarlab.studies.worker")
"""What Python is started with; -P: nothing is imported from the current folder."""
RESTARTS = 3
"""So often a run is started again whose process was killed."""
LOOK_SECONDS = 1.0
"""Between two looks at how far the runs are."""
LONGEST_SAVE = 60.0
"""Seconds that a process gets to save its run when the study is stopped."""


class Pool:
    """A workshop (see ``work.Workshop``) of ``jobs`` processes.

    Each has its share of the processor's cores as threads, unless OMP_NUM_THREADS says otherwise; another
    number of threads may change the last bits of what is computed on a CPU. GPUs are shared.
    """

    def __init__(self, jobs: int, progress: StudyProgress) -> None:
        self._jobs = jobs
        self._progress = progress
        self._orders: deque[Order] = deque()
        self._workers: list[_Worker] = []
        self._losses: dict[str, int] = {}
        self._selector = selectors.DefaultSelector()
        self._interrupts = Interrupts()

    def submit(self, order: Order) -> None:
        """Put the order at the end of the queue."""
        self._orders.append(order)

    def wait(self) -> list[tuple[Order, Ending]]:
        """Give idle processes work, then wait until something happens; the orders that have ended."""
        self._hand_out()
        endings = []
        for key, _ in self._selector.select(LOOK_SECONDS):
            worker: _Worker = key.data
            order, line = worker.order, worker.endings.readline()
            if line.endswith(b"\n") and order is not None:
                worker.order = None
                endings.append((order, from_json(Ending, json.loads(line))))
            else:
                self._dismiss(worker)
                endings += self._lost(worker, order)
        self._interrupts.check()
        self._progress.look()
        return endings

    def _hand_out(self) -> None:
        while self._orders:
            idle = next((worker for worker in self._workers if worker.order is None), None)
            if idle is None and len(self._workers) == self._jobs:
                return
            order = self._orders.popleft()
            idle = idle or self._hire()
            idle.order = order
            self._progress.start(order.title, order.folder, order.recipe.epochs, epochs_done(order.folder))
            given = replace(order, device=_device(order.device, idle.place))
            with contextlib.suppress(BrokenPipeError):  # it was killed: its outlet says so at once
                idle.orders.write(json.dumps(to_json(given)).encode() + b"\n")

    def _hire(self) -> "_Worker":
        threads = max(1, usable_cores() // self._jobs)
        complaints = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the process
        process = subprocess.Popen(
            [sys.executable, *WORKER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=complaints,
            bufsize=0,
            start_new_session=True,  # Ctrl-C is for the study's own process, which stops the others in order
            env={"OMP_NUM_THREADS": str(threads), **os.environ},
        )
        assert process.stdin is not None and process.stdout is not None
        place = min(set(range(self._jobs)) - {worker.place for worker in self._workers})
        worker = _Worker(place, process, process.stdin, process.stdout, complaints)
        self._workers.append(worker)
        self._selector.register(worker.endings, selectors.EVENT_READ, worker)
        return worker

    def _lost(self, worker: "_Worker", order: Order | None) -> list[tuple[Order, Ending]]:
        """Start the order of a process that is gone again, unless that has happened too often."""
        if order is None:
            return []
        reason = f"its process {_cause(worker.process.returncode)}{worker.last_words}"
        self._losses[order.folder] = self._losses.get(order.folder, 0) + 1
        if self._losses[order.folder] > RESTARTS:
            advice = "take fewer jobs if memory is short" if self._jobs > 1 else "see whether memory is short"
            return [(order, Ending("failed", f"{reason}, {RESTARTS + 1} times; {advice}"))]
        self._progress.say(f"{order.title}: {reason}; it is started again")
        self._orders.appendleft(order)
        return []

    def _dismiss(self, worker: "_Worker") -> None:
        """Let a process end, and see that it does."""
        self._workers.remove(worker)
        self._selector.unregister(worker.endings)
        worker.orders.close()
        try:
            worker.process.wait(LONGEST_SAVE)
        except subprocess.TimeoutExpired:
            worker.process.kill()
            worker.process.wait()
        worker.endings.close()
        worker.last_words = _last_line(worker.complaints)
        worker.complaints.close()

    def __enter__(self) -> Self:
        self._interrupts.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for worker in self._workers:
            worker.orders.close()  # all at once: each saves its run while the others do
        for worker in list(self._workers):
            self._dismiss(worker)
        self._selector.close()
        self._interrupts.__exit__(kind, error, trace)


@dataclass(eq=False)
class _Worker:
    place: int
    process: subprocess.Popen[bytes]
    orders: IO[bytes]
    endings: IO[bytes]
    complaints: IO[bytes]
    order: Order | None = None
    last_words: str = ""


def _device(asked: str, place: int) -> str:
    """The device of the process at ``place``: ``auto`` spreads them over the GPUs where there are several."""
    count = torch.cuda.device_count() if asked == "auto" else 0
    return f"cuda:{place % count}" if count > 1 else asked


def _cause(code: int) -> str:
    if code >= 0:
        return f"ended with exit code {code}"
    try:
        return f"was killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"was killed by signal {-code}"


def _last_line(file: IO[bytes]) -> str:
    """What a process complained of last, to be put behind the account of its end."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - 2000))
    lines = file.read().decode(errors="replace").split("\n")
    last = next((line.strip() for line in reversed(lines) if line.strip()), "")
    return f" ({printable(last[:200])})" if last else ""
