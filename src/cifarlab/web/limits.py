"""How much one caller, and all of them together, may ask of the server."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """What is beyond gets 408, 413, 429 or 503, or is cut off."""

    body_bytes: int = 2 * 2**20
    """Of one request: a picture of 2 MB and what is around it in a form."""
    discarded_bytes: int = 32 * 2**20
    """So much of a larger body is read and thrown away, so that an honest caller comes to read the 413."""
    body_seconds: float = 10.0
    """From a request's headers to the end of its body."""
    header_seconds: float = 10.0
    """From the opening of a connection, or from the last answer on it, to the end of a request's headers."""
    answer_seconds: float = 30.0
    """From the end of a request to the beginning of its answer; 503 then."""
    request_seconds: float = 60.0
    """From a request's headers to the moment when the caller has taken the answer."""
    requests_at_once: int = 64
    """Being read, waiting or being worked on; 429 beyond. They bound the memory: each has one body."""
    connections: int = 256
    """Open at once; 503 beyond."""
