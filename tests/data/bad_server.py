"""A host of one archive that misbehaves as it is told, one connection after the other.

Connections are served in turn by one thread; what waits there waits for the other side to close, so nothing
outlives a test. All counts are of bytes of the archive, without headers.
"""

import contextlib
import hashlib
import os
import random
import signal
import socket
import threading
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from cifarlab.data.cifar import official
from cifarlab.data.cifar.official import OfficialArchive

NAME = "cifar-10-binary.tar.gz"
PATIENCE = 60.0
"""Seconds after which a socket of a test that hangs gives up."""


def content_of(size: int, seed: int = 0) -> bytes:
    """Bytes that begin like a gzip file."""
    return b"\x1f\x8b" + random.Random(seed).randbytes(size - 2)


def facts(content: bytes, data_set: str = "cifar10", kind: str = "binary") -> OfficialArchive:
    """What the publisher would say of ``content``."""
    name = {"cifar10": "cifar-10", "cifar100": "cifar-100"}[data_set] + f"-{kind}.tar.gz"
    digest = hashlib.md5(content, usedforsecurity=False).hexdigest()
    return OfficialArchive(data_set, kind, name, len(content), digest, "cifar-10-batches-bin")


def offer(content: bytes, folder: Path) -> None:
    """From now on, in this process, all official archives are ``content``, and ``folder`` is their place."""
    archive = facts(content)
    official.ARCHIVES = (archive, archive, archive, archive)
    # A shell lets what it starts in the background ignore Ctrl-C; here it is tested.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ.update(CIFARLAB_DATA=str(folder), no_proxy="*")


@dataclass
class Exchange:
    """One connection after its request was read."""

    server: "BadServer"
    connection: socket.socket
    path: str
    headers: dict[str, str]
    sent: int = 0

    @property
    def first(self) -> int:
        """The first byte that is asked for."""
        return int(self.headers.get("range", "bytes=0-").removeprefix("bytes=").removesuffix("-"))

    @property
    def span(self) -> int:
        """The first byte that a good host sends: 0 if the file is another one than the other side thinks."""
        return self.first if self.headers.get("if-range", self.server.etag) == self.server.etag else 0

    def head(self, status: str, *headers: str) -> None:
        """Send a status and headers."""
        self.connection.sendall("\r\n".join([f"HTTP/1.1 {status}", *headers, "", ""]).encode("latin-1"))

    def good_head(self) -> None:
        """What belongs before the body from ``span`` on."""
        size = len(self.server.content)
        common = (f"Content-Length: {size - self.span}", f"ETag: {self.server.etag}")
        if self.span:
            self.head("206 Partial", f"Content-Range: bytes {self.span}-{size - 1}/{size}", *common)
        else:
            self.head("200 OK", *common)

    def body(self, content: bytes) -> None:
        """Send bytes and count them."""
        self.sent += len(content)
        self.connection.sendall(content)

    def rest(self, count: int | None = None) -> bytes:
        """The next ``count`` bytes from ``span`` on, or all."""
        return self.server.content[self.span :][:count]

    def wait(self) -> None:
        """Until the other side closes."""
        self.connection.recv(1)

    def flood(self, piece: bytes) -> None:
        """Send it until the other side closes."""
        while piece:
            self.connection.sendall(piece)
        self.wait()


Behavior = Callable[[Exchange], None]


def good(exchange: Exchange) -> None:
    """As a host should be."""
    if exchange.span >= len(exchange.server.content):
        exchange.head("416 Range Not Satisfiable", "Content-Length: 0")
        return
    exchange.good_head()
    exchange.body(exchange.rest())


@dataclass
class BadServer:
    """Serves ``content`` under any path."""

    content: bytes
    script: deque[Behavior] = field(default_factory=deque)
    """What to do with the next connections; then ``after``."""
    after: Behavior = good
    etag: str = '"one"'
    requests: list[Exchange] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: socket.socket | None = None
        self._closed = False
        self._failure: Exception | None = None
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    @property
    def sent(self) -> int:
        """Bytes for all requests."""
        return sum(each.sent for each in self.requests)

    @property
    def url(self) -> str:
        """The base address."""
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}/"

    def say(self, *behaviors: Behavior) -> None:
        """Do these next."""
        self.script.extend(behaviors)

    def close(self) -> None:
        """Stop at once."""
        self._closed = True
        for each in (self._listener, self._open):
            if each is not None:
                with contextlib.suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)
        self._thread.join(PATIENCE)
        self._listener.close()
        if self._failure is not None:
            raise self._failure

    def _serve(self) -> None:
        while not self._closed:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection, contextlib.suppress(OSError):
                self._open = connection
                connection.settimeout(PATIENCE)
                try:
                    self._answer(connection)
                except (ValueError, LookupError, TypeError) as failure:
                    # A behavior with a fault: whoever waits for the server must not wait for ever.
                    self._failure = failure
                    self._listener.close()
                    return

    def _answer(self, connection: socket.socket) -> None:
        request = b""
        while b"\r\n\r\n" not in request:
            more = connection.recv(65536)
            if not more:
                return
            request += more
        first, *lines = request.decode("latin-1").split("\r\n\r\n", 1)[0].split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        exchange = Exchange(self, connection, first.split(" ")[1], headers)
        self.requests.append(exchange)
        (self.script.popleft() if self.script else self.after)(exchange)


@contextlib.contextmanager
def serving(content: bytes, *behaviors: Behavior) -> Iterator[BadServer]:
    """A server for a block."""
    server = BadServer(content, deque(behaviors))
    try:
        yield server
    finally:
        server.close()
