"""The server of the page in a thread of the test, and raw requests to it."""

import contextlib
import http.client
import json
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cifarlab.web.app import create_app
from cifarlab.web.limits import Limits
from cifarlab.web.origin import allowed_hosts
from cifarlab.web.server import bind, server_for
from cifarlab.web.shelf import Shelf


@dataclass(frozen=True)
class Answer:
    """An answer read whole."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def value(self) -> Any:
        """The JSON in it."""
        return json.loads(self.body)


@dataclass(frozen=True)
class Served:
    """A server on a free port of 127.0.0.1."""

    port: int
    limits: Limits

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def ask(
        self, path: str, body: bytes | None = None, *, method: str = "", headers: dict[str, str] | None = None
    ) -> Answer:
        """One request on a connection of its own; the path goes out as it is."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        with contextlib.closing(connection):
            connection.request(method or ("GET" if body is None else "POST"), path, body, headers or {})
            answer = connection.getresponse()
            return Answer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())

    def connect(self) -> socket.socket:
        """A bare connection."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=30)


@contextlib.contextmanager
def served(
    runs: Path, given: Path | None = None, default: str | None = None, limits: Limits | None = None
) -> Iterator[Served]:
    """A running server that shows the runs in ``runs``."""
    limits = limits or Limits()
    app = create_app(Shelf(given, runs, {}), default, allowed_hosts("127.0.0.1"), device="cpu", limits=limits)
    bound = bind("127.0.0.1", 0)
    server = server_for(app, limits)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]}, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield Served(bound.getsockname()[1], limits)
    finally:
        server.should_exit = True
        thread.join(20)
        bound.close()


def read_until_closed(connection: socket.socket) -> bytes:
    """All that still comes; a connection that was torn down has ended, too."""
    pieces = []
    with contextlib.suppress(ConnectionError):
        while piece := connection.recv(65536):
            pieces.append(piece)
    return b"".join(pieces)
