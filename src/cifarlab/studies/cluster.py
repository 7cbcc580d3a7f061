"""The runs of a study on the machines of a Ray cluster, or on this one under Ray's care."""

import contextlib
import functools
import json
import logging
import os
import secrets
import socket
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import torch

from cifarlab import run
from cifarlab.config import from_json, to_json
from cifarlab.errors import UserError, first_line, printable
from cifarlab.interrupts import Interrupts
from cifarlab.studies.orders import Ending, Order, Sources, carry_out
from cifarlab.studies.progress_display import StudyProgress, epochs_done

RESTARTS = 3
"""So often Ray starts a run again whose process or machine is gone."""
LOOK_SECONDS = 1.0
OBJECT_STORE_BYTES = 100 * 2**20
"""Of a Ray of our own: only orders and endings go through it, and Ray would reserve a third of the memory."""
ANSWER_SECONDS = 10.0
LONGEST_SAVE = 60.0
"""Seconds that the runs get to save when the study is stopped."""


class RayCluster:
    """A workshop (see ``work.Workshop``): one Ray task per run, started again where its process is killed.

    Args:
        address: of a cluster (``auto``: the one that this machine belongs to), or ``local`` for a Ray of its
            own on this machine.
        jobs: runs at once per GPU, or per machine where the cluster has no GPUs. On a CPU each has its share
            of the smallest machine's cores as threads, unless OMP_NUM_THREADS says otherwise.
        runs: the folder of runs; it and the data are found under the same path on all machines.
        data: all data sets of the study, as ``open_source`` takes them.
    """

    def __init__(
        self, address: str, jobs: int, progress: StudyProgress, runs: Path, data: Sequence[str]
    ) -> None:
        try:
            import ray  # noqa: PLC0415 - an extra: loaded when asked for
        except ImportError as error:
            raise UserError("Ray is not installed; run: pip install 'cifarlab[cluster]'") from error
        self._ray: Any = ray
        self._address = address
        self._jobs = jobs
        self._progress = progress
        self._runs = runs
        self._data = list(data)
        self._orders: dict[Any, Order] = {}  # by Ray's reference to what will come of them
        self._before: dict[str, tuple[object, int]] = {}  # of runs that have not started yet, see _trace
        self._held = contextlib.ExitStack()
        self._interrupts = Interrupts()

    def submit(self, order: Order) -> None:
        """Hand the order to Ray, which finds a place for it."""
        gpus = self._gpus if order.device != "cpu" else 0
        cores = 1 if gpus else self._cores
        threads = threads_asked_for(os.environ.get("OMP_NUM_THREADS", ""), cores)
        task = self._ray.remote(num_cpus=cores, num_gpus=gpus, max_retries=RESTARTS)(_carry_out)
        self._before[order.folder] = _trace(order.folder), epochs_done(order.folder)
        self._orders[task.remote(json.dumps(to_json(order)), threads)] = order

    def wait(self) -> list[tuple[Order, Ending]]:
        """Wait until an order has ended, at the longest a second; the orders that have."""
        if self._orders:
            ended, _ = self._ray.wait(list(self._orders), num_returns=1, timeout=LOOK_SECONDS)
        else:
            ended = []
            time.sleep(LOOK_SECONDS)
        self._interrupts.check()
        for order in self._orders.values():
            trace, done = self._before.get(order.folder, (None, 0))
            if order.folder in self._before and _trace(order.folder) != trace:
                del self._before[order.folder]
                self._progress.start(order.title, order.folder, order.recipe.epochs, done)
        self._progress.look()
        return [(self._orders.pop(reference), self._ending(reference)) for reference in ended]

    def _ending(self, reference: Any) -> Ending:
        try:
            ending: Ending = from_json(Ending, json.loads(self._ray.get(reference)))
            return ending
        except self._ray.exceptions.RayError as error:
            reason = " ".join(str(error).split())[:200]
            return Ending("failed", printable(f"{type(error).__name__}: {reason}"))

    def __enter__(self) -> Self:
        with self._held:
            if not self._ray.is_initialized():
                self._held.callback(self._ray.shutdown)
                self._connect()
            self._held.enter_context(self._interrupts)
            resources = [node["Resources"] for node in self._ray.nodes() if node["Alive"]]
            self._gpus = 1 / self._jobs if any(each.get("GPU") for each in resources) else 0
            cores = min(int(each["CPU"]) for each in resources if each.get("CPU"))
            self._cores = max(1, cores // self._jobs)
            self._check_that_all_see_the_same()
            self._held = self._held.pop_all()
        return self

    def _connect(self) -> None:
        _require_answer(self._address)
        own: dict[str, Any] = {}
        if self._address == "local":
            own = {"include_dashboard": False, "object_store_memory": OBJECT_STORE_BYTES}
        try:
            with _quiet():
                self._ray.init(address=self._address, log_to_driver=False, logging_level=logging.ERROR, **own)
        except (ConnectionError, ValueError, RuntimeError) as error:
            raise UserError(
                f"no Ray cluster answers at {self._address}: {first_line(error)[:200]}; "
                "give the address of one, or --cluster local"
            ) from error

    def _check_that_all_see_the_same(self) -> None:
        here = self._ray.get_runtime_context().get_node_id()
        others = [node for node in self._ray.nodes() if node["Alive"] and node["NodeID"] != here]
        if not others:
            return
        from ray.util.scheduling_strategies import (  # noqa: PLC0415 - see above
            NodeAffinitySchedulingStrategy,
        )

        marker = self._runs.resolve() / f".seen-{secrets.token_hex(4)}"
        marker.touch()
        try:
            for node in others:
                place = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
                look = self._ray.remote(num_cpus=0, scheduling_strategy=place)(unseen)
                complaint = self._ray.get(look.remote(str(marker), self._data))
                if complaint:
                    raise UserError(
                        f"the machine {node['NodeManagerAddress']} {complaint}; runs and data must be found "
                        "under the same path on all machines of the cluster"
                    )
        finally:
            marker.unlink(missing_ok=True)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._held:
            for reference in self._orders:
                self._ray.cancel(reference)  # the same as Ctrl-C in its process
            if self._orders:
                everything = list(self._orders)
                self._ray.wait(everything, num_returns=len(everything), timeout=LONGEST_SAVE)


def threads_asked_for(text: str, cores: int) -> int:
    """What ``OMP_NUM_THREADS`` says of a process without nested threads: ``4,2`` is 4; else ``cores``."""
    first = text.partition(",")[0].strip()
    return int(first) if first.isdecimal() and int(first) > 0 else cores


def _require_answer(address: str) -> None:
    """Ask at ``HOST:PORT`` first: Ray itself would try, and complain, for minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not port.isdecimal():
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=ANSWER_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise UserError(
            f"no Ray cluster answers at {address}; give the address of one, or --cluster local"
        ) from error


def unseen(marker: str, data: Sequence[str]) -> str:
    """What this machine lacks of what a study needs, in words; empty where all is there."""
    if not Path(marker).exists():
        return f"does not see the folder {Path(marker).parent}"
    for name in data:
        try:
            _sources().open(name)
        except UserError as error:
            return f"cannot open {name} ({error})"
    return ""


def _carry_out(text: str, threads: int) -> str:
    """What Ray runs: an order and its ending as JSON."""
    torch.set_num_threads(threads)
    return json.dumps(to_json(carry_out(from_json(Order, json.loads(text)), _sources())))


@functools.cache
def _sources() -> Sources:
    """The data sets that this process has opened; Ray uses it for one run after the other."""
    return Sources()


def _trace(folder: str) -> object:
    """Changes when a run begins or is gone on with, which both write its ``metrics.jsonl`` anew."""
    try:
        found = (Path(folder) / run.METRICS).stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ino


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """No reports of use to Ray's makers, no banner."""
    settings = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"}
    added = {name: value for name, value in settings.items() if name not in os.environ}
    os.environ.update(added)
    try:
        yield
    finally:
        for name in added:
            del os.environ[name]
