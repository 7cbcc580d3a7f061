"""A race that is killed loses no finished run and doubles none, at whatever moment."""

import multiprocessing
import random
import time
from multiprocessing.context import ForkProcess
from pathlib import Path
from typing import Any

import pytest

from cifarlab.errors import UserError
from cifarlab.race.record import Pair, Record, read_record
from race.fake_worker import outcome
from race.fakes import Lane, race_to_the_end
from support import Crash

PAIRS = 2


def figures(record: Record) -> list[Any]:
    """The runs without the numbers of their processes."""
    return [
        [(run.seconds, run.accuracy, run.seed) for run in (pair.ours, pair.peer)] + [pair.first]
        for pair in record.pairs
    ]


def expected(pairs: int) -> list[Any]:
    sides = ("ours", "peer")
    return [
        [(*(outcome(side, seed)[name] for name in ("seconds", "accuracy", "seed")),) for side in sides]
        + [sides[seed % 2]]
        for seed in range(pairs)
    ]


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("kind", ["write_record", "write_half", "remove_half"])
def test_the_power_goes_at_every_write(
    when: str, kind: str, lane: Lane, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For each of a race's writes: dead right before or right after it, then the same command again."""
    rival = lane.opponent()
    for number in range(1, PAIRS + 1 + (kind == "write_record")):
        here = Lane(lane.folder / str(number))
        here.folder.mkdir()
        with monkeypatch.context() as patch, pytest.raises(Crash):
            crash_at(patch, kind, number, when)
            here.race(PAIRS, against=rival)
        record = here.race(PAIRS, against=rival)
        assert figures(record) == expected(PAIRS)
        assert read_record(here.path) == record
        # What died before it was written is run again; everything else was run once.
        lost = when == "before" and not (kind == "remove_half" or (kind == "write_record" and number == 1))
        assert len(here.log) == 2 * PAIRS + lost
        assert not here.path.with_suffix(".half.json").exists()


def crash_at(patch: pytest.MonkeyPatch, kind: str, number: int, when: str) -> None:
    from cifarlab.race import conduct

    true, calls = getattr(conduct, kind), [0]

    def crashing(*arguments: Any) -> None:
        calls[0] += 1
        if calls[0] == number and when == "before":
            raise Crash
        true(*arguments)
        if calls[0] == number:
            raise Crash

    patch.setattr(conduct, kind, crashing)


@pytest.mark.filterwarnings("ignore:This process.*is multi-threaded:DeprecationWarning")
@pytest.mark.parametrize("kills", [6, pytest.param(150, marks=[pytest.mark.soak, pytest.mark.timeout(3000)])])
def test_killed_at_random_moments(kills: int, tmp_path: Path) -> None:
    began = time.monotonic()
    assert end_of(start(tmp_path / "whole")) == 0
    longest = time.monotonic() - began
    assert figures(read_record(Lane(tmp_path / "whole").path)) == expected(PAIRS)

    draw, done, races = random.Random(kills), 0, 0
    while done < kills:
        lane = Lane(tmp_path / f"race{races}")
        while True:
            process = start(lane.folder)
            process.join(draw.uniform(0, longest))
            process.kill()
            if end_of(process) == 0:
                break
            done += 1
            assert_whole(lane)
        assert figures(read_record(lane.path)) == expected(PAIRS)
        races += 1


def start(folder: Path) -> ForkProcess:
    """A race in a process of its own, with all that is loaded here."""
    process = multiprocessing.get_context("fork").Process(target=race_to_the_end, args=(folder, PAIRS))
    process.start()
    return process


def end_of(process: ForkProcess) -> int | None:
    process.join()
    return process.exitcode


def assert_whole(lane: Lane) -> None:
    """What a killed race has left can be read, and is a beginning of the right one."""
    if lane.path.exists():
        record = read_record(lane.path)
        assert figures(record) == expected(PAIRS)[: len(record.pairs)]


def test_a_cut_off_half_is_said(lane: Lane) -> None:
    lane.race(1, against=lane.opponent())
    lane.path.with_suffix(".half.json").write_text('{"side": "ours"')
    with pytest.raises(UserError, match=r"tiny\.half\.json is damaged"):
        lane.race(2, against=lane.opponent())


def test_a_pair_is_one_of_both(lane: Lane) -> None:
    (pair,) = lane.race(1, against=lane.opponent()).pairs
    assert isinstance(pair, Pair) and pair.ours.seed == pair.peer.seed
