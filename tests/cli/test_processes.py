"""``--processes`` and ``torchrun`` as a user types them, with real processes that are killed."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from cifarlab.cli import main

SMALL = ["--recipe.model.widths", "4", "4", "8", "--recipe.train-images", "200"]
TRAIN = ["train", "demo", "--device", "cpu", *SMALL]


def test_a_killed_process_ends_the_command_with_one_line_and_the_run_goes_on(tmp_path: Path) -> None:
    out = tmp_path / "run"
    arguments = [*TRAIN, "--out", str(out), "--recipe.epochs", "60"]
    command = subprocess.Popen(
        [sys.executable, "-m", "cifarlab", *arguments, "--processes", "2"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert command.stdout is not None
    for line in command.stdout:
        if line.startswith("epoch 1/"):
            break
    children = Path(f"/proc/{command.pid}/task/{command.pid}/children").read_text().split()
    workers = [pid for pid in children if b"train" in Path(f"/proc/{pid}/cmdline").read_bytes()]
    assert len(workers) == 2
    os.kill(int(workers[1]), signal.SIGKILL)
    _, complaint = command.communicate(timeout=120)
    assert command.returncode == 1
    assert complaint == (
        "cifarlab: process 1 of this run was killed by SIGKILL; "
        "go on with the same command and --resume, with as many processes as you like\n"
    )
    stopped = subprocess.run(
        [sys.executable, "-m", "cifarlab", *arguments, "--resume"],
        capture_output=True,
        text=True,
        check=False,
        timeout=250,
    )
    assert stopped.returncode == 0, stopped.stderr
    assert "resumed after" in stopped.stdout and "epoch 60/60" in stopped.stdout


def test_torchrun_trains_and_what_is_wrong_is_said_once(tmp_path: Path) -> None:
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    arguments = [*launcher, "-m", "cifarlab", *TRAIN, "--out", str(tmp_path / "run"), "--recipe.epochs", "1"]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False, timeout=250)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("test accuracy") == 1 and (tmp_path / "run" / "report.html").is_file()
    again = subprocess.run(arguments, capture_output=True, text=True, check=False, timeout=250)
    assert again.returncode == 1
    assert again.stderr.count("exists already; go on with --resume") == 1


def test_other_commands_do_not_run_in_several_processes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "0")
    assert main(["list", "recipes"]) == 2
    assert capsys.readouterr().err == (
        "cifarlab: only train runs in several processes; start list without torchrun\n"
    )
    monkeypatch.setenv("RANK", "1")
    assert main(["list", "recipes"]) == 2
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("count", ["0", "-1", "2000"])
def test_a_number_of_processes_that_cannot_be_is_refused(
    count: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*TRAIN, "--processes", count]) == 2
    assert "is not between 1 and 1024" in capsys.readouterr().err
