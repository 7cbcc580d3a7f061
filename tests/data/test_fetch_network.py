"""Ways to a host: addresses, redirects, proxies, names, TLS, and how long a host is waited for."""

import email.utils
import http.client
import re
import socket
import ssl
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from cifarlab.data.fetch import fetch
from cifarlab.errors import UserError
from data.bad_answers import (
    drops,
    floods,
    hangs_up,
    says,
)
from data.bad_server import NAME, BadServer, Behavior, facts, serving
from data.fetch_runs import CALM, complaint
from data.fetch_runs import SMALL as CONTENT
from data.fetch_runs import fetch_small as run

SIZE = len(CONTENT)


@pytest.fixture
def server() -> Iterator[BadServer]:
    with serving(CONTENT) as server:
        yield server


def test_redirects_are_followed(server: BadServer, tmp_path: Path) -> None:
    server.say(drops(5000), says("302 Found", "Location: /else/where?x=1"), says("307 T", "Location: ../a"))
    run(server.url, tmp_path)
    assert [each.path for each in server.requests] == [f"/{NAME}", f"/{NAME}", "/else/where?x=1", "/a"]
    assert [each.headers.get("range") for each in server.requests[1:]] == ["bytes=5000-"] * 3
    assert server.sent == SIZE


def test_pauses_grow_and_begin_anew_after_progress(server: BadServer, tmp_path: Path) -> None:
    server.say(*[hangs_up] * 3, drops(100), *[hangs_up] * 5, drops(100))
    assert run(server.url, tmp_path).slept == [1, 2, 4, 1, 1, 2, 4, 8, 16, 1]


def test_a_host_that_is_away_from_the_start_is_given_up_sooner(server: BadServer, tmp_path: Path) -> None:
    server.after = hangs_up
    assert "4 attempts in a row" in complaint(server.url, tmp_path)
    server.say(drops(100))
    message = complaint(server.url, tmp_path)
    assert "9 attempts in a row" in message
    assert "100 of 20,000 bytes are kept" in message


@pytest.mark.parametrize(
    ("asked", "waited"),
    [("7", 7), ("0", 1), ("-5", 1), ("soon", 1), ("9" * 400, 1), ("Thu, 01 Jan 1970 00:00:00 GMT", 1)],
)
def test_retry_after(server: BadServer, tmp_path: Path, asked: str, waited: float) -> None:
    server.say(says("503 Busy", f"Retry-After: {asked}"))
    assert run(server.url, tmp_path).slept == [waited]


def test_retry_after_a_date(server: BadServer, tmp_path: Path) -> None:
    server.say(says("429 Slow", f"Retry-After: {email.utils.formatdate(time.time() + 110, usegmt=True)}"))
    [slept] = run(server.url, tmp_path).slept
    assert 50 <= slept <= 110


def test_nobody_there(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as reserved:
        url = f"http://127.0.0.1:{reserved.getsockname()[1]}"
    assert "it refuses the connection (4 attempts" in complaint(url, tmp_path)


def test_no_such_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*arguments: object, **options: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    message = complaint("http://nowhere.invalid/", tmp_path)
    assert "its name was not found (Name or service not known); this machine may be offline" in message


def test_tls_with_a_host_that_does_not_speak_it(server: BadServer, tmp_path: Path) -> None:
    server.after = floods(b"HTTP/1.1 400 Bad Request\r\n\r\n", b"")
    message = complaint(server.url.replace("http:", "https:"), tmp_path, replace(CALM, deadline=0.5))
    assert re.search("could not fetch https://127.0.0.1.* attempts in a row", message)


def test_a_host_with_a_wrong_certificate_is_asked_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def fail(connection: http.client.HTTPSConnection) -> None:
        asked.append(connection.host)
        error = ssl.SSLCertVerificationError(1, "[SSL: CERTIFICATE_VERIFY_FAILED]")
        error.verify_message = "self-signed certificate"
        raise error

    monkeypatch.setattr(http.client.HTTPSConnection, "connect", fail)
    message = complaint("https://archives.invalid/", tmp_path)
    assert "its certificate is not valid: self-signed certificate" in message
    assert asked == ["archives.invalid"]


def test_a_proxy_is_used(server: BadServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", server.url.replace("//", "//user:word@"))
    monkeypatch.setenv("no_proxy", "")
    run("http://archives.invalid/x/", tmp_path)
    assert server.requests[0].path == f"http://archives.invalid/x/{NAME}"
    assert server.requests[0].headers["proxy-authorization"] == "Basic dXNlcjp3b3Jk"
    assert server.requests[0].headers["host"] == "archives.invalid"


@pytest.mark.parametrize(
    ("behavior", "reason"),
    [
        (says("407 Who are you"), "Tunnel connection failed: 407 Who are you"),
        (floods(b"HTTP/1.1 200 OK\r\n", b"A: x\r\n" * 99), "it is silent, or too slow"),
        (floods(b"<html>\r\n", b""), "not HTTP"),
    ],
    ids=["407", "flood", "page"],
)
def test_a_tunnel_that_fails(
    server: BadServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, behavior: Behavior, reason: str
) -> None:
    monkeypatch.setenv("https_proxy", server.url)
    monkeypatch.setenv("no_proxy", "")
    server.after = behavior
    assert reason in complaint("https://archives.invalid/", tmp_path, replace(CALM, deadline=0.3))


def test_a_proxy_of_another_kind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "socks5://127.0.0.1:1")
    monkeypatch.setenv("no_proxy", "")
    assert "unknown url type: socks5" in complaint("http://archives.invalid/", tmp_path)


@pytest.mark.parametrize(
    "base",
    [
        "file:///etc/",
        "ftp://host/",
        "host/path",
        "",
        "http://",
        "http://:80/",
        "http://[::1/",
        "http://host:0/",
        "http://host:port/",
        "http://host/a b",
        "http://host/\r\nX: y",
        "http://h\xf6st.example/",
        "http://a..b/",
        "http://user@host/",
        "http://host/?a=b",
        "http://host/#a",
    ],
)
def test_addresses_that_are_refused(tmp_path: Path, base: str) -> None:
    with pytest.raises(UserError, match="address"):
        fetch(facts(CONTENT), tmp_path / "none", base)
    assert not (tmp_path / "none").exists()
