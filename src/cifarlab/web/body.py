"""The body of a request, read whole and within bounds before anything else is done with it."""

import contextlib
from dataclasses import replace

from starlette.types import Receive

from cifarlab.web.limits import Limits


class TooLarge(Exception):
    """The body is larger than the limits allow."""


class Gone(Exception):
    """The caller went away before the end of the body."""


async def read_body(receive: Receive, announced: str | None, limits: Limits) -> bytes:
    """The whole body; never more than ``limits.body_bytes`` of it are kept.

    Args:
        receive: of ASGI.
        announced: the header Content-Length, which may lie; None for a body whose end nobody knows.

    Raises:
        TooLarge: after the rest was thrown away, or ``limits.discarded_bytes`` of it.
        Gone: the caller has closed the connection.
    """
    kept, received = bytearray(), 0
    too_large = announced is not None and announced.isdecimal() and int(announced[:20]) > limits.body_bytes
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Gone
        chunk = message.get("body", b"")
        received += len(chunk)
        too_large = too_large or received > limits.body_bytes
        if not too_large:
            kept += chunk
        elif kept:
            kept.clear()
        ended = not message.get("more_body", False)
        if too_large and (ended or received > limits.discarded_bytes):
            raise TooLarge
        if ended:
            return bytes(kept)


async def discard_body(receive: Receive, limits: Limits) -> None:
    """Read the body and keep nothing of it, for a caller who must finish before he reads that he is refused.

    Raises:
        Gone: the caller has closed the connection.
    """
    with contextlib.suppress(TooLarge):
        await read_body(receive, None, replace(limits, body_bytes=0))


def replayed(body: bytes, receive: Receive) -> Receive:
    """A ``receive`` that gives ``body`` first, then whatever comes after it."""
    waiting = [{"type": "http.request", "body": body, "more_body": False}]

    async def next_message() -> dict[str, object]:
        return waiting.pop() if waiting else dict(await receive())

    return next_message
