"""A connection to a host of archives that ends at a deadline and fails in plain words.

The standard library speaks HTTP, TLS and to proxies (``http_proxy``, ``https_proxy``, ``no_proxy``). Here is
what it does not do: a deadline for a whole step instead of a timeout for each packet, which headers without
end would never meet, and one kind of error for whatever a network, a proxy or a broken server does.
"""

import contextlib
import http.client
import io
import socket
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from typing import Any, cast

import cifarlab
from cifarlab.errors import printable

_LONGEST_REASON = 200


class Trouble(Exception):
    """This attempt failed, another may not. ``pause``: seconds for which the host asks to be left alone."""

    def __init__(self, reason: str, pause: float = 0.0) -> None:
        super().__init__(_short(reason))
        self.pause = pause


class BadRange(Exception):
    """The host cannot go on in the middle of the file; the whole file may be asked for instead."""

    def __init__(self, reason: str) -> None:
        super().__init__(_short(reason))


class Refusal(Exception):
    """The host will not give this file, however often it is asked."""

    def __init__(self, reason: str) -> None:
        super().__init__(_short(reason))


class Response(http.client.HTTPResponse):
    """The standard library's, with a deadline for all headers together, then one for each step."""

    def __init__(
        self, sock: socket.socket, debuglevel: int = 0, method: str | None = None, url: str | None = None
    ) -> None:
        super().__init__(sock, debuglevel, method, url)
        reader: Any = self.fp
        self._clocked = _Clocked(reader.detach(), sock)
        self.fp = io.BufferedReader(self._clocked)

    def renew(self) -> None:
        """Give the host its full time again."""
        self._clocked.renew()

    def next_piece(self, largest: int) -> bytes:
        """At most ``largest`` bytes of the body; none at its end.

        Raises:
            Trouble: the connection failed, or the host broke the protocol.
        """
        with _as_trouble():
            # read1 hands over what is there, so that a stall costs no byte that has arrived.
            piece = self.read1(largest)
        # http.client takes "-1" for the length of a chunk, and hands over what lies behind it.
        if isinstance(self.chunk_left, int) and self.chunk_left < 0:
            raise Trouble("it sends a chunk of negative length")
        return piece


def open_once(url: str, headers: Mapping[str, str], seconds: float) -> Response:
    """Ask for ``url``, an http or https address; an answer of any status is an answer, also a redirect.

    Args:
        seconds: the time to connect, and again for everything up to the end of the headers.

    Raises:
        Trouble: there was no answer.
        Refusal: the host is not who it says.
    """
    opener = urllib.request.OpenerDirector()
    opener.addheaders = [("User-Agent", f"cifarlab/{cifarlab.__version__}"), ("Accept-Encoding", "identity")]
    for handler in (urllib.request.ProxyHandler(), _Http(), _Https(), urllib.request.UnknownHandler()):
        opener.add_handler(handler)
    request = urllib.request.Request(url, headers=dict(headers))
    with _as_trouble():
        return cast(Response, opener.open(request, timeout=seconds))


@contextlib.contextmanager
def _as_trouble() -> Iterator[None]:
    """What the network, TLS and http.client raise, in the words of someone who waits for a file."""
    try:
        yield
    except urllib.error.URLError as error:
        cause = error.reason if isinstance(error.reason, Exception) else error
        if isinstance(cause, ssl.SSLCertVerificationError):
            raise Refusal(f"its certificate is not valid: {cause.verify_message}") from error
        raise Trouble(_words(cause)) from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise Trouble(_words(error)) from error


def _words(error: Exception) -> str:
    match error:
        case TimeoutError():
            return "it is silent, or too slow"
        case socket.gaierror():
            return f"its name was not found ({error.strerror}); this machine may be offline"
        case ConnectionRefusedError():
            return "it refuses the connection"
        case ConnectionError() | http.client.IncompleteRead():
            return "the connection broke off"
        case OSError():
            return error.strerror or str(error)
    return f"its answer is not HTTP ({type(error).__name__}: {error})"


def _short(reason: str) -> str:
    """A host may put anything into a reason; a line of it is enough."""
    line = printable(reason)
    return line if len(line) <= _LONGEST_REASON else line[: _LONGEST_REASON - 1] + "…"


class _Clocked(io.RawIOBase):
    """A connection's bytes, until a moment that is put off by ``renew``."""

    def __init__(self, raw: io.RawIOBase, connection: socket.socket) -> None:
        self._raw = raw
        self._connection = connection
        self._seconds = connection.gettimeout() or 0.0
        self.renew()

    def renew(self) -> None:
        """Give the other side its full time again."""
        self._deadline = time.monotonic() + self._seconds

    def readable(self) -> bool:
        """Yes."""
        return True

    def readinto(self, buffer: Any) -> int | None:
        """Read what has come; TimeoutError once the time is over, whether or not something comes."""
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._connection.settimeout(left)
        try:
            return cast(int | None, cast(Any, self._raw).readinto(buffer))
        finally:
            self._connection.settimeout(self._seconds)

    def close(self) -> None:
        """Close the connection's side of it."""
        self._raw.close()
        super().close()


class _HttpConnection(http.client.HTTPConnection):
    response_class = Response


class _HttpsConnection(http.client.HTTPSConnection):
    response_class = Response


class _Http(urllib.request.HTTPHandler):
    def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(_HttpConnection, req)


class _Https(urllib.request.HTTPSHandler):
    def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(cast(Any, _HttpsConnection), req, context=ssl.create_default_context())
