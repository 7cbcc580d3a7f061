"""The one thread in which torch works: jobs one after the other, in the order in which they came."""

import asyncio
import queue
import threading
from collections.abc import Callable
from typing import Any, TypeVar

Answer = TypeVar("Answer")
_Job = tuple[Callable[[], Any], asyncio.Future[Any], asyncio.AbstractEventLoop]


class Worker:
    """Does jobs for the event loop, which is never held up.

    How many may wait is the guard's affair: each belongs to a request. The thread is a daemon, so that the
    end of the program waits for no job.
    """

    def __init__(self) -> None:
        self._jobs: queue.SimpleQueue[_Job] = queue.SimpleQueue()
        threading.Thread(target=self._work, name="torch", daemon=True).start()

    async def do(self, job: Callable[[], Answer]) -> Answer:
        """What ``job`` returns or raises. If the caller gives up before the job's turn, it is not begun."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Answer] = loop.create_future()
        self._jobs.put((job, future, loop))
        return await future

    def _work(self) -> None:
        while True:
            job, future, loop = self._jobs.get()
            if future.cancelled():
                continue
            try:
                settle, value = future.set_result, job()
            except BaseException as error:  # whatever it is, the one who asked must hear of it
                settle, value = future.set_exception, error
            try:
                loop.call_soon_threadsafe(_settle, future, settle, value)
            except RuntimeError:  # the loop has ended
                return


def _settle(future: asyncio.Future[Any], settle: Callable[[Any], None], value: Any) -> None:
    if not future.done():
        settle(value)
