"""What a bad server can do instead of answering well."""

import contextlib
import socket
import struct
from collections.abc import Iterable

from data.bad_server import Behavior, Exchange, good


def drops(count: int) -> Behavior:
    """The head of the whole, then only ``count`` bytes."""

    def behave(exchange: Exchange) -> None:
        exchange.good_head()
        exchange.body(exchange.rest(count))

    return behave


def resets(count: int) -> Behavior:
    """The same, but the connection is torn down, and what is on its way is lost."""

    def behave(exchange: Exchange) -> None:
        drops(count)(exchange)
        exchange.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    return behave


def stalls(count: int) -> Behavior:
    """The same, then silence."""

    def behave(exchange: Exchange) -> None:
        drops(count)(exchange)
        exchange.wait()

    return behave


def silent(exchange: Exchange) -> None:
    """Nothing at all."""
    exchange.wait()


def hangs_up(exchange: Exchange) -> None:
    """No answer."""


def says(status: str, *headers: str, body: bytes = b"") -> Behavior:
    """A fixed answer, whatever is asked."""

    def behave(exchange: Exchange) -> None:
        exchange.head(status, *headers)
        exchange.connection.sendall(body)

    return behave


def whole(*headers: str, count: int | None = None) -> Behavior:
    """200 with the file from its first byte, whatever is asked, or the first ``count`` bytes of it."""

    def behave(exchange: Exchange) -> None:
        exchange.head("200 OK", *headers)
        exchange.body(exchange.server.content[:count])

    return behave


def wrong_bytes(exchange: Exchange) -> None:
    """The right head, the right length, and one wrong byte at the end."""
    rest = exchange.rest()
    if not rest:
        good(exchange)
        return
    exchange.good_head()
    exchange.body(rest[:-1] + bytes([rest[-1] ^ 1]))


def part_of(content_range: str) -> Behavior:
    """206 with this header and all bytes that were asked for."""

    def behave(exchange: Exchange) -> None:
        exchange.head("206 Partial", f"Content-Range: {content_range}")
        exchange.body(exchange.server.content[exchange.first :])

    return behave


def spans(count: int) -> Behavior:
    """A right part, but of ``count`` bytes only."""

    def behave(exchange: Exchange) -> None:
        first, size = exchange.first, len(exchange.server.content)
        end = min(first + count, size)
        exchange.head("206 Partial", f"Content-Range: bytes {first}-{end - 1}/{size}")
        exchange.body(exchange.server.content[first:end])

    return behave


def changes(content: bytes, etag: str, then: Behavior) -> Behavior:
    """From this connection on, it is another file."""

    def behave(exchange: Exchange) -> None:
        exchange.server.content, exchange.server.etag = content, etag
        then(exchange)

    return behave


def endless(exchange: Exchange) -> None:
    """A body of no given length that never ends."""
    exchange.head("200 OK")
    exchange.connection.sendall(b"\x1f\x8b")
    exchange.flood(b"x" * 1000)


def floods(head: bytes, piece: bytes) -> Behavior:
    """``head``, then ``piece`` without end."""

    def behave(exchange: Exchange) -> None:
        exchange.connection.sendall(head)
        exchange.flood(piece)

    return behave


def trickles(exchange: Exchange) -> None:
    """One byte after the other, for ever, but without more than a moment between them."""
    exchange.good_head()
    exchange.connection.settimeout(0.01)
    for place in range(len(exchange.rest())):
        exchange.body(exchange.rest()[place : place + 1])
        with contextlib.suppress(TimeoutError):
            if not exchange.connection.recv(1):
                return


def chunked(pieces: Iterable[tuple[bytes, bytes]]) -> Behavior:
    """Chunks, each with what it says about its own length."""

    def behave(exchange: Exchange) -> None:
        exchange.head("200 OK", "Transfer-Encoding: chunked")
        for length, piece in pieces:
            exchange.body(length + b"\r\n" + piece + b"\r\n")

    return behave


def in_chunks(content: bytes, size: int) -> list[tuple[bytes, bytes]]:
    """Good chunks, the empty last one included."""
    pieces = [content[place : place + size] for place in range(0, len(content), size)]
    return [(b"%x" % len(piece), piece) for piece in [*pieces, b""]]
