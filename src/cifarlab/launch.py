"""How several processes are started, find each other, and end together.

``torchrun`` starts them, on one machine or many; ``start`` does the same on this machine without its noise.
"""

import contextlib
import logging
import os
import signal
import sys
from collections.abc import Iterator

import torch
import torch.distributed as dist
from torch.distributed.distributed_c10d import Store
from torch.distributed.elastic.multiprocessing.api import SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.launcher.api import LaunchConfig, elastic_launch
from torch.distributed.rendezvous import rendezvous

from cifarlab.distributed import ALONE, Group
from cifarlab.errors import EXPECTED, SaidElsewhere, Stopped, Unavailable, UserError

MAX_PROCESSES = 1024
_RUN_ID = "cifarlab"
_GO_ON = "go on with the same command and --resume, with as many processes as you like"


def is_one_of_several() -> bool:
    """Whether torchrun, or a launcher like it, has started this process as one of several."""
    return int(os.environ.get("WORLD_SIZE", "1")) > 1


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
    rank, size = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
    try:
        store, _, _ = next(rendezvous("env://", rank, size))
        dist.init_process_group(backend, store=store, rank=rank, world_size=size)
    except (RuntimeError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise Unavailable(f"the {size} processes of this run did not find each other: {reason}") from error
    try:
        with _one_voice(store):
            yield Group(rank, size, int(os.environ.get("LOCAL_RANK", rank)))
            dist.barrier()
    finally:
        dist.destroy_process_group()


@contextlib.contextmanager
def _one_voice(store: Store) -> Iterator[None]:
    """Of all that goes wrong in the processes of a run, the user is told once, what came first."""
    try:
        try:
            yield
        except RuntimeError as error:
            if not _is_lost_process(error):
                raise
            lost = Unavailable(f"another process of this run has ended, and so does this one; {_GO_ON}")
            if os.environ.get("TORCHELASTIC_RUN_ID") == _RUN_ID:
                raise SaidElsewhere(lost.exit_code) from error  # ``start`` knows which process, and why
            raise lost from error
    except EXPECTED as error:
        if _is_first_to_speak(store):
            raise
        raise SaidElsewhere(error.exit_code) from error


def _is_first_to_speak(store: Store) -> bool:
    try:
        attempt = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")
        return bool(store.add(f"spoken in attempt {attempt}", 1) == 1)
    except RuntimeError:  # the machine that kept the store is gone
        return True


def _is_lost_process(error: RuntimeError) -> bool:
    """gloo has no class of its own for its errors."""
    words = ("gloo", "connection closed", "connection reset", "broken pipe", "nccl")
    return isinstance(error, dist.DistError) or any(word in str(error).lower() for word in words)


def start(processes: int, arguments: list[str]) -> None:
    """Run ``cifarlab`` with ``arguments`` in several processes on this machine, until all have ended.

    Raises:
        UserError: ``processes`` is not a number of processes.
        Unavailable: one of them was killed, and so the others ended too.
        SaidElsewhere: one failed and told the user why.
    """
    if not 1 <= processes <= MAX_PROCESSES:
        raise UserError(f"--processes {processes} is not between 1 and {MAX_PROCESSES}")
    threads = max(1, (os.cpu_count() or 1) // processes)
    os.environ.setdefault("OMP_NUM_THREADS", str(threads))
    config = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=processes,
        run_id=_RUN_ID,
        rdzv_backend="c10d",
        rdzv_endpoint="localhost:0",
        max_restarts=0,
    )
    logging.disable()  # the launcher's own account of what happened, over many lines
    try:
        elastic_launch(config, sys.executable)("-m", "cifarlab", *arguments)
    except ChildFailedError as error:
        rank, failure = error.get_first_failure()
        if failure.exitcode < 0:
            name = signal.Signals(-failure.exitcode).name
            raise Unavailable(f"process {rank} of this run was killed by {name}; {_GO_ON}") from error
        raise SaidElsewhere(failure.exitcode) from error
    except SignalException as error:
        raise SaidElsewhere(Stopped.exit_code) from error
    finally:
        logging.disable(logging.NOTSET)
