"""One question for a part of a file, and the answer with everything in it under suspicion.

A body is accepted only as the very bytes that were asked for, or as the whole file (RFC 9110, sections 13 to
15); redirects lead to nothing but http and https.
"""

import contextlib
import email.utils
import re
import time
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import Message

from cifarlab.data.fetch.connection import BadRange, Refusal, Response, Trouble, open_once
from cifarlab.errors import UserError

MAX_REDIRECTS = 5
SLOWEST = 1024
"""Bytes for which a host has the time of one deadline: less than that is no download."""
_REDIRECTS = (301, 302, 303, 307, 308)
_PASSING = (408, 421, 425, 429)
_SPAN = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18}|\*)")


@dataclass(frozen=True)
class Question:
    """What is wanted of a host."""

    url: str
    size: int
    """Bytes of the whole file."""
    first: int = 0
    """The number of the first byte that is wanted, from 0; all bytes after it are wanted too."""
    version: str = ""
    """ETag or date that the earlier bytes came with; the host is to send all bytes if it has another."""


@dataclass(frozen=True)
class Answer:
    """The body of an answer that is what was asked for, or the whole file."""

    first: int
    """Which byte of the file the body begins with."""
    end: int
    """Behind which byte it ends; nothing after it is ever read."""
    version: str
    """A strong ETag, else the date of the last change, else nothing."""
    response: Response

    def pieces(self, largest: int = 2**16) -> Iterator[bytes]:
        """The body as it comes in, each piece at most ``largest`` bytes.

        Raises:
            Trouble: the body broke off, stalled, or is not what the protocol allows.
        """
        place = renewed = self.first
        self.response.renew()
        while place < self.end:
            piece = self.response.next_piece(min(largest, self.end - place))
            if not piece:
                raise Trouble("the connection was closed too early")
            place += len(piece)
            if place - renewed >= SLOWEST:
                self.response.renew()
                renewed = place
            yield piece


@contextlib.contextmanager
def ask(question: Question, seconds: float) -> Iterator[Answer]:
    """Send a question, following redirects; the connection is closed at the end of the block.

    Args:
        seconds: the time for each step: to connect, to send all headers, and for every ``SLOWEST`` bytes.

    Raises:
        Trouble: no usable answer, but another attempt may get one.
        BadRange: the host's answer does not begin at the byte that was asked for.
        Refusal: there will be no other answer.
    """
    url = question.url
    for _ in range(MAX_REDIRECTS + 1):
        with contextlib.closing(open_once(url, _headers(question), seconds)) as response:
            if response.status not in _REDIRECTS:
                yield _checked(question, response)
                return
            url = _redirected(url, response.headers.get("Location"))
    raise Refusal(f"it redirects more than {MAX_REDIRECTS} times")


def address(base: str, file_name: str) -> str:
    """The address of a file under a base address given by the user.

    Raises:
        UserError: the base is no plain http or https address.
    """
    try:
        reason = _fault(base)
        parts = urllib.parse.urlsplit(base)
    except ValueError as error:
        raise UserError(f"{base!r} is not an address ({error})") from error
    if reason or parts.query or parts.fragment or parts.username is not None:
        reason = reason or "it must have no user name, password, query or fragment"
        raise UserError(f"{base!r} cannot be used as an address: {reason}")
    return base.rstrip("/") + "/" + file_name


def _fault(url: str) -> str:
    """What is wrong with an address; empty if nothing is."""
    parts = urllib.parse.urlsplit(url)
    if parts.scheme not in ("http", "https"):
        return "only http:// and https:// will do"
    if not parts.hostname or parts.port == 0:
        return "it names no host"
    parts.hostname.encode("idna")
    return "" if url.isascii() and url.isprintable() and " " not in url else "write other letters as %XX"


def _redirected(url: str, location: str | None) -> str:
    if location is None:
        raise Trouble("it redirects to nowhere")
    try:
        target = urllib.parse.urljoin(url, location)
        fault = _fault(target)
    except ValueError as error:
        raise Refusal(f"it redirects to {location!r}, which is no address") from error
    if fault:
        raise Refusal(f"it redirects to {location!r}: {fault}")
    return target


def _headers(question: Question) -> dict[str, str]:
    if question.first == 0:
        return {}
    condition = {"If-Range": question.version} if question.version else {}
    return {"Range": f"bytes={question.first}-", **condition}


def _checked(question: Question, response: Response) -> Answer:
    """The answer, if its status and headers say that its body is what was asked for."""
    status, headers = response.status, response.headers
    if status == 416:
        raise BadRange("it says that it has no bytes after those that are here")
    if status in _PASSING or status >= 500:
        raise Trouble(f"it answers {status} {response.reason}", _retry_after(headers, time.time()))
    if 400 <= status < 500:
        raise Refusal(f"it answers {status} {response.reason}")
    if status not in (200, 206):
        raise Trouble(f"it answers {status} {response.reason}")
    if headers.get_content_type() == "text/html" and "Content-Type" in headers:
        raise Trouble("it sends a web page instead of the archive")
    version = _version(headers)
    first, end = (0, question.size) if status == 200 else _span(question, headers.get("Content-Range"))
    if status == 206 and question.version and version and version != question.version:
        raise BadRange("it has another version of the file by now")
    _check_length(headers, response, end - first)
    return Answer(first, end, version, response)


def _span(question: Question, header: str | None) -> tuple[int, int]:
    """The bytes that a part of a file claims to be."""
    found = _SPAN.fullmatch(header or "")
    if found is None:
        raise BadRange(f"it sends a part of the file without saying which ({header})")
    first, end = int(found[1]), int(found[2]) + 1
    if (
        first != question.first
        or not first < end <= question.size
        or found[3] not in ("*", f"{question.size}")
    ):
        raise BadRange(f"it sends other bytes than those asked for ({header})")
    return first, end


def _check_length(headers: Message, response: Response, expected: int) -> None:
    length = headers.get("Content-Length")
    if length is None or response.chunked:
        return
    if not re.fullmatch(r"\d{1,18}", length.strip()):
        raise Trouble(f"its Content-Length is {length!r}")
    if int(length) != expected:
        raise Trouble(f"it offers {int(length):,} bytes instead of {expected:,}")


def _version(headers: Message) -> str:
    """What ``If-Range`` can be asked with: a weak ETag cannot (RFC 9110, section 13.1.5)."""
    tag, date = headers.get("ETag", ""), headers.get("Last-Modified", "")
    return next((each for each in (tag, date) if not each.startswith("W/") and is_version(each)), "")


def is_version(text: object) -> bool:
    """Whether ``text`` may be sent back to a host as it is."""
    return isinstance(text, str) and 0 < len(text) <= 200 and text.isascii() and text.isprintable()


def _retry_after(headers: Message, now: float) -> float:
    """Seconds for which the host asks to be left alone; 0 if it does not say, or says nonsense."""
    asked = headers.get("Retry-After", "").strip()
    if re.fullmatch(r"\d{1,9}", asked):
        return float(asked)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(asked).timestamp() - now)
    except (ValueError, TypeError, IndexError, OverflowError, OSError):
        return 0.0
