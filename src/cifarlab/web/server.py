"""Binding the socket, and serving until Ctrl-C."""

import errno
import logging
import socket

import uvicorn
from starlette.types import ASGIApp

from cifarlab.errors import Stopped, UserError, from_os_error
from cifarlab.web.connections import protocol_within
from cifarlab.web.limits import Limits

SECONDS_TO_FINISH = 1
"""For answers that are under way when the server is stopped."""


def bind(host: str, port: int) -> socket.socket:
    """A socket that listens on ``host``; port 0 takes a free one.

    Raises:
        UserError: the port is taken, or there is no such address here.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        bound = socket.socket(family, kind, protocol)
    except (OSError, UnicodeError) as error:
        raise UserError(f"--host {host} is no address of this machine") from error
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
        bound.listen(1024)
    except OSError as error:
        bound.close()
        match error.errno:
            case errno.EADDRINUSE:
                problem = f"port {port} is taken; choose another --port, or 0 for a free one"
            case errno.EACCES:
                problem = f"port {port} may not be used; choose a --port above 1023, or 0 for a free one"
            case errno.EADDRNOTAVAIL:
                problem = f"--host {host} is no address of this machine"
            case _:
                raise from_os_error(error, f"listen on {host}") from error
        raise UserError(problem) from error
    return bound


def url_of(bound: socket.socket) -> str:
    """What to open in a browser on this machine."""
    host, port = bound.getsockname()[:2]
    if host in ("0.0.0.0", "::"):
        host = "127.0.0.1"
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


def serve(app: ASGIApp, bound: socket.socket, limits: Limits) -> None:
    """Answer until a signal ends it.

    Raises:
        KeyboardInterrupt, Stopped: Ctrl-C.
    """
    server_for(app, limits).run(sockets=[bound])
    raise Stopped("stopped")  # where SIGINT was ignored before, uvicorn just returns


def server_for(app: ASGIApp, limits: Limits) -> uvicorn.Server:
    """uvicorn with nothing on that the page does not need."""
    logging.getLogger("python_multipart").setLevel(logging.CRITICAL)  # who sends a broken form hears of it
    return uvicorn.Server(
        uvicorn.Config(
            app,
            http=protocol_within(limits),
            ws="none",
            lifespan="off",
            log_config=None,
            log_level="critical",
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=5,
            timeout_graceful_shutdown=SECONDS_TO_FINISH,
        )
    )
