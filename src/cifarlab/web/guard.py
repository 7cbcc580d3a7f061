"""What stands in front of the application: who may ask, how much, how long, and how many at once."""

import asyncio
import json

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cifarlab.web.body import Gone, TooLarge, discard_body, read_body, replayed
from cifarlab.web.headers import with_safety
from cifarlab.web.limits import Limits
from cifarlab.web.origin import AllowedHosts, refusal

CLOSE = {"connection": "close"}
AGAIN = {"retry-after": "1"}


class Guard:
    """An ASGI application around another one.

    A request is read whole before the application hears of it, so neither a body without end nor a slow
    caller can hold anything but one of ``limits.requests_at_once`` places, and that for seconds.
    """

    def __init__(self, app: ASGIApp, hosts: AllowedHosts, limits: Limits) -> None:
        self._app = app
        self._hosts = hosts
        self._limits = limits
        self._present = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; what is no request (the start and the end of the server) is passed on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        full = self._present >= self._limits.requests_at_once
        self._present += not full
        try:
            await self._within_limits(scope, receive, send, full)
        finally:
            self._present -= not full

    async def _within_limits(self, scope: Scope, receive: Receive, send: Send, full: bool) -> None:
        limits, body = self._limits, b""
        fields = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]]
        refused = refusal(scope["method"], scope["path"], fields, self._hosts)
        try:
            async with asyncio.timeout(limits.body_seconds):
                if refused or full:
                    await discard_body(receive, limits)
                else:
                    body = await read_body(receive, dict(fields).get("content-length"), limits)
        except Gone:
            return
        except TimeoutError:
            await _say(send, 408, "the request took too long to arrive", CLOSE)
        except TooLarge:
            await _say(send, 413, f"the request is larger than {limits.body_bytes / 2**20:g} MB", CLOSE)
        else:
            if refused:
                await _say(send, 403, refused, {})
            elif full:
                await _say(send, 429, "too many requests at once; try again in a moment", AGAIN)
            else:
                await self._answer(scope, replayed(body, receive), send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = False

        async def send_safely(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                deadline.reschedule(None)  # from here on the connection has a time limit of its own
                message = {**message, "headers": with_safety(list(message.get("headers", [])))}
            await send(message)

        try:
            async with asyncio.timeout(self._limits.answer_seconds) as deadline:
                await self._app(scope, receive, send_safely)
        except TimeoutError:
            if started:
                raise
            await _say(send, 503, "this takes too long just now; try again in a moment", AGAIN)


async def _say(send: Send, status: int, detail: str, headers: dict[str, str]) -> None:
    content = json.dumps({"detail": detail}).encode()
    described = {
        "content-type": "application/json",
        "content-length": str(len(content)),
        **headers,
    }
    raw = with_safety([(name.encode(), value.encode()) for name, value in described.items()])
    await send({"type": "http.response.start", "status": status, "headers": raw})
    await send({"type": "http.response.body", "body": content})
