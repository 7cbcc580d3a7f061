"""How several processes are started, find each other, and end together.

``torchrun`` starts them, on one machine or many; ``start`` does the same on this machine without its noise.
"""

import atexit
import contextlib
import datetime
import logging
import os
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import torch
import torch.distributed as dist
from torch.distributed.distributed_c10d import Store
from torch.distributed.elastic.multiprocessing.api import SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError, ProcessFailure
from torch.distributed.launcher.api import LaunchConfig, elastic_launch
from torch.distributed.rendezvous import rendezvous

from cifarlab.distributed import ALONE, Group
from cifarlab.errors import EXPECTED, SaidElsewhere, Stopped, Unavailable, UserError, first_line
from cifarlab.runtime import usable_cores

MAX_PROCESSES = 1024
_SPOKEN = "CIFARLAB_SPOKEN"
"""Names a file that the process which tells the user why it ends creates, with its exit code in it."""
_LONGEST_WAIT = datetime.timedelta(hours=6)  # for the first process, which may have pictures to decode
_GO_ON = "go on with the same command and --resume, with as many processes as you like"


def is_one_of_several() -> bool:
    """Whether torchrun, or a launcher like it, has started this process as one of several."""
    return "RANK" in os.environ and _number("WORLD_SIZE", 1) > 1


@contextlib.contextmanager
def joined() -> Iterator[Group]:
    """The group of processes that this one was started with; alone where it was started alone.

    Raises:
        Unavailable: another process has ended, so that this one cannot go on.
        SaidElsewhere: in place of an error of which another process tells the user.
    """
    if not is_one_of_several():
        yield ALONE
        return
    rank, size = _number("RANK", 0), _number("WORLD_SIZE", 1)
    backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
    try:
        store, _, _ = next(rendezvous("env://", rank, size))
    except (RuntimeError, ValueError) as error:
        raise Unavailable(
            f"the {size} processes of this run did not find each other: {first_line(error)}"
        ) from error
    try:
        with _one_voice(store):
            dist.init_process_group(backend, store=store, rank=rank, world_size=size, timeout=_LONGEST_WAIT)
            yield Group(rank, size, _number("LOCAL_RANK", rank))
            dist.barrier()
    except BaseException:
        # Not yet: the others would notice the end before this process has told the user why.
        atexit.register(_leave)
        raise
    _leave()


def _leave() -> None:
    if dist.is_initialized():
        dist.destroy_process_group()


@contextlib.contextmanager
def _one_voice(store: Store) -> Iterator[None]:
    """Of all that goes wrong in the processes of a run, the user is told once, what came first."""
    try:
        try:
            yield
        except KeyboardInterrupt as error:
            raise Stopped("stopped") from error
        except (RuntimeError, ValueError) as error:
            if _is_lost_process(error) and _is_quiet():
                raise SaidElsewhere(Unavailable.exit_code) from error  # ``start`` knows which, and why
            if _is_lost_process(error):
                raise Unavailable(
                    f"another process of this run has ended, and so does this one; {_GO_ON}"
                ) from error
            if not _is_about_the_group(error):
                raise
            raise Unavailable(
                f"the processes of this run cannot reach each other: {first_line(error)}"
            ) from error
    except EXPECTED as error:
        if _is_first_to_speak(store, error.exit_code):
            raise
        raise SaidElsewhere(error.exit_code) from error


def _is_first_to_speak(store: Store, exit_code: int) -> bool:
    if _is_quiet():
        with contextlib.suppress(FileExistsError):
            with open(os.environ[_SPOKEN], "x") as file:
                file.write(str(exit_code))
            return True
        return False
    try:
        attempt = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")
        return bool(store.add(f"spoken in attempt {attempt}", 1) == 1)
    except RuntimeError:  # the machine that kept the store is gone
        return True


def _is_quiet() -> bool:
    """Whether ``start`` has started this process, and speaks for those that are killed."""
    return _SPOKEN in os.environ


def _is_lost_process(error: Exception) -> bool:
    """gloo has no class of its own for its errors."""
    words = ("connection closed", "connection reset", "broken pipe", "connection was likely closed")
    return any(word in str(error).lower() for word in words)


def _is_about_the_group(error: Exception) -> bool:
    words = ("gloo", "nccl", "rendezvous")
    return isinstance(error, dist.DistError) or any(word in str(error).lower() for word in words)


def _number(variable: str, default: int) -> int:
    """The number that a launcher has put into the environment."""
    text = os.environ.get(variable, str(default))
    if not text.isdecimal():
        raise UserError(f"the variable {variable} is {text!r}, not a number; unset it, or use torchrun")
    return int(text)


def start(processes: int, arguments: list[str]) -> None:
    """Run ``cifarlab`` with ``arguments`` in several processes on this machine, until all have ended.

    Raises:
        UserError: ``processes`` is not a number of processes.
        Unavailable: one of them was killed, and so the others ended too.
        SaidElsewhere: one failed and told the user why.
    """
    if not 1 <= processes <= MAX_PROCESSES:
        raise UserError(f"--processes {processes} is not between 1 and {MAX_PROCESSES}")
    config = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=processes,
        run_id="cifarlab",
        rdzv_backend="c10d",
        rdzv_endpoint="localhost:0",
        max_restarts=0,
    )
    with tempfile.TemporaryDirectory() as folder, _prepared(Path(folder, "spoken"), processes):
        spoken = Path(folder, "spoken")
        try:
            elastic_launch(config, sys.executable)("-m", "cifarlab", *arguments)
        except ChildFailedError as error:
            if spoken.exists():
                raise SaidElsewhere(int(spoken.read_text() or Unavailable.exit_code)) from error
            raise Unavailable(_account(error.failures)) from error
        except SignalException as error:
            raise SaidElsewhere(Stopped.exit_code) from error


@contextlib.contextmanager
def _prepared(spoken: Path, processes: int) -> Iterator[None]:
    """What the processes find in their environment, and no account over many lines of how they end."""
    before = dict(os.environ)
    threads = max(1, usable_cores() // processes)
    os.environ[_SPOKEN] = str(spoken)
    os.environ.setdefault("OMP_NUM_THREADS", str(threads))
    logging.disable()
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)
        os.environ.clear()
        os.environ.update(before)


def _account(failures: dict[int, ProcessFailure]) -> str:
    """Which process was the first to go, where none has said so itself."""
    # Those that were ended by SIGTERM were ended by the launcher, after the first.
    killed = {rank: -each.exitcode for rank, each in failures.items() if each.exitcode < 0}
    first = min(killed, key=lambda rank: (killed[rank] == signal.SIGTERM, rank), default=None)
    if first is None:
        rank, failure = next(iter(failures.items()))
        return f"process {rank} of this run failed with exit code {failure.exitcode}; {_GO_ON}"
    return f"process {first} of this run was killed by {signal.Signals(killed[first]).name}; {_GO_ON}"
