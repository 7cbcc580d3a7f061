"""SIGTERM and Ctrl-C to a real process leave a state to go on from, and say so on one line."""

import functools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from cifarlab import run
from cifarlab.checkpoint import load_state
from reliability.workers import command_line, end_of, slow_evaluation, start, wait_for
from support import outcome

SETTINGS = (
    "--recipe.epochs=2",
    "--recipe.batch-size=16",
    *("--recipe.model.widths", "4", "4", "8"),
    *("--seed", "3", "--device", "cpu"),
)


def arguments(out: Path) -> list[str]:
    return ["train", "demo", "--data", "digits", "--resume", "--out", str(out), *SETTINGS]


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    folder = tmp_path_factory.mktemp("uninterrupted")
    assert end_of(start(command_line, arguments(folder / "run"), folder)) == 0
    return comparable(folder / "run")


def comparable(folder: Path) -> dict[str, object]:
    """All that must be equal; the recorded command holds the folder's own name."""
    found = outcome(folder)
    del found["result"]["command"]
    return found


@pytest.mark.parametrize(
    ("where", "number"),
    [
        pytest.param("epoch", signal.SIGTERM, id="epoch-SIGTERM"),
        pytest.param("evaluation", signal.SIGINT, id="evaluation-SIGINT"),
        pytest.param("epoch", signal.SIGINT, id="epoch-SIGINT", marks=pytest.mark.soak),
        pytest.param("evaluation", signal.SIGTERM, id="evaluation-SIGTERM", marks=pytest.mark.soak),
    ],
)
def test_a_stopped_run_can_be_gone_on_with(
    where: str, number: signal.Signals, uninterrupted: dict[str, object], tmp_path: Path
) -> None:
    out, printed, sentinel = tmp_path / "run", tmp_path / "printed", tmp_path / "evaluating"
    slowly = functools.partial(slow_evaluation, sentinel) if where == "evaluation" else None
    process = start(command_line, arguments(out), printed, slowly)
    moment: Callable[[], bool] = sentinel.exists if slowly else (out / run.METRICS).exists
    wait_for(moment, process)
    assert process.pid is not None
    began = time.monotonic()
    os.kill(process.pid, number)
    assert end_of(process) == 130
    assert time.monotonic() - began < 10
    _says_how_to_go_on((printed / "err").read_text(), number, out)
    state, damaged = load_state(out / run.STATES)
    assert state is not None and not damaged
    assert state.values["epoch"] < 2
    if where == "evaluation":
        assert state.values["step"] == 76, "the epoch's steps are all done, its evaluation is not"
    assert not (out / run.RESULT).exists()

    again = tmp_path / "again"
    assert end_of(start(command_line, arguments(out), again)) == 0
    assert "resumed after" in (again / "out").read_text()
    assert (again / "err").read_text() == ""
    assert comparable(out) == uninterrupted


def test_the_command_itself(tmp_path: Path) -> None:
    """``python -m cifarlab`` as a user starts it, with no helper in between."""
    out = tmp_path / "run"
    command = [sys.executable, "-m", "cifarlab", *arguments(out)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            deadline = time.monotonic() + 120
            while not (out / run.METRICS).exists() and process.poll() is None and time.monotonic() < deadline:
                time.sleep(0.01)
            process.send_signal(signal.SIGTERM)
            _, complaint = process.communicate(timeout=10)
        finally:
            process.kill()
    assert process.returncode == 130
    _says_how_to_go_on(complaint, signal.SIGTERM, out)


def test_a_reader_that_goes_away_does_not_pass_for_a_finished_run(tmp_path: Path) -> None:
    """``cifarlab train … | head -1``: exit code 0 must mean that the run is finished."""
    out, pipe = tmp_path / "run", tmp_path / "pipe"
    os.mkfifo(pipe)
    process = start(command_line, arguments(out), tmp_path, functools.partial(_into, pipe))
    with pipe.open("rb", buffering=0):
        pass  # opened, and closed before anything is read
    code = end_of(process)
    assert (code == 0) == (out / run.RESULT).exists(), (tmp_path / "err").read_text()
    assert len((tmp_path / "err").read_text().splitlines()) <= 1


def _into(pipe: Path) -> None:
    os.dup2(os.open(pipe, os.O_WRONLY), 1)


def _says_how_to_go_on(complaint: str, number: signal.Signals, out: Path) -> None:
    assert complaint.count("\n") == 1, complaint
    assert number.name in complaint
    assert f"--resume --out {out}" in complaint
