"""A worker's process that does not do what it should: one line that says what, and nothing left running."""

import sys
import time
from pathlib import Path

import pytest

from cifarlab.errors import Unavailable, UserError
from cifarlab.race.racer import Limits, Racer, RunDied, RunFailed
from race import fake_worker

PATIENT = Limits(30, 30)


def racer(behavior: str, log: Path, *, stays: bool = False, limits: Limits = PATIENT) -> Racer:
    command = [sys.executable, "-S", "-E", fake_worker.__file__, behavior, str(log / "log"), "{}"]
    return Racer("ours", command, stays=stays, limits=limits)


@pytest.mark.parametrize("stays", [False, True])
def test_runs_in_one_process_or_in_several(stays: bool, tmp_path: Path) -> None:
    with racer("well", tmp_path, stays=stays) as ours:
        outcomes = [ours.run(seed) for seed in (3, 4, 5)]
    assert [outcome.seconds for outcome in outcomes] == [13, 14, 15]
    assert len({outcome.details["process"] for outcome in outcomes}) == (1 if stays else 3)
    assert ours.facts == {"changes": ["none"]}


@pytest.mark.parametrize(
    ("behavior", "message"),
    [
        (
            "dies at the start",
            "ours ended with exit code 1 before it was ready; the last that it said: RuntimeError: no memory"
            "\ufffd[31m",
        ),
        ("rubbish", "ours was to print one object of JSON and printed '<html>'"),
        ("endless", "ours was to print one short line and printed 'xxx"),
        ("unready", "ours was to say that it is ready and printed '{\"redy\": true}'"),
        ("is stopped", "ours was killed by SIGTERM before it gave an outcome"),
        ("talks", "ours was to print one object of JSON and printed 'step 1 of 2'"),
        ("other seed", "ours was to answer for seed 3 and printed '{"),
        ("no accuracy", "(accuracy must lie in 0 … 1, found 1.5)"),
    ],
)
def test_what_goes_wrong_is_said_in_one_line(behavior: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(Unavailable) as failure, racer(behavior, tmp_path) as ours:
        ours.run(3)
    assert message in str(failure.value)
    assert str(failure.value).isprintable() and len(str(failure.value)) < 1000


def test_a_worker_s_complaint_about_its_input_is_handed_on(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"^this is no script of a peer$"), racer("refuses", tmp_path) as ours:
        ours.run(3)


def test_a_failed_run_is_told_from_a_dead_worker(tmp_path: Path) -> None:
    with (
        pytest.raises(RunFailed, match=r"^the loss is not finite$"),
        racer("diverges at 1", tmp_path) as ours,
    ):
        ours.run(1)
    with pytest.raises(RunDied, match="SIGKILL"), racer("is killed", tmp_path) as ours:
        ours.run(1)


@pytest.mark.parametrize(
    ("behavior", "limits"), [("never ready", Limits(0.2, 30)), ("hangs", Limits(30, 0.2))]
)
def test_a_worker_that_hangs_is_ended(behavior: str, limits: Limits, tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="ours has not answered for 0 s and was ended"):  # noqa: SIM117
        with racer(behavior, tmp_path, limits=limits) as ours:
            ours.run(3)


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="this system has no /proc")
def test_nothing_is_left_of_a_worker_that_will_not_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cifarlab.race.racer.PARTING_SECONDS", 0.1)
    with pytest.raises(Unavailable), racer("is stubborn", tmp_path, limits=Limits(30, 1)) as ours:
        ours.run(3)
    worker, helper = (tmp_path / "log").read_text().splitlines()[1].split()
    for _ in range(100):
        if not (is_running(worker) or is_running(helper)):
            return
        time.sleep(0.05)
    raise AssertionError("a process is still there")


def is_running(process: str) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_command_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="could not start"):
        Racer("ours", [str(tmp_path / "nothing")], stays=True, limits=Limits(1, 1)).start()
