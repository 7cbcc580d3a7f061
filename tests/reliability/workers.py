"""Real processes that can be killed: forked from a server that has torch loaded, so they start at once."""

import multiprocessing
import os
import random
import resource
import signal
import sys
import time
from collections.abc import Callable
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

import torch

from cifarlab import run
from cifarlab.augment import HorizontalFlip, RandomCrop
from cifarlab.optim import Adam
from cifarlab.recipe import Recipe
from support import small_recipe, synthetic_source

FORK_SERVER = multiprocessing.get_context("forkserver")
FORK_SERVER.set_forkserver_preload(
    [
        "torch._dynamo",
        "cifarlab.train",
        "cifarlab.report",
        "cifarlab.cli.train",
        "cifarlab.launch",
        "cifarlab.recipes",
        "cifarlab.cli.data.fetch",
        "cifarlab.data.fetch",
        "cifarlab.studies.items",
        "cifarlab.studies.work",
        "cifarlab.studies.worker",
        "pytest",
    ]
)
PATIENCE = 240.0
"""Seconds that a test waits for a process on a busy machine before it gives up."""


def start(work: Callable[..., None], *arguments: object) -> ForkServerProcess:
    """Run ``work`` of this module in a process of its own."""
    process = FORK_SERVER.Process(target=work, args=arguments, daemon=True)
    process.start()
    return process


def end_of(process: ForkServerProcess) -> int:
    """Wait for a process; its exit code, negative for the signal that killed it."""
    process.join(PATIENCE)
    code = process.exitcode
    if code is None:
        process.kill()
        process.join()
        raise AssertionError(f"a process did not end within {PATIENCE:.0f} s")
    process.close()
    return code


def wait_for(there: Callable[[], bool], process: ForkServerProcess | None = None) -> None:
    """Return once ``there`` is true, at the latest when ``process`` has ended."""
    deadline = time.monotonic() + PATIENCE
    while not there():
        assert time.monotonic() < deadline, "nothing happens"
        assert process is None or process.is_alive(), "the process has ended too early"
        time.sleep(0.002)


def many_epochs() -> Recipe:
    """A run of about a second."""
    augment = (RandomCrop(padding=1), HorizontalFlip())
    return small_recipe(optimizer=Adam(lr=0.01), augment=augment, epochs=15)


def train_small(out: Path) -> None:
    """``many_epochs`` into ``out``, begun or gone on with."""
    from cifarlab.train import train

    torch.set_num_threads(1)
    train(many_epochs(), synthetic_source(), out, resume=True)


def hold_lock(out: Path, sentinel: Path) -> None:
    """Claim a run folder, say so, and wait to be killed."""
    with run.claimed(out):
        sentinel.touch()
        time.sleep(PATIENCE)


def command_line(arguments: list[str], printed: Path, prepare: Callable[[], None] | None = None) -> None:
    """``cifarlab`` with what it prints in the files ``out`` and ``err`` of the folder ``printed``."""
    torch.set_num_threads(1)
    printed.mkdir(parents=True, exist_ok=True)
    for number, name in ((1, "out"), (2, "err")):
        os.dup2(os.open(printed / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    if prepare is not None:
        prepare()
    from cifarlab.cli import main

    code = main(arguments)
    sys.stdout.flush()
    sys.exit(code)


def slow_evaluation(sentinel: Path) -> None:
    """From now on, an evaluation first says that it has begun, then takes a second longer."""
    from cifarlab import evaluate

    of = evaluate.logits_of

    def slow(*arguments: Any, **options: Any) -> Any:
        sentinel.touch()
        time.sleep(1)
        return of(*arguments, **options)

    evaluate.logits_of = slow


def small_files(largest: int) -> None:
    """From now on, the system refuses files of more than ``largest`` bytes."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest, largest))


def kills_until_done(work: Callable[..., None], folder: Path, longest: float, draw: random.Random) -> int:
    """Start ``work(folder)`` and kill it at a random moment, until it gets to its end; how many were hit."""
    kills = 0
    while True:
        process = start(work, folder)
        process.join(draw.uniform(0, longest))
        process.kill()
        code = end_of(process)
        if code == 0:
            return kills
        assert code == -signal.SIGKILL, f"exit code {code}"
        kills += 1
