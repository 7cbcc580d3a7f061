"""A process that makes runs for a study: ``python -m cifarlab.studies.worker``, started by ``pool``.

Orders come in as lines of JSON, endings go out so. The end of its input, which also comes when the study's
own process is killed, tells it to save the run that it is working on, and to end.
"""

import contextlib
import json
import os
import queue
import signal
import sys
import threading
import time
from collections.abc import Iterator
from types import FrameType

from cifarlab.config import from_json, to_json
from cifarlab.errors import Stopped
from cifarlab.interrupts import SIGNALS
from cifarlab.studies.orders import Order, Sources, carry_out

REPEAT_SECONDS = 1.0
"""Between two requests to end; one that comes before the run listens is not heard."""


def main() -> None:
    """Carry out orders until there are no more."""
    endings = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever a library prints must not get among the endings
    orders: queue.SimpleQueue[str | None] = queue.SimpleQueue()
    working = threading.Event()

    def end_when_idle(number: int, frame: FrameType | None) -> None:
        # A run hears the first signal itself; a second one must not interrupt its saving.
        if not working.is_set():
            os._exit(0)

    for number in SIGNALS:
        signal.signal(number, end_when_idle)
    threading.Thread(target=_listen, args=(orders,), daemon=True).start()
    sources = Sources()
    with contextlib.suppress(Stopped, BrokenPipeError):
        for text in _until_the_end(orders):
            working.set()
            ending = carry_out(from_json(Order, json.loads(text)), sources)
            working.clear()
            endings.write(json.dumps(to_json(ending)) + "\n")
            endings.flush()
    os._exit(0)  # nothing is left to be written


def _until_the_end(orders: "queue.SimpleQueue[str | None]") -> Iterator[str]:
    while (text := orders.get()) is not None:
        yield text


def _listen(orders: "queue.SimpleQueue[str | None]") -> None:
    """Pass on the lines of standard input; after its end, ask this process to end until it does."""
    for line in sys.stdin:
        orders.put(line)
    orders.put(None)
    while True:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(REPEAT_SECONDS)


if __name__ == "__main__":
    main()
