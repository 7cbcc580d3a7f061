"""Processes killed with SIGKILL, and two processes on one run folder."""

import random
import shutil
import signal
import time
from pathlib import Path

import pytest

from cifarlab import run
from cifarlab.errors import UserError
from cifarlab.train import train
from reliability.workers import end_of, hold_lock, kills_until_done, many_epochs, start, train_small, wait_for
from support import contents, outcome, synthetic_source


@pytest.mark.parametrize("kills", [8, pytest.param(300, marks=[pytest.mark.soak, pytest.mark.timeout(3000)])])
def test_killed_at_random_moments(kills: int, tmp_path: Path) -> None:
    whole = tmp_path / "whole"
    end_of(start(train_small, whole))  # the first one also starts the server
    expected = outcome(whole)
    shutil.rmtree(whole)
    began = time.monotonic()
    assert end_of(start(train_small, whole)) == 0
    longest = time.monotonic() - began
    assert outcome(whole) == expected

    draw = random.Random(kills)
    done = runs = resumed = 0
    while done < kills:
        folder = tmp_path / f"run{runs}"
        hit = kills_until_done(train_small, folder, longest, draw)
        assert outcome(folder) == expected
        done, runs, resumed = done + hit, runs + 1, resumed + (hit > 0)
        shutil.rmtree(folder)
    assert resumed > 0


def test_a_second_process_is_refused(tmp_path: Path) -> None:
    folder, sentinel = tmp_path / "run", tmp_path / "held"
    holder = start(hold_lock, folder, sentinel)
    wait_for(sentinel.exists, holder)
    before = contents(folder)
    with pytest.raises(
        UserError, match=r"another process works in .*run; wait for it, or stop it"
    ) as refusal:
        train(many_epochs(), synthetic_source(), folder, resume=True)
    assert "\n" not in str(refusal.value)
    assert contents(folder) == before
    holder.kill()
    assert end_of(holder) == -signal.SIGKILL


def test_the_lock_of_a_killed_process_is_free(tmp_path: Path) -> None:
    folder, sentinel = tmp_path / "run", tmp_path / "held"
    holder = start(hold_lock, folder, sentinel)
    wait_for(sentinel.exists, holder)
    holder.kill()
    assert end_of(holder) == -signal.SIGKILL
    with run.claimed(folder):
        pass


def test_the_lock_is_free_after_an_error(tmp_path: Path) -> None:
    for _ in range(2):
        with pytest.raises(RuntimeError, match="in between"), run.claimed(tmp_path):
            raise RuntimeError("in between")


def test_an_error_under_the_lock_is_not_called_one_of_the_lock(tmp_path: Path) -> None:
    with pytest.raises(BrokenPipeError), run.claimed(tmp_path):
        raise BrokenPipeError(32, "Broken pipe")
