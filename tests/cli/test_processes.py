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


@pytest.mark.soak  # tests/reliability/test_distributed.py kills processes without the command around them
def test_a_killed_process_ends_the_command_with_one_line_and_the_run_goes_on(tmp_path: Path) -> None:
    out = tmp_path / "run"
    arguments = [*TRAIN, "--out", str(out), "--recipe.epochs", "8"]
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
    assert "resumed after" in stopped.stdout and "epoch 8/8" in stopped.stdout


def by_torchrun(out: Path) -> subprocess.CompletedProcess[str]:
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    arguments = [*launcher, "-m", "cifarlab", *TRAIN, "--out", str(out), "--recipe.epochs", "1"]
    return subprocess.run(arguments, capture_output=True, text=True, check=False, timeout=250)


@pytest.mark.soak  # as torchrun starts them, teams train in tests/reliability/test_distributed.py
def test_torchrun_trains(tmp_path: Path) -> None:
    done = by_torchrun(tmp_path / "run")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("test accuracy") == 1 and (tmp_path / "run" / "report.html").is_file()


@pytest.mark.soak  # the refusal of one in a team of processes is in tests/reliability/test_distributed.py
def test_under_torchrun_what_is_wrong_is_said_once(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "thesis.txt").touch()
    done = by_torchrun(tmp_path / "run")
    assert done.returncode == 1
    assert done.stderr.count("run exists already and is no run folder") == 1


def test_what_the_processes_say_themselves_is_said_once_with_its_exit_code(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "cifarlab", *TRAIN, "--processes", "2", "--data", str(tmp_path / "absent")],
        capture_output=True,
        text=True,
        check=False,
        timeout=250,
    )
    assert done.returncode == 2
    assert done.stderr.count("there is no file or folder") == done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("variables", "code"), [({"WORLD_SIZE": "2"}, 0), ({"WORLD_SIZE": "x", "RANK": "0"}, 2)]
)
def test_a_variable_of_some_cluster_is_no_launcher(
    variables: dict[str, str], code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    out = ["--out", str(tmp_path / "run"), "--recipe.epochs", "1"]
    assert main([*TRAIN, *out]) == code


@pytest.mark.parametrize("count", ["0", "-1", "2000"])
def test_a_number_of_processes_that_cannot_be_is_refused(
    count: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*TRAIN, "--processes", count]) == 2
    assert "is not between 1 and 1024" in capsys.readouterr().err
