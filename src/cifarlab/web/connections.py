"""A time limit for every stage of a connection.

uvicorn closes a connection that idles after an answer, but waits without end for a first request, for the
rest of a half-sent header, and for a caller that does not take its answer. Here one timer runs per
connection. It starts anew when the connection opens, when a request's headers are complete, and when its
answer is; sending a byte now and then does not move it. When it runs out the connection is dropped.
"""

import asyncio
import json

from uvicorn.protocols.http.h11_impl import H11Protocol

from cifarlab.web.limits import Limits


def protocol_within(limits: Limits) -> type[asyncio.Protocol]:
    """uvicorn's HTTP/1.1 with the limits of connections; for its setting ``http``."""

    class TimedConnection(H11Protocol):
        _timer: asyncio.TimerHandle | None = None

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            self._allow(limits.header_seconds)
            if len(self.connections) > limits.connections:
                transport.write(_too_many())
                transport.close()

        def data_received(self, data: bytes) -> None:
            before = self.cycle
            super().data_received(data)
            self._notice_request(before)

        def on_response_complete(self) -> None:
            before = self.cycle
            self._allow(limits.header_seconds)
            super().on_response_complete()
            self._notice_request(before)  # one that was sent before the answer to the last

        def connection_lost(self, exc: Exception | None) -> None:
            super().connection_lost(exc)
            if self._timer is not None:
                self._timer.cancel()

        def _notice_request(self, before: object) -> None:
            if self.cycle is not before:
                self._allow(limits.request_seconds)

        def _allow(self, seconds: float) -> None:
            if self._timer is not None:
                self._timer.cancel()
            # abort, not close: a caller that does not read would keep a closed one open.
            self._timer = self.loop.call_later(seconds, self.transport.abort)

    return TimedConnection


def _too_many() -> bytes:
    content = json.dumps({"detail": "too many connections; try again in a moment"})
    return (
        "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nRetry-After: 1\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n{content}"
    ).encode()
