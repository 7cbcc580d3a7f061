"""Which callers are answered: programs on this machine, and pages that this server itself has sent.

Two attacks on servers of one's own machine go through the victim's browser. A foreign page sends requests
across sites: browsers say so in ``Origin`` and ``Sec-Fetch-Site``. Or its host name is made to point to
127.0.0.1 (DNS rebinding), so that it is of the same site: then ``Host`` carries that name.
"""

import ipaddress
import re
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

LOCAL_NAMES = frozenset({"localhost"})
_HOST = re.compile(r"(?:\[(?P<v6>[0-9a-fA-F:.]+)\]|(?P<name>[A-Za-z0-9._-]+))(?::[0-9]{1,5})?")
_SAID_ONCE = ("host", "origin", "sec-fetch-site")


@dataclass(frozen=True)
class AllowedHosts:
    """What may stand in ``Host``. The port is free: it may have been forwarded from another one."""

    names: frozenset[str]
    any_address: bool
    """Whether every IP address will do, not only those of the machine itself. No rebinding uses one."""

    def allow(self, host: str) -> bool:
        """Whether the header ``host`` names this server."""
        parts = _HOST.fullmatch(host)
        if parts is None:
            return False
        name = (parts["v6"] or parts["name"]).lower().removesuffix(".")
        if name in self.names:
            return True
        address = _address(name)
        if address is None:
            return False
        return address.is_loopback or (self.any_address and not address.is_unspecified)


def allowed_hosts(bound: str) -> AllowedHosts:
    """The hosts under which a server that is bound to ``bound`` may be called."""
    if is_loopback(bound):
        return AllowedHosts(LOCAL_NAMES, any_address=False)
    own = {socket.gethostname().lower()}
    if _address(bound) is None:
        own.add(bound.lower())
    return AllowedHosts(LOCAL_NAMES | own, any_address=True)


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a server that is bound to ``host``."""
    address = _address(host)
    return host.lower() in LOCAL_NAMES if address is None else address.is_loopback


def _address(name: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The IP address that ``name`` is, if it is one."""
    try:
        return ipaddress.ip_address(name)
    except ValueError:
        return None


def refusal(method: str, path: str, fields: Sequence[tuple[str, str]], hosts: AllowedHosts) -> str | None:
    """Why a request is refused, in one line; None if it is not.

    Args:
        fields: all headers, their names in lower case.
    """
    names = [name for name, _ in fields]
    if any(names.count(name) > 1 for name in _SAID_ONCE):
        return "the request says twice where it comes from"
    headers = dict(fields)
    host = headers.get("host", "")
    if not hosts.allow(host):
        return "this server is not called so; open it under the address that cifarlab serve has printed"
    origin = headers.get("origin")
    if origin is not None and origin.lower() not in (f"http://{host}".lower(), f"https://{host}".lower()):
        return "requests from other pages are refused"
    site = headers.get("sec-fetch-site", "none")
    if site not in ("same-origin", "none") and not _follows_a_link(method, path, headers):
        return "requests from other pages are refused"
    return None


def _follows_a_link(method: str, path: str, headers: Mapping[str, str]) -> bool:
    """Whether a user comes to the front page by a link elsewhere: that shows and does nothing by itself."""
    opened = headers.get("sec-fetch-mode") == "navigate" and headers.get("sec-fetch-dest") == "document"
    return opened and method == "GET" and path == "/"
