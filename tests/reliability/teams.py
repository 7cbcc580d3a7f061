"""Teams of real processes that train together, each with what torchrun would tell it."""

import json
import os
from collections.abc import Callable
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

import torch
from torch._C._distributed_c10d import TCPStore

from cifarlab.distributed import Group
from cifarlab.errors import Diverged, SaidElsewhere, Stopped, Unavailable, UserError
from cifarlab.launch import joined
from reliability import workers

Work = Callable[..., Any]
_STORES: list[TCPStore] = []


def start_team(size: int, folder: Path, work: Work, *arguments: object) -> list[ForkServerProcess]:
    """Let ``work(group, *arguments)`` run in ``size`` processes.

    What each returns or raises goes to a file. As with torchrun, the store in which they find each other is
    not in one of them.
    """
    folder.mkdir(parents=True, exist_ok=True)
    store = TCPStore("localhost", 0, is_master=True, wait_for_workers=False)
    _STORES.append(store)  # for as long as a member may ask it
    return [workers.start(_member, rank, size, store.port, folder, work, *arguments) for rank in range(size)]


def team(size: int, folder: Path, work: Work, *arguments: object) -> list[Any]:
    """What ``work(group, *arguments)`` returned in each process, the first first."""
    for process in start_team(size, folder, work, *arguments):
        workers.end_of(process)
    outcomes = [outcome_of(folder, rank) for rank in range(size)]
    assert all("returned" in outcome for outcome in outcomes), outcomes
    return [outcome["returned"] for outcome in outcomes]


def outcome_of(folder: Path, rank: int) -> dict[str, Any]:
    """``returned``, or ``raised`` and ``message``, or nothing where a process was killed."""
    path = folder / f"outcome-{rank}.json"
    found: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    return found


def _member(rank: int, size: int, port: int, folder: Path, work: Work, *arguments: object) -> None:
    torch.set_num_threads(1)
    os.environ |= {
        "RANK": str(rank),
        "LOCAL_RANK": str(rank),
        "WORLD_SIZE": str(size),
        "MASTER_ADDR": "localhost",
        "MASTER_PORT": str(port),
        "TORCHELASTIC_USE_AGENT_STORE": "True",
        "TORCHELASTIC_RESTART_COUNT": "0",
    }
    try:
        with joined() as group:
            assert group == Group(rank, size, rank)
            outcome = {"returned": work(group, *arguments)}
    except (UserError, Diverged, Stopped, Unavailable, SaidElsewhere) as error:
        outcome = {"raised": type(error).__name__, "message": str(error)}
    (folder / f"outcome-{rank}.json").write_text(json.dumps(outcome))
