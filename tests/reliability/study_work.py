"""A study in a process of its own, the processes that it starts, and what may be killed of them."""

import contextlib
import os
import signal
import sys
import time
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import IO, Any

import torch

from cifarlab import run
from cifarlab.studies import pool, worker
from reliability.workers import PATIENCE, start


class Forked:
    """A worker of the pool that starts at once, since it is forked from a process that has torch loaded."""

    returncode = 0

    def __init__(self, command: list[str], *, stderr: IO[bytes], **options: Any) -> None:
        orders, self_orders = os.pipe()
        self_endings, endings = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            os.setsid()
            for here, number in ((orders, 0), (endings, 1), (stderr.fileno(), 2)):
                os.dup2(here, number)
            os.closerange(3, 1024)
            sys.stdin = open(0)  # noqa: SIM115 - for as long as the process lives
            worker.main()
        os.close(orders)
        os.close(endings)
        self.stdin = os.fdopen(self_orders, "wb", buffering=0)
        self.stdout = os.fdopen(self_endings, "rb", buffering=0)

    def wait(self, timeout: float = PATIENCE) -> None:
        deadline = time.monotonic() + timeout
        while True:
            ended, status = os.waitpid(self.pid, os.WNOHANG)
            if ended:
                self.returncode = os.waitstatus_to_exitcode(status)
                return
            assert time.monotonic() < deadline
            time.sleep(0.005)


def make_study(runs: Path, jobs: int = 1, quick_start: bool = True, cluster: str | None = None) -> None:
    """``small_study`` into ``runs``, begun or gone on with; exit code 1 where a run has failed."""
    from cifarlab.errors import Stopped
    from cifarlab.studies.work import make_runs
    from study_samples import small_study

    torch.set_num_threads(1)
    if quick_start and cluster is None:
        pool.subprocess.Popen = Forked  # type: ignore[attr-defined]
    try:
        outcomes = make_runs(small_study(epochs=4), runs, jobs=jobs, cluster=cluster, device="cpu")
    except Stopped:
        sys.exit(Stopped.exit_code)
    sys.exit(any(each.status != "finished" for each in outcomes.values()))


def started(
    runs: Path, jobs: int = 1, quick_start: bool = True, cluster: str | None = None
) -> ForkServerProcess:
    """``make_study`` in a process that can be killed."""
    return start(make_study, runs, jobs, quick_start, cluster)


def children(process: int) -> list[int]:
    """The processes that ``process`` has started and that have not ended."""
    found = []
    with contextlib.suppress(OSError):
        for thread in Path(f"/proc/{process}/task").iterdir():
            found += [int(number) for number in (thread / "children").read_text().split()]
    return found


def ray_workers(process: int) -> list[int]:
    """The processes that make runs under a Ray which ``process`` has started."""
    found, waiting = [], children(process)
    while waiting:
        each = waiting.pop()
        waiting += children(each)
        with contextlib.suppress(OSError):
            if b"ray::_carry_out" in Path(f"/proc/{each}/cmdline").read_bytes():
                found.append(each)
    return found


def is_running(process: int) -> bool:
    """Whether the process is there and no zombie."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def kill(process: int) -> None:
    """SIGKILL, unless the process has ended already."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(process, signal.SIGKILL)


def seconds_until_ended(processes: list[int]) -> float:
    """Wait until all have ended, and how long that took."""
    began = time.monotonic()
    while any(map(is_running, processes)):
        assert time.monotonic() - began < PATIENCE, "processes without a study go on"
        time.sleep(0.01)
    return time.monotonic() - began


def epochs_logged(runs: Path) -> int:
    """Epochs of all unfinished runs together."""
    logs = (path for path in runs.glob(f"*/{run.METRICS}") if not (path.parent / run.RESULT).exists())
    count = 0
    for path in logs:
        with contextlib.suppress(OSError):
            count += path.read_text().count("\n")
    return count
