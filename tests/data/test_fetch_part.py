"""Going on with what came before: parts, the notes beside them, and hosts that have another file by now."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from cifarlab.data.fetch import part_of
from cifarlab.errors import Unavailable, UserError
from data.bad_answers import changes, drops, says, spans, whole
from data.bad_server import NAME, BadServer, content_of, serving
from data.fetch_runs import LARGE as CONTENT
from data.fetch_runs import Notes, nothing_published, only_the_archive
from data.fetch_runs import fetch_large as run

SIZE = len(CONTENT)
OTHER = content_of(SIZE, seed=1)


@pytest.fixture
def server() -> Iterator[BadServer]:
    with serving(CONTENT) as server:
        yield server


def put_part(folder: Path, content: bytes, note: object = None) -> Path:
    folder.mkdir(exist_ok=True)
    part = part_of(folder / NAME)
    part.write_bytes(content)
    if note is not None:
        part.with_name(part.name + ".json").write_text(json.dumps(note))
    return part


def test_a_part_of_an_earlier_process_is_gone_on_with(server: BadServer, tmp_path: Path) -> None:
    server.say(drops(123_456), says("404 Gone fishing"))
    with pytest.raises(Unavailable, match="123,456 of 300,000 bytes are kept, and the same command goes on"):
        run(server, tmp_path)
    part = part_of(tmp_path / NAME)
    assert part.read_bytes() == CONTENT[:123_456]
    assert nothing_published(tmp_path)
    notes = Notes()
    run(server, tmp_path, notes)
    assert only_the_archive(tmp_path)
    assert server.sent == SIZE
    assert notes.begun == [123_456]
    assert server.requests[-1].headers["range"] == "bytes=123456-"
    assert server.requests[-1].headers["if-range"] == '"one"'


def test_a_whole_part_needs_no_host(server: BadServer, tmp_path: Path) -> None:
    put_part(tmp_path, CONTENT)
    run(server, tmp_path)
    assert only_the_archive(tmp_path)
    assert server.requests == []


@pytest.mark.parametrize("size", [SIZE, SIZE + 1, 1000])
def test_a_wrong_part_costs_time_only(server: BadServer, tmp_path: Path, size: int) -> None:
    put_part(tmp_path, content_of(size, seed=5))
    run(server, tmp_path)
    assert only_the_archive(tmp_path)


@pytest.mark.parametrize(
    "note",
    [
        "no object",
        [],
        {},
        {"url": "http://elsewhere/", "version": '"one"'},
        {"url": "HERE", "version": 'evil"\r\nX-Injected: yes'},
        {"url": "HERE", "version": "é"},
        {"url": "HERE", "version": 7},
        {"url": "HERE", "version": "x" * 201},
    ],
    ids=str,
)
def test_a_note_is_not_trusted_blindly(server: BadServer, tmp_path: Path, note: object) -> None:
    if isinstance(note, dict) and note.get("url") == "HERE":
        note = note | {"url": server.url + NAME}
    put_part(tmp_path, CONTENT[:1000], note)
    run(server, tmp_path)
    assert only_the_archive(tmp_path)
    assert server.requests[0].headers["range"] == "bytes=1000-"
    assert "if-range" not in server.requests[0].headers
    assert "x-injected" not in server.requests[0].headers


def test_damaged_notes_are_as_good_as_none(server: BadServer, tmp_path: Path) -> None:
    part = put_part(tmp_path, CONTENT[:1000])
    part.with_name(part.name + ".json").write_bytes(b"\xff\0{")
    run(server, tmp_path)
    assert only_the_archive(tmp_path)
    assert server.sent == SIZE - 1000


@pytest.mark.parametrize(
    ("headers", "asked"),
    [
        (('ETag: "x"', "Last-Modified: Sat, 01 Jan 2022 00:00:00 GMT"), '"x"'),
        (('ETag: W/"x"', "Last-Modified: Sat, 01 Jan 2022 00:00:00 GMT"), "Sat, 01 Jan 2022 00:00:00 GMT"),
        (('ETag: W/"x"',), None),
        ((), None),
    ],
)
def test_what_the_host_is_asked_to_compare(
    server: BadServer, tmp_path: Path, headers: tuple[str, ...], asked: str | None
) -> None:
    server.say(whole(*headers, count=1000))
    run(server, tmp_path)
    assert server.requests[1].headers.get("if-range") == asked
    assert only_the_archive(tmp_path)


def test_a_host_without_ranges_destroys_nothing(server: BadServer, tmp_path: Path) -> None:
    """It begins at the start each time; what breaks off before the end of what is here is only compared."""
    put_part(tmp_path, CONTENT[:200_000], {"url": server.url + NAME, "version": '"old"'})
    notes = Notes()
    new = 'ETag: "new"'
    server.say(whole(new, count=150_000), whole(new, count=250_000), whole())
    run(server, tmp_path, notes)
    assert only_the_archive(tmp_path)
    assert notes.counts == sorted(notes.counts), "the count of bytes never falls"
    assert [each.headers["range"] for each in server.requests] == [
        "bytes=200000-",
        "bytes=200000-",
        "bytes=250000-",
    ]
    noted = [each.headers["if-range"] for each in server.requests]
    assert noted == ['"old"', '"old"', '"new"'], "a version is noted with the first byte that is of it alone"


def test_the_file_changes_between_two_connections(server: BadServer, tmp_path: Path) -> None:
    """First another file, then the official one: what is not of it goes, without a second download."""
    server.content, server.etag = OTHER, '"old"'
    server.say(drops(200_000), changes(CONTENT, '"new"', drops(100_000)))
    notes = Notes()
    run(server, tmp_path, notes)
    assert only_the_archive(tmp_path)
    assert [each.headers.get("if-range") for each in server.requests] == [None, '"old"', '"new"']
    assert server.requests[2].headers["range"] == "bytes=100000-"
    assert server.sent == 200_000 + SIZE
    assert not any("wrong MD5" in line for line in notes.said)


def test_another_version_in_a_part_is_refused(server: BadServer, tmp_path: Path) -> None:
    """A host that ignores If-Range, and mixes two files."""
    server.say(drops(1000), says("206 P", f"Content-Range: bytes 1000-{SIZE - 1}/{SIZE}", 'ETag: "two"'))
    notes = Notes()
    run(server, tmp_path, notes)
    assert only_the_archive(tmp_path)
    assert "another version" in notes.troubles[1][0]
    assert "range" not in server.requests[2].headers


def test_a_link_in_the_place_of_the_part_is_not_followed(server: BadServer, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    part_of(tmp_path / NAME).symlink_to(victim)
    with pytest.raises(UserError, match="is not a file"):
        run(server, tmp_path)
    assert victim.read_bytes() == b"precious"


def test_a_part_of_an_answer_need_not_say_its_version_again(server: BadServer, tmp_path: Path) -> None:
    server.say(drops(1000), spans(1000))
    run(server, tmp_path)
    assert [each.headers.get("if-range") for each in server.requests] == [None, '"one"', '"one"']
    assert server.sent == SIZE
