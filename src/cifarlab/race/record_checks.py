"""What a record's file must say so that a summary can be computed; else one line says what is wrong.

All functions here raise ValueError, TypeError or KeyError.
"""

from collections.abc import Iterable
from typing import Any

from cifarlab.race.outcome import finite_number, whole_number


def check_header(header: dict[str, Any]) -> None:
    """The entries that the summary reads."""
    if not isinstance(header["clock"], str):
        raise ValueError(f"clock must be a text, found {header['clock']!r}")
    data = _object(header, "data")
    if not isinstance(data.get("name"), str):
        raise ValueError(f"data.name must be a text, found {data.get('name')!r}")
    if whole_number(data, "test_images") < 1:
        raise ValueError(f"data.test_images must be above 0, found {data['test_images']!r}")
    if "hardware" in header:
        _object(header, "hardware")
    peaks = _object(header, "machine_peaks") if "machine_peaks" in header else {}
    for precision in peaks:
        if finite_number(peaks, precision) <= 0:
            raise ValueError(f"machine_peaks.{precision} must be above 0, found {peaks[precision]!r}")
    if header.get("peer") is not None:
        _check_peer(_object(header, "peer"))
    commands = header.get("commands", [])
    if not isinstance(commands, list) or not all(isinstance(each, dict) for each in commands):
        raise ValueError("commands must be a list of objects")
    for each in commands:
        whole_number(each, "runs")


def check_seeds(used: Iterable[int], pairs: Iterable[tuple[int, int]]) -> None:
    """Every seed counts once, and both runs of a pair have the same one."""
    seen: set[int] = set()
    for seed in used:
        if seed in seen:
            raise ValueError(f"the seed {seed} is there twice")
        seen.add(seed)
    for ours, peers in pairs:
        if ours != peers:
            raise ValueError(f"a pair has two seeds, {ours} and {peers}")


def _check_peer(peer: dict[str, Any]) -> None:
    facts = _object(peer, "facts") if "facts" in peer else {}
    for where, name in ((peer, "name"), (facts, "peer")):
        if name in where and not isinstance(where[name], str):
            raise ValueError(f"the peer's {name} must be a text, found {where[name]!r}")
    if peer.get("epochs") is not None:
        finite_number(peer, "epochs")
    if not isinstance(facts.get("as_published", True), bool):
        raise ValueError(f"as_published must be true or false, found {facts['as_published']!r}")


def _object(value: dict[str, Any], name: str) -> dict[str, Any]:
    found = value.get(name)
    if not isinstance(found, dict):
        raise ValueError(f"{name} must be an object, found {found!r}")
    return found
