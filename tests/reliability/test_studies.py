"""The process of a study and its helpers killed with SIGKILL: no run lost, none twice, equal results."""

import os
import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from reliability.study_work import (
    children,
    epochs_logged,
    kill,
    ray_workers,
    seconds_until_ended,
    started,
)
from reliability.workers import end_of, wait_for
from study_samples import made_times, results_of

Times = dict[str, tuple[int, int]]
SOAK = [pytest.mark.soak, pytest.mark.timeout(3000)]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[dict[str, object], float]]:
    """The results of the study that nobody disturbs, and the seconds that it takes."""
    folder = tmp_path_factory.mktemp("undisturbed")
    assert end_of(started(folder / "first")) == 0  # this one also starts the server
    began = time.monotonic()
    assert end_of(started(folder / "second")) == 0
    longest = time.monotonic() - began
    expected = results_of(folder / "first")
    assert len(expected) == 5 and results_of(folder / "second") == expected
    yield expected, longest


def nothing_was_made_again(before: Times, runs: Path) -> Times:
    """Runs that were finished ``before`` are as they were; the finished ones of now."""
    now = made_times(runs)
    assert before.items() <= now.items()
    return now


@pytest.mark.parametrize("kills", [3, pytest.param(300, marks=SOAK)])
def test_a_study_killed_at_random_moments(
    kills: int, undisturbed: tuple[dict[str, object], float], tmp_path: Path
) -> None:
    expected, longest = undisturbed
    draw = random.Random(kills)
    done = studies = 0
    while done < kills:
        runs, code = tmp_path / f"study{studies}", -1
        finished: Times = {}
        while code != 0:
            process = started(runs)
            process.join(draw.uniform(0, longest))
            process.kill()
            code = end_of(process)
            assert code in (0, -signal.SIGKILL)
            done += code != 0
            finished = nothing_was_made_again(finished, runs)
        assert results_of(runs) == expected
        studies += 1


@pytest.mark.parametrize(
    ("kills", "quick_start"),
    [(2, True), pytest.param(300, True, marks=SOAK), pytest.param(40, False, marks=SOAK)],
)
def test_helpers_and_the_study_itself_killed_in_turn(
    kills: int, quick_start: bool, undisturbed: tuple[dict[str, object], float], tmp_path: Path
) -> None:
    expected, _ = undisturbed
    draw = random.Random(kills)
    done = studies = 0
    while done < kills:
        runs, code = tmp_path / f"study{studies}", -1
        finished: Times = {}
        while code != 0:
            process = started(runs, jobs=2, quick_start=quick_start)
            assert process.pid is not None
            while process.is_alive() and done < kills:
                logged = epochs_logged(runs)
                wait_for(lambda: not process.is_alive() or epochs_logged(runs) != logged)  # noqa: B023
                time.sleep(draw.uniform(0, 0.2))
                helpers = children(process.pid)
                if not process.is_alive() or not helpers:
                    continue
                done += 1
                if done % 2:
                    kill(draw.choice(helpers))
                else:
                    process.kill()
                    assert seconds_until_ended(helpers) < 30
            code = end_of(process)
            finished = nothing_was_made_again(finished, runs)
        assert results_of(runs) == expected
        studies += 1


@pytest.mark.parametrize("kills", [1, pytest.param(20, marks=SOAK)])
def test_workers_of_ray_killed_in_the_middle_of_runs(
    kills: int, undisturbed: tuple[dict[str, object], float], tmp_path: Path
) -> None:
    expected, _ = undisturbed
    draw = random.Random(kills)
    done = studies = 0
    while done < kills:
        runs, code = tmp_path / f"study{studies}", -1
        finished: Times = {}
        while code != 0:
            process = started(runs, cluster="local")
            assert process.pid is not None
            while process.is_alive() and done < kills:
                logged = epochs_logged(runs)
                wait_for(lambda: not process.is_alive() or epochs_logged(runs) > logged)  # noqa: B023
                workers = ray_workers(process.pid)
                if process.is_alive() and workers:
                    done += 1
                    if done % 7:
                        kill(draw.choice(workers))
                    else:
                        process.kill()
                        assert seconds_until_ended(workers) < 60
            code = end_of(process)
            finished = nothing_was_made_again(finished, runs)
        assert results_of(runs) == expected
        studies += 1


def test_two_studies_at_once_make_every_run_once(
    undisturbed: tuple[dict[str, object], float], tmp_path: Path
) -> None:
    expected, _ = undisturbed
    both = [started(tmp_path / "runs"), started(tmp_path / "runs")]
    assert [end_of(process) for process in both] == [0, 0]
    assert results_of(tmp_path / "runs") == expected


@pytest.mark.parametrize(
    ("number", "jobs"),
    [pytest.param(signal.SIGTERM, 1, marks=pytest.mark.soak), (signal.SIGINT, 1), (signal.SIGTERM, 2)],
)
def test_a_study_that_is_asked_to_end_saves_and_goes_on(
    number: int, jobs: int, undisturbed: tuple[dict[str, object], float], tmp_path: Path
) -> None:
    expected, _ = undisturbed
    runs = tmp_path / "runs"
    process = started(runs, jobs)
    wait_for(lambda: epochs_logged(runs) > 0, process)
    assert process.pid is not None
    began = time.monotonic()
    os.kill(process.pid, number)
    assert end_of(process) == 130
    assert time.monotonic() - began < 10
    for log in runs.glob("*/metrics.jsonl"):  # all that was begun is saved, or done already
        assert [*log.parent.glob("resume/state-*"), *log.parent.glob("result.json")], log.parent.name
    assert end_of(started(runs, jobs)) == 0
    assert results_of(runs) == expected
