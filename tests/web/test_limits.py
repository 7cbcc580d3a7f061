"""Too much, too long, too slow and too many at once, at the sockets themselves."""

import collections
import os
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("fastapi", reason="the extra serve is not installed")

from cifarlab.web.desk import Desk
from cifarlab.web.limits import Limits
from web.served import Served, read_until_closed, served

QUICK = Limits(body_seconds=0.7, header_seconds=0.7, answer_seconds=0.7, request_seconds=2.0)
START = b"POST /api/runs/digits/predict HTTP/1.1\r\nHost: localhost\r\n"
MEBIBYTE = 2**20


def test_a_body_beyond_the_limit_is_refused_and_one_at_the_limit_is_not(shown_runs: Path) -> None:
    with served(shown_runs) as server:
        limit = server.limits.body_bytes
        assert limit == 2 * MEBIBYTE
        assert server.ask("/api/runs/digits/predict", b"x" * limit).status == 422
        answer = server.ask("/api/runs/digits/predict", b"x" * (limit + 1))
        assert answer.status == 413 and answer.value == {"detail": "the request is larger than 2 MB"}
        assert server.ask("/api/runs/digits/predict", b"x" * (10 * MEBIBYTE)).status == 413


def test_a_chunked_body_without_end_is_cut_and_its_memory_is_bounded(shown_runs: Path) -> None:
    chunk = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
    with served(shown_runs) as server, server.connect() as connection:
        server.ask("/api/runs/digits/predict", b"no picture")  # what is loaded once is loaded
        before, sent = _memory(), 0
        connection.sendall(START + b"Transfer-Encoding: chunked\r\n\r\n")
        try:
            while sent < 256 * MEBIBYTE:
                connection.sendall(chunk)
                sent += len(chunk)
        except ConnectionError:
            pass
        assert sent < 64 * MEBIBYTE, "the server went on reading"
        assert _memory() - before < 32 * MEBIBYTE


@pytest.mark.parametrize(
    "head",
    [
        b"Content-Length: 100000000000\r\n\r\n",
        b"Content-Length: 1000\r\n\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n",
    ],
)
def test_a_body_that_does_not_come_is_waited_for_a_short_time(shown_runs: Path, head: bytes) -> None:
    with served(shown_runs, limits=QUICK) as server, server.connect() as connection:
        began = time.monotonic()
        connection.sendall(START + head)
        assert read_until_closed(connection).startswith(b"HTTP/1.1 408 ")
        assert 0.5 < time.monotonic() - began < 5


def _drip(connection_bytes: bytes, server: Served) -> tuple[bytes, float]:
    """What comes back to a caller who sends a byte every 50 ms, and the seconds until it is cut."""
    with server.connect() as connection:
        connection.settimeout(0.05)
        began = time.monotonic()
        answer = b""
        for byte in connection_bytes * 200:
            try:
                connection.sendall(bytes([byte]))
                piece = connection.recv(65536)
            except TimeoutError:
                continue
            except ConnectionError:
                break
            if not piece:
                break
            answer += piece
        return answer, time.monotonic() - began


def test_headers_that_come_byte_by_byte_are_cut(shown_runs: Path) -> None:
    with served(shown_runs, limits=QUICK) as server:
        answer, seconds = _drip(b"GET / HTTP/1.1\r\nX: y\r\n", server)
        assert answer == b"" and 0.5 < seconds < 5


def test_a_body_that_comes_byte_by_byte_is_cut(shown_runs: Path) -> None:
    with served(shown_runs, limits=QUICK) as server, server.connect() as connection:
        connection.sendall(START + b"Content-Length: 1000\r\n\r\n")
        began = time.monotonic()
        for _ in range(100):
            try:
                connection.sendall(b"x")
            except ConnectionError:
                break
            time.sleep(0.05)
        assert time.monotonic() - began < 4.5


def test_a_connection_that_says_nothing_is_closed(shown_runs: Path) -> None:
    with served(shown_runs, limits=QUICK) as server, server.connect() as connection:
        began = time.monotonic()
        assert read_until_closed(connection) == b""
        assert 0.5 < time.monotonic() - began < 5


def test_the_second_request_on_a_connection_may_not_be_slow_either(shown_runs: Path) -> None:
    with served(shown_runs, limits=QUICK) as server, server.connect() as connection:
        connection.sendall(b"GET /api/runs HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert connection.recv(16).startswith(b"HTTP/1.1 200")
        connection.sendall(b"GET /api/runs HTTP/1.1\r\n")
        began = time.monotonic()
        read_until_closed(connection)
        assert time.monotonic() - began < 5


def test_who_does_not_read_the_answer_is_cut(shown_runs: Path) -> None:
    with served(shown_runs, limits=QUICK) as server, server.connect() as connection:
        request = b"GET /static/parts.css HTTP/1.1\r\nHost: localhost\r\n\r\n"
        began = time.monotonic()
        with pytest.raises(ConnectionError):
            while time.monotonic() - began < 15:  # pipelined: the answers fill all buffers
                connection.sendall(request * 50)
        assert time.monotonic() - began < 10


def test_headers_without_end_are_refused(shown_runs: Path) -> None:
    with served(shown_runs) as server, server.connect() as connection:
        connection.sendall(b"GET / HTTP/1.1\r\n")
        sent = 0
        try:
            while sent < 8 * MEBIBYTE:
                sent += connection.send(b"X: " + b"y" * 60_000 + b"\r\n")
        except ConnectionError:
            pass
        assert sent < 4 * MEBIBYTE


def test_connections_beyond_the_limit_are_turned_away(shown_runs: Path) -> None:
    with served(shown_runs, limits=Limits(connections=3)) as server:
        held = [server.connect() for _ in range(3)]
        time.sleep(0.2)
        with server.connect() as one_more:
            assert read_until_closed(one_more).startswith(b"HTTP/1.1 503 ")
        for each in held:
            each.close()
        _soon(lambda: server.ask("/api/runs").status == 200)


def _soon(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_a_hundred_clients_get_answers_or_are_asked_to_wait(
    shown_runs: Path, picture: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Eight places, 100 callers at once: each place serves, and nobody hears anything but 200 or 429."""
    original, at_once, running = Desk.predict, [0], [0]

    def slow(desk: Desk, folder: Path, content: bytes) -> object:
        running[0] += 1
        at_once[0] = max(at_once[0], running[0])
        time.sleep(0.02)
        running[0] -= 1
        return original(desk, folder, content)

    monkeypatch.setattr(Desk, "predict", slow)
    seen: collections.Counter[int] = collections.Counter()
    with served(shown_runs, limits=replace(Limits(), requests_at_once=8)) as server:
        gate = threading.Barrier(100)

        def client() -> None:
            gate.wait()
            answer = server.ask("/api/runs/digits/predict", picture)
            seen[answer.status] += 1
            if answer.status == 429:
                assert answer.headers["retry-after"] == "1" and "try again" in answer.value["detail"]

        clients = [threading.Thread(target=client) for _ in range(100)]
        for each in clients:
            each.start()
        for each in clients:
            each.join(60)
        assert sum(seen.values()) == 100 and set(seen) == {200, 429}, seen
        assert seen[200] >= 8 and at_once == [1], "one inference at a time"
        assert server.ask("/api/runs/digits/predict", picture).status == 200, "afterwards all is as before"


def test_a_long_job_is_not_waited_for_without_end_and_holds_up_nobody_else(
    shown_runs: Path, picture: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = []

    def endless(desk: Desk, folder: Path, content: bytes, count: int) -> object:
        begun.append(1)
        time.sleep(1.5)
        raise AssertionError

    monkeypatch.setattr(Desk, "nearest", endless)
    with served(shown_runs, limits=QUICK) as server:
        answers = []
        waiting = [
            threading.Thread(target=lambda: answers.append(server.ask("/api/runs/digits/nearest", picture)))
            for _ in range(2)
        ]
        for each in waiting:
            each.start()
        began = time.monotonic()
        assert server.ask("/api/runs").status == 200 and time.monotonic() - began < 0.6, (
            "no thread of torch's"
        )
        for each in waiting:
            each.join(20)
        assert [each.status for each in answers] == [503, 503]
        _soon(lambda: server.ask("/api/runs/digits/predict", picture).status == 200)
        assert len(begun) == 1, "what nobody waits for any more is not begun"


def _memory() -> int:
    """Bytes that this process has in memory."""
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
