"""Real processes that download: killed, stopped, two at once, and disks that are full."""

import errno
import fcntl
import functools
import os
import random
import shutil
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cifarlab.data.fetch import fetch, part_of
from cifarlab.data.fetch import loop as fetch_loop
from cifarlab.data.fetch import part as fetch_part
from cifarlab.errors import UserError
from data.bad_answers import stalls
from data.bad_server import NAME, BadServer, facts, offer, serving
from data.fetch_runs import CALM
from data.fetch_runs import LARGE as CONTENT
from reliability.workers import command_line, end_of, small_files, start, wait_for

SIZE = len(CONTENT)


@pytest.fixture
def server() -> Iterator[BadServer]:
    with serving(CONTENT) as server:
        yield server


@pytest.fixture
def command(server: BadServer, tmp_path: Path) -> Callable[[], int]:
    """Runs ``cifarlab data fetch`` to its end in a process of its own."""

    def run() -> int:
        return end_of(start(command_line, *arguments(server, tmp_path)))

    return run


def arguments(server: BadServer, folder: Path) -> list[object]:
    """For ``command_line``: what it prints goes to ``folder/printed``, what it fetches to ``folder/data``."""
    prepare = functools.partial(offer, CONTENT, folder / "data")
    return [["data", "fetch", "cifar10", "--url", server.url], folder / "printed", prepare]


def printed(folder: Path, name: str) -> str:
    return (folder / "printed" / name).read_text()


def has(part: Path, size: int) -> bool:
    return part.exists() and part.stat().st_size >= size


def test_kill_and_go_on(server: BadServer, tmp_path: Path, command: Callable[[], int]) -> None:
    """Nothing that had arrived is asked for again, and the lock of a dead process holds nobody up."""
    places = sorted(random.Random(0).sample(range(1, SIZE), 5))
    part = part_of(tmp_path / "data" / NAME)
    done = 0
    for place in places:
        server.say(stalls(place - done))
        process = start(command_line, *arguments(server, tmp_path))
        wait_for(functools.partial(has, part, place), process)
        process.kill()
        assert end_of(process) == -signal.SIGKILL
        assert part.read_bytes() == CONTENT[:place]
        assert not (tmp_path / "data" / NAME).exists()
        done = place
    assert command() == 0, printed(tmp_path, "err")
    assert (tmp_path / "data" / NAME).read_bytes() == CONTENT
    assert server.sent == SIZE
    asked = [each.headers.get("range") for each in server.requests]
    assert asked == [None, *[f"bytes={place}-" for place in places]]
    lines = printed(tmp_path, "out").splitlines()
    assert lines[0].startswith(
        f"{NAME}: 300.0 kB, of which {places[-1] / 1000:.1f} kB are here already, from"
    )
    assert lines[1] == f"{tmp_path / 'data' / NAME} is here: 300,000 bytes, and its MD5 is right"
    assert printed(tmp_path, "err") == ""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
@pytest.mark.parametrize("place", [0, 70_000])
def test_stop_and_go_on(
    server: BadServer, tmp_path: Path, command: Callable[[], int], number: signal.Signals, place: int
) -> None:
    """At once, while a silent host is waited for; one line."""
    server.say(stalls(place))
    part = part_of(tmp_path / "data" / NAME)
    process = start(command_line, *arguments(server, tmp_path))
    wait_for(lambda: bool(server.requests) and has(part, place), process)
    assert process.pid is not None
    os.kill(process.pid, number)
    assert end_of(process) == 130
    complaint = printed(tmp_path, "err")
    assert complaint == (
        f"cifarlab: stopped; {place:,} of 300,000 bytes are kept in {part}; the same command goes on\n"
    )
    assert part.exists() == (place > 0)
    assert command() == 0
    assert (tmp_path / "data" / NAME).read_bytes() == CONTENT
    assert server.sent == SIZE


def test_the_second_process_waits(server: BadServer, tmp_path: Path) -> None:
    server.say(stalls(1000))
    first = start(command_line, *arguments(server, tmp_path))
    wait_for(functools.partial(has, part_of(tmp_path / "data" / NAME), 1000), first)
    others, folder, prepare = arguments(server, tmp_path)
    second = start(command_line, others, tmp_path / "second", prepare)
    out = tmp_path / "second" / "out"
    wait_for(lambda: out.exists() and "waiting for another process" in out.read_text(), second)
    assert len(server.requests) == 1
    first.kill()
    end_of(first)
    assert end_of(second) == 0
    assert (tmp_path / "data" / NAME).read_bytes() == CONTENT
    assert server.sent == SIZE
    assert folder == tmp_path / "printed"


def test_the_second_process_finds_what_the_first_fetched(server: BadServer, tmp_path: Path) -> None:
    """It waits at the lock, however long; then there is nothing left to do."""
    lock = os.open(tmp_path / f".{NAME}.lock", os.O_RDWR | os.O_CREAT)
    fcntl.flock(lock, fcntl.LOCK_EX)  # as another process would hold it
    said: list[str] = []

    def finish() -> None:
        (tmp_path / NAME).write_bytes(CONTENT)
        os.close(lock)

    first = threading.Timer(0.3, finish)

    class Waiting(fetch_loop.Silence):
        def say(self, text: str) -> None:
            said.append(text)
            if text.startswith("waiting"):
                first.start()

    fetch(facts(CONTENT), tmp_path, server.url, Waiting(), CALM)
    first.join()
    assert server.requests == []
    assert said == [
        f"waiting for another process that fetches {NAME}",
        f"{tmp_path / NAME} is there now, fetched by another process",
    ]


def too_small(folder: Path) -> None:
    """``offer``, in a process that may write no file larger than 100,000 bytes."""
    offer(CONTENT, folder)
    small_files(100_000)


def test_a_file_that_may_not_grow(server: BadServer, tmp_path: Path, command: Callable[[], int]) -> None:
    words, folder, _ = arguments(server, tmp_path)
    process = start(command_line, words, folder, functools.partial(too_small, tmp_path / "data"))
    part = part_of(tmp_path / "data" / NAME)
    assert end_of(process) == 2
    assert printed(tmp_path, "err") == (
        f"cifarlab: could not write {part}: the file would be larger than this system allows\n"
    )
    assert part.read_bytes() == CONTENT[:100_000], "what the disk took is kept"
    assert command() == 0
    assert (tmp_path / "data" / NAME).read_bytes() == CONTENT
    assert server.requests[-1].headers["range"] == "bytes=100000-"


def test_a_disk_that_fills_up(server: BadServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written = [0]

    def pwrite(descriptor: int, content: bytes, place: int) -> int:
        room = 50_001 - written[0]
        if room == 0:
            raise OSError(errno.ENOSPC, "full")
        count = os.pwrite(descriptor, content[:room], place)
        written[0] += count
        return count

    class Disk:
        def __getattr__(self, name: str) -> object:
            return pwrite if name == "pwrite" else getattr(os, name)

    with monkeypatch.context() as patch:
        patch.setattr(fetch_part, "os", Disk())
        with pytest.raises(UserError, match="the disk is full; free some space and run the command again"):
            fetch(facts(CONTENT), tmp_path, server.url, None, CALM)
    assert part_of(tmp_path / NAME).read_bytes() == CONTENT[:50_001]
    assert not (tmp_path / NAME).exists()
    fetch(facts(CONTENT), tmp_path, server.url, None, CALM)
    assert (tmp_path / NAME).read_bytes() == CONTENT


@pytest.mark.parametrize("operation", ["open", "fsync", "replace", "ftruncate"])
def test_any_operation_that_fails_is_one_line(
    server: BadServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, operation: str
) -> None:
    part_of(tmp_path / NAME).write_bytes(b"x" * (SIZE + 1))

    def fail(*arguments: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    class Disk:
        def __getattr__(self, name: str) -> object:
            return fail if name == operation else getattr(os, name)

    with monkeypatch.context() as patch:
        patch.setattr(fetch_part, "os", Disk())
        with pytest.raises(UserError, match=f"could not write .*{NAME}.*: Input/output error"):
            fetch(facts(CONTENT), tmp_path, server.url, None, CALM)
    assert not (tmp_path / NAME).exists()
    fetch(facts(CONTENT), tmp_path, server.url, None, CALM)
    assert (tmp_path / NAME).read_bytes() == CONTENT


def test_a_disk_that_is_too_small_is_said_at_once(
    server: BadServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)
    part_of(tmp_path / NAME).write_bytes(CONTENT[:1000])
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage._replace(free=SIZE - 1001))
    with pytest.raises(UserError, match="has room for 298,999 bytes, but 299,000 are missing"):
        fetch(facts(CONTENT), tmp_path, server.url, None, CALM)
    assert server.requests == []
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage._replace(free=SIZE - 1000))
    fetch(facts(CONTENT), tmp_path, server.url, None, CALM)
    assert (tmp_path / NAME).read_bytes() == CONTENT


def test_a_folder_that_cannot_be(server: BadServer, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(UserError, match="a part of this path is a file"):
        fetch(facts(CONTENT), tmp_path / "file" / "data", server.url, None, CALM)
    assert server.requests == []
