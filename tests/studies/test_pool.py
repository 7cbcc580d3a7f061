"""The pool's dealings with its processes: played by small scripts, and once by the real thing."""

import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from cifarlab.errors import Stopped
from cifarlab.studies import pool
from cifarlab.studies.orders import Ending, Order
from cifarlab.studies.pool import Pool
from cifarlab.studies.progress_display import StudyProgress
from cifarlab.studies.work import make_runs
from study_samples import RECIPE, StudyRecorder, planned, results_of

ANSWER = 'print(json.dumps({"type": "Ending", "status": "finished", "reason": str(os.getpid())}), flush=True)'
DIE = "os.kill(os.getpid(), signal.SIGKILL)"
Played = Callable[[str], None]


@pytest.fixture
def played(monkeypatch: pytest.MonkeyPatch) -> Played:
    """Sets what a process does with an order; ``order`` is its JSON."""

    def play(script: str) -> None:
        lines = "\n ".join(["order = json.loads(text)", *script.splitlines()])
        head = "import json, os, pathlib, signal, sys, time"
        code = f"{head}\nfor text in sys.stdin:\n {lines}\n"
        monkeypatch.setattr(pool, "WORKER", ("-c", code))

    return play


def order(tmp_path: Path, title: str) -> Order:
    folder = str(tmp_path / title)
    return Order(title, "0" * 64, "tiny", RECIPE, "digits", 0, "C", folder, None, "cpu", "")


def carried_out(tmp_path: Path, titles: list[str], jobs: int = 2) -> tuple[dict[str, Ending], list[str]]:
    """The endings of orders by title, and what was said meanwhile."""
    shown = StudyRecorder()
    endings: dict[str, Ending] = {}
    with Pool(jobs, StudyProgress(shown, dict.fromkeys(titles, 1.0))) as workshop:
        for title in titles:
            workshop.submit(order(tmp_path, title))
        deadline = time.monotonic() + 60
        while len(endings) < len(titles):
            assert time.monotonic() < deadline
            endings |= {order.title: ending for order, ending in workshop.wait()}
    return endings, shown.said


def test_as_many_processes_as_jobs_take_one_order_after_another(tmp_path: Path, played: Played) -> None:
    played(f"time.sleep(0.05)\n{ANSWER}")
    endings, _ = carried_out(tmp_path, [f"run {number}" for number in range(8)], jobs=3)
    assert len(endings) == 8 and {each.status for each in endings.values()} == {"finished"}
    assert 2 <= len({each.reason for each in endings.values()}) <= 3


def test_a_killed_process_is_replaced_and_its_run_started_again(tmp_path: Path, played: Played) -> None:
    died = f"flag = pathlib.Path({str(tmp_path)!r}, 'died')"
    played(f"{died}\nif order['title'] == 'bad' and not flag.exists(): flag.touch(); {DIE}\n{ANSWER}")
    endings, said = carried_out(tmp_path, ["good", "bad", "fine"])
    assert {each.status for each in endings.values()} == {"finished"}
    assert "bad: its process was killed by SIGKILL; it is started again" in said
    assert said.count("bad: starts") == 1


def test_a_run_that_kills_its_process_every_time_fails_alone(tmp_path: Path, played: Played) -> None:
    played(f"print('no memory', file=sys.stderr, flush=True)\nif order['title'] == 'bad': {DIE}\n{ANSWER}")
    endings, said = carried_out(tmp_path, ["bad", "good", "fine"])
    assert [endings[name].status for name in ("bad", "good", "fine")] == ["failed", "finished", "finished"]
    assert endings["bad"].reason == (
        "its process was killed by SIGKILL (no memory), 4 times; take fewer jobs if memory is short"
    )
    assert sum("started again" in line for line in said) == 3


def test_a_process_that_cannot_start_is_no_endless_loop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "WORKER", ("-c", "raise ImportError('no torch')"))
    endings, _ = carried_out(tmp_path, ["run"])
    assert "ended with exit code 1 (ImportError: no torch), 4 times" in endings["run"].reason


def test_what_a_library_complains_of_is_printable(tmp_path: Path, played: Played) -> None:
    played(f"print('\\x1b[31mred', file=sys.stderr, flush=True)\n{DIE}")
    endings, _ = carried_out(tmp_path, ["run"])
    assert endings["run"].reason.isprintable()


def test_stopping_lets_every_process_end_in_its_own_time(tmp_path: Path, played: Played) -> None:
    # Each notes the end of its input, which is what a real one takes as the request to save.
    saved = "pathlib.Path(order['folder']).write_text('saved')"
    played(f"pathlib.Path(order['folder']).touch()\nsys.stdin.read()\ntime.sleep(0.3)\n{saved}")
    folders = [tmp_path / "a", tmp_path / "b"]

    def interrupt() -> None:
        while not all(folder.exists() for folder in folders):
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt, daemon=True).start()
    with pytest.raises(Stopped, match="stopped by SIGINT"):
        carried_out(tmp_path, ["a", "b"])
    assert [folder.read_text() for folder in folders] == ["saved", "saved"]


def test_each_process_has_its_share_of_the_threads(
    tmp_path: Path, played: Played, monkeypatch: pytest.MonkeyPatch
) -> None:
    played(ANSWER.replace("os.getpid()", "os.environ['OMP_NUM_THREADS']"))
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(16)))
    monkeypatch.delenv("OMP_NUM_THREADS")
    endings, _ = carried_out(tmp_path, ["run"], jobs=3)
    assert endings["run"].reason == "5"
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    endings, _ = carried_out(tmp_path, ["run"], jobs=3)
    assert endings["run"].reason == "7"


def test_runs_are_spread_over_the_gpus(
    tmp_path: Path, played: Played, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert pool._device("auto", 3) == "auto" or torch.cuda.device_count() > 1
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert [pool._device("auto", place) for place in range(4)] == ["cuda:0", "cuda:1", "cuda:0", "cuda:1"]
    assert pool._device("cpu", 1) == "cpu" and pool._device("cuda:0", 1) == "cuda:0"


def test_two_jobs_make_the_same_runs_as_one(tmp_path: Path) -> None:
    study = [planned(0), planned(1)]
    alone = make_runs(study, tmp_path / "alone")
    together = make_runs(study, tmp_path / "together", jobs=2)
    assert results_of(tmp_path / "alone") == results_of(tmp_path / "together")
    assert [each.status for each in together.values()] == ["finished", "finished"]
    names = [[each.folder.name for each in made.values() if each.folder] for made in (alone, together)]
    assert names[0] == names[1]
