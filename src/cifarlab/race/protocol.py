"""The side of a worker in its conversation with the race: lines of JSON over standard input and output.

The worker loads everything and says ``{"ready": true, …}``; then, for every line ``{"seed": 5}``, it runs
once and answers with an outcome, or with ``{"seed": 5, "failed": "why"}`` where the run itself has failed.
The end of its input ends it: at once, if a run is going on, since then the race has died.
"""

import json
import os
import queue
import signal
import sys
import threading
from collections.abc import Iterator
from typing import Any


class Conversation:
    """Takes standard input and output over; whatever else prints goes to standard error from now on.

    Create it before anything slow, so that a race that dies early takes its worker along.
    """

    def __init__(self) -> None:
        self._answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
        os.dup2(2, 1)
        self._seeds: queue.SimpleQueue[int | None] = queue.SimpleQueue()
        self._busy = threading.Event()
        self._busy.set()
        threading.Thread(target=self._listen, daemon=True).start()

    def ready(self, facts: dict[str, Any]) -> None:
        """Say that runs may begin; ``facts`` are JSON values for the record."""
        self._say({"ready": True, **facts})

    def seeds(self) -> Iterator[int]:
        """The seeds of the runs that are asked for, until no more will come; answer each."""
        while (seed := self._seeds.get()) is not None:
            self._busy.set()
            yield seed

    def answer(self, outcome: dict[str, Any]) -> None:
        """Give a run's outcome."""
        self._say(outcome)

    def _say(self, value: dict[str, Any]) -> None:
        line = json.dumps(value, allow_nan=False)
        self._busy.clear()  # first: the race may close our input as soon as it has the answer
        self._answers.write(line + "\n")
        self._answers.flush()

    def _listen(self) -> None:
        for line in sys.stdin:
            self._busy.set()
            self._seeds.put(int(json.loads(line)["seed"]))
        self._seeds.put(None)
        if self._busy.is_set():
            os.kill(os.getpid(), signal.SIGTERM)
