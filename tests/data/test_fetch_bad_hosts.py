"""Hosts that lie, stall, flood and go away: one line each, and never a wrong file."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from cifarlab.data.fetch.loop import Patience
from data.bad_answers import (
    chunked,
    drops,
    endless,
    floods,
    hangs_up,
    in_chunks,
    part_of,
    resets,
    says,
    silent,
    spans,
    stalls,
    trickles,
    whole,
    wrong_bytes,
)
from data.bad_server import NAME, BadServer, Behavior, content_of, good, serving
from data.fetch_runs import CALM, HASTY, complaint
from data.fetch_runs import SMALL as CONTENT
from data.fetch_runs import fetch_small as run

SIZE = len(CONTENT)


@pytest.fixture
def server() -> Iterator[BadServer]:
    with serving(CONTENT) as server:
        yield server


PASSING: dict[str, tuple[Behavior, str]] = {
    "hangs up": (hangs_up, "the connection broke off"),
    "resets": (resets(0), "the connection"),
    "502": (says("502 Bad Gateway"), "it answers 502 Bad Gateway"),
    "503": (says("503 Busy", "Retry-After: 7"), "it answers 503 Busy"),
    "429": (says("429 Too Many"), "it answers 429 Too Many"),
    "408": (says("408 Late"), "it answers 408 Late"),
    "304": (says("304 Not Modified"), "it answers 304"),
    "a page": (whole("Content-Type: text/html; charset=utf-8"), "a web page instead"),
    "a page that does not say so": (says("200 OK", body=b"<html>" + CONTENT), "no archive"),
    "too long": (whole("Content-Length: 20001"), "offers 20,001 bytes instead of 20,000"),
    "too short": (whole("Content-Length: 19999"), "offers 19,999 bytes instead of 20,000"),
    "empty": (says("200 OK", "Content-Length: 0"), "offers 0 bytes instead"),
    "negative": (whole("Content-Length: -1"), "its Content-Length is '-1'"),
    "no number": (whole("Content-Length: many"), "its Content-Length is 'many'"),
    "huge number": (whole("Content-Length: " + "9" * 5000), "its Content-Length is '999"),
    "truncated": (whole("Content-Length: 20000", count=0), "closed too early"),
    "redirects to nowhere": (says("302 Found"), "redirects to nowhere"),
    "not HTTP": (floods(b"SSH-2.0\r\n", b"x"), "not HTTP (BadStatusLine"),
    "nothing like text": (floods(b"\x00\xff\x1b[2J\r\n", b"\xff"), "not HTTP"),
    "endless status": (floods(b"HTTP/1.1 200 ", b"x" * 999), "not HTTP (LineTooLong"),
    "endless header": (floods(b"HTTP/1.1 200 OK\r\nA: ", b"x" * 999), "not HTTP (LineTooLong"),
    "endless headers": (floods(b"HTTP/1.1 200 OK\r\n", b"A: x\r\n"), "not HTTP (HTTPException: got more"),
    "chunk without a number": (chunked([(b"what", CONTENT)]), "the connection broke off"),
    "negative chunk": (chunked([(b"-1", CONTENT)]), "a chunk of negative length"),
    "chunk too long": (chunked([(b"ffffffffffff", b"x")]), "no archive"),
    "no last chunk": (chunked([]), "the connection broke off"),
    "early last chunk": (chunked([(b"0", b"")]), "closed too early"),
    "endless chunk length": (
        floods(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1" * 999),
        "not HTTP (LineTooLong",
    ),
}


@pytest.mark.parametrize("name", PASSING)
def test_trouble_may_pass(server: BadServer, tmp_path: Path, name: str) -> None:
    behavior, reason = PASSING[name]
    server.say(behavior, behavior)
    pauses = run(server.url, tmp_path)
    assert len(pauses.reasons) == 2 and reason in pauses.reasons[0]
    assert pauses.reasons[0].isprintable()
    assert len(server.requests) == 3
    server.say(*[behavior] * 4)
    folder = tmp_path / "again"
    assert f"{reason}" in complaint(server.url, folder)
    assert [path.name for path in folder.iterdir()] == [f".{NAME}.lock"]


WAITING: dict[str, Behavior] = {
    "silent": silent,
    "stalls in the head": floods(b"HTTP/1.1 200 OK\r\nA: ", b""),
    "endless 100": floods(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "endless trailers": floods(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", b"A: no body\r\n" * 50
    ),
}


@pytest.mark.parametrize("name", WAITING)
def test_a_silent_host_is_left_at_the_deadline(server: BadServer, tmp_path: Path, name: str) -> None:
    server.after = WAITING[name]
    assert "it is silent, or too slow" in complaint(server.url, tmp_path, HASTY)
    assert len(server.requests) == 4


def test_a_trickle_is_no_download(server: BadServer, tmp_path: Path) -> None:
    """A byte now and then would keep any timeout for single packets away for ever."""
    server.after = trickles
    patience = Patience(deadline=0.1, first_pauses=(0, 0), pauses=(0, 0))
    assert "it is silent, or too slow (3 attempts" in complaint(server.url, tmp_path, patience)
    assert len(server.requests) == 3
    assert server.sent < 1024 * 3


def test_an_endless_body_is_cut_off(server: BadServer, tmp_path: Path) -> None:
    server.after = endless
    assert "its MD5 is" in complaint(server.url, tmp_path)
    assert len(server.requests) == 2


def test_of_two_lengths_the_chunks_count(server: BadServer, tmp_path: Path) -> None:
    """RFC 9112, section 6.3."""
    body = b"%x\r\n%b\r\n0\r\n\r\n" % (SIZE, CONTENT)
    server.say(says("200 OK", "Transfer-Encoding: chunked", "Content-Length: 5", body=body))
    assert run(server.url, tmp_path).reasons == []


def test_nothing_behind_the_end_is_read(server: BadServer, tmp_path: Path) -> None:
    server.say(says("200 OK", body=CONTENT + b"more" * 1000))
    assert run(server.url, tmp_path).reasons == []
    assert len(server.requests) == 1


FINAL: dict[str, tuple[Behavior, str]] = {
    "404": (says("404 Not Found"), "it answers 404 Not Found"),
    "403": (says("403 \x1b[31mNo\x07"), "it answers 403 "),
    "long": (says("410 " + "x" * 5000), "it answers 410 xxx"),
    "file": (
        says("302 F", "Location: file:///etc/passwd"),
        "'file:///etc/passwd': only http:// and https://",
    ),
    "ftp": (says("301 F", "Location: ftp://127.0.0.1/x"), "only http:// and https:// will do"),
    "no host": (says("307 F", "Location: https:///x"), "it names no host"),
    "port": (says("308 F", "Location: http://a:99999999/"), "which is no address"),
    "bracket": (says("302 F", "Location: http://[::1/"), "which is no address"),
    "label": (says("302 F", "Location: http://" + "a" * 70 + "/"), "which is no address"),
    "space": (says("302 F", "Location: http://a b/"), "write other letters as %XX"),
    "circle": (says("302 F", "Location: /round"), "it redirects more than 5 times"),
    "Retry-After": (says("503 Busy", "Retry-After: 7200"), "asks to be left alone for 120 minutes"),
}


@pytest.mark.parametrize("name", FINAL)
def test_what_will_not_pass_is_asked_once(server: BadServer, tmp_path: Path, name: str) -> None:
    server.after, reason = FINAL[name]
    assert reason in complaint(server.url, tmp_path)
    assert len(server.requests) == (6 if name == "circle" else 1)


LATER: dict[str, Behavior] = {
    "first byte": part_of(f"bytes 4999-{SIZE - 1}/{SIZE}"),
    "another size": part_of(f"bytes 5000-{SIZE - 1}/{SIZE + 1}"),
    "beyond the end": part_of(f"bytes 5000-{SIZE}/{SIZE + 1}"),
    "behind the end": part_of(f"bytes 5000-{SIZE}/*"),
    "backwards": part_of("bytes 5000-4999/*"),
    "no span": part_of("bytes */*"),
    "nonsense": part_of("\x1b]0;x\x07"),
    "huge": part_of(f"bytes 5000-{'9' * 5000}/*"),
    "no Content-Range": says("206 Partial", "Content-Type: multipart/byteranges; boundary=x"),
    "416": says("416 No", f"Content-Range: bytes */{SIZE - 15_000}"),
}


@pytest.mark.parametrize("name", LATER)
def test_bad_parts_are_refused_and_the_whole_is_asked_for(
    server: BadServer, tmp_path: Path, name: str
) -> None:
    server.say(drops(5000), LATER[name])
    pauses = run(server.url, tmp_path)
    assert [each.headers.get("range") for each in server.requests] == [None, "bytes=5000-", None]
    assert len(pauses.reasons) == 2


def test_a_part_of_unknown_size_is_taken(server: BadServer, tmp_path: Path) -> None:
    server.say(drops(5000), part_of(f"bytes 5000-{SIZE - 1}/*"))
    run(server.url, tmp_path)
    assert len(server.requests) == 2


def test_a_part_with_the_wrong_length_is_refused(server: BadServer, tmp_path: Path) -> None:
    head = (f"Content-Range: bytes 5000-{SIZE - 1}/{SIZE}", "Content-Length: 10")
    server.say(drops(5000), says("206 Partial", *head))
    pauses = run(server.url, tmp_path)
    assert "offers 10 bytes instead of 15,000" in pauses.reasons[1]


def test_wrong_bytes_in_a_part_begin_again_once(server: BadServer, tmp_path: Path) -> None:
    server.say(drops(5000), wrong_bytes)
    run(server.url, tmp_path)
    assert [each.headers.get("range") for each in server.requests] == [None, "bytes=5000-", None]


def test_ever_another_file_is_not_progress(server: BadServer, tmp_path: Path) -> None:
    """Each time the part is cut and grows again; that must end."""

    def another(exchange: object) -> None:
        server.content, server.etag = content_of(SIZE, len(server.requests)), f'"{len(server.requests)}"'
        drops(5000)(server.requests[-1])

    server.after = another
    assert "9 attempts in a row brought nothing" in complaint(server.url, tmp_path)
    assert len(server.requests) == 10


def test_too_little_is_not_progress_but_adds_up(server: BadServer, tmp_path: Path) -> None:
    patience = replace(CALM, enough=1000, first_pauses=(0, 0), pauses=(0, 0))
    server.after = spans(400)
    run(server.url, tmp_path, patience)
    assert len(server.requests) == SIZE / 400
    server.after = good
    assert run(server.url, tmp_path / "at once", replace(CALM, enough=2 * SIZE)).reasons == []
    server.after = spans(300)
    assert "it sends next to nothing (3 attempts" in complaint(server.url, tmp_path / "again", patience)


def test_a_stall_is_left_and_gone_on_with(server: BadServer, tmp_path: Path) -> None:
    server.say(stalls(9000), stalls(4000))
    pauses = run(server.url, tmp_path, replace(CALM, deadline=1.0))
    assert pauses.reasons == ["it is silent, or too slow"] * 2
    assert server.sent == SIZE


def test_chunks_that_break_off_are_kept(server: BadServer, tmp_path: Path) -> None:
    pieces = in_chunks(CONTENT, 1000)
    server.say(chunked([*pieces[:5], (b"3e8", b"short")]), good)
    run(server.url, tmp_path)
    assert server.requests[1].headers["range"].startswith("bytes=50")
