"""Downloads that end with the right file or with none: what goes well, and what is refused."""

import os
import stat
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from cifarlab.data.fetch import part as fetch_part
from cifarlab.data.fetch.part import Part
from cifarlab.errors import Unavailable, UserError
from data.bad_answers import chunked, drops, in_chunks, says, spans, stalls, whole, wrong_bytes
from data.bad_server import NAME, BadServer, Behavior, content_of, good, serving
from data.fetch_runs import CALM, Notes, only_the_archive
from data.fetch_runs import LARGE as CONTENT
from data.fetch_runs import fetch_large as run

SIZE = len(CONTENT)
OTHER = content_of(SIZE, seed=1)


@pytest.fixture
def server() -> Iterator[BadServer]:
    with serving(CONTENT) as server:
        yield server


def test_a_good_host(server: BadServer, tmp_path: Path) -> None:
    notes = Notes()
    path = run(server, tmp_path / "new" / "folder", notes)
    assert path == tmp_path / "new" / "folder" / NAME
    assert only_the_archive(path.parent)
    assert [each.path for each in server.requests] == [f"/{NAME}"]
    assert "range" not in server.requests[0].headers
    assert server.requests[0].headers["accept-encoding"] == "identity"
    assert server.requests[0].headers["user-agent"].startswith("cifarlab/")
    assert notes.begun == [0] and notes.troubles == []
    assert notes.counts == sorted(set(notes.counts)) and notes.counts[-1] == SIZE
    assert notes.said == [f"{path} is here: {SIZE:,} bytes, and its MD5 is right"]
    assert stat.S_IMODE(path.stat().st_mode) & 0o600 == 0o600


def test_what_is_there_and_right_is_not_asked_for(server: BadServer, tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(CONTENT)
    tmp_path.chmod(0o500)
    notes = Notes()
    try:
        assert run(server, tmp_path, notes) == tmp_path / NAME
    finally:
        tmp_path.chmod(0o700)
    assert server.requests == []
    assert [path.name for path in tmp_path.iterdir()] == [NAME], "not even a lock: the folder is read-only"
    assert "is there already" in notes.said[0] and "MD5 is right" in notes.said[0]


@pytest.mark.parametrize("wrong", [b"", CONTENT[:-1], CONTENT + b"x", OTHER], ids=len)
def test_a_wrong_file_is_replaced_and_that_is_said_first(
    server: BadServer, tmp_path: Path, wrong: bytes
) -> None:
    (tmp_path / NAME).write_bytes(wrong)
    server.after = says("404 Not Found")
    notes = Notes()
    with pytest.raises(Unavailable):
        run(server, tmp_path, notes)
    assert (tmp_path / NAME).read_bytes() == wrong, "it stays until the right one is there"
    assert notes.said[0].startswith(f"{tmp_path / NAME} is not the archive that the publisher offers")
    server.after = good
    run(server, tmp_path)
    assert only_the_archive(tmp_path)


@pytest.mark.parametrize(
    "stumble",
    [
        drops(100_001),
        stalls(100_001),
        spans(100_001),
        whole("Connection: close", 'ETag: "one"', count=100_001),
    ],
    ids=["drops", "stalls", "spans", "whole"],
)
def test_no_byte_is_asked_for_twice(server: BadServer, tmp_path: Path, stumble: Behavior) -> None:
    server.say(stumble, drops(50_000))
    notes = Notes()
    run(server, tmp_path, notes, replace(CALM, deadline=2.0))
    assert only_the_archive(tmp_path)
    assert server.sent == SIZE
    asked = [each.headers.get("range") for each in server.requests]
    assert asked == [None, "bytes=100001-", "bytes=150001-"]


def test_a_wrong_file_of_the_right_size_is_fetched_twice_and_not_published(
    server: BadServer, tmp_path: Path
) -> None:
    server.after = wrong_bytes
    with pytest.raises(
        Unavailable, match=r"is not the archive that the publisher offers: its MD5 is"
    ) as caught:
        run(server, tmp_path)
    assert str(tmp_path / NAME) in str(caught.value)
    assert len(server.requests) == 2
    assert [path.name for path in tmp_path.iterdir()] == [f".{NAME}.lock"], "the wrong part is gone"
    server.say(wrong_bytes, good)
    server.requests.clear()
    run(server, tmp_path)
    assert only_the_archive(tmp_path)
    assert [each.headers.get("range") for each in server.requests] == [None, None]


def test_chunks_are_fine(server: BadServer, tmp_path: Path) -> None:
    server.say(chunked(in_chunks(CONTENT, 4096)))
    run(server, tmp_path)
    assert only_the_archive(tmp_path)


def test_memory_is_bounded(server: BadServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No piece is larger than 64 KiB, however much the host sends at once."""
    longest = []
    merge = Part.merge

    def watched(part: Part, place: int, piece: bytes, version: str) -> None:
        longest.append(len(piece))
        merge(part, place, piece, version)

    monkeypatch.setattr(Part, "merge", watched)
    server.say(chunked([(b"%x" % SIZE, CONTENT)]))
    run(server, tmp_path)
    assert only_the_archive(tmp_path)
    assert 0 < max(longest) <= 2**16


def test_everything_is_flushed_before_it_has_its_name(
    server: BadServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    names: dict[int, str] = {}

    class Disk:
        def __getattr__(self, name: str) -> object:
            return getattr(os, name)

        def open(self, path: Path, flags: int, mode: int = 0o777) -> int:
            descriptor = os.open(path, flags, mode)
            names[descriptor] = path.name
            return descriptor

        def fsync(self, descriptor: int) -> None:
            done.append(f"fsync {names[descriptor]}")

        def replace(self, source: Path, target: Path) -> None:
            done.append(f"replace {source.name} {target.name}")
            os.replace(source, target)

    monkeypatch.setattr(fetch_part, "os", Disk())
    run(server, tmp_path)
    assert done == [f"fsync {NAME}.part", f"replace {NAME}.part {NAME}", f"fsync {tmp_path.name}"]


@pytest.mark.parametrize("where", [NAME, f"{NAME}.part"])
def test_what_is_not_a_file_is_not_touched(server: BadServer, tmp_path: Path, where: str) -> None:
    (tmp_path / where).mkdir()
    with pytest.raises(UserError, match=f"{where} is not a file; remove it"):
        run(server, tmp_path)
    assert server.requests == []
