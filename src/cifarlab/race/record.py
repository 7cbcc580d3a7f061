"""The file of a race: what was raced with, on what, by which clock, and every single run.

``TIER.json`` is written as a whole and atomically, after every pair. ``TIER.half.json`` beside it keeps a
pair's first side until the second is done. A kill at any moment loses at most the run that was going on.
"""

import contextlib
import glob
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import filelock

from cifarlab.errors import UserError
from cifarlab.files import make_folder, one_line_errors, read_json, write_json
from cifarlab.race.header import SCHEMA_VERSION, differing, fixed_part, in_one_line
from cifarlab.race.outcome import Outcome, outcome_from, whole_number
from cifarlab.race.record_checks import check_header, check_seeds

Side = Literal["ours", "peer"]


@dataclass(frozen=True)
class Pair:
    """A run of ours and one of the peer's, on the same machine, one right after the other."""

    ours: Outcome
    peer: Outcome
    first: Side
    """Which of the two was run first."""


@dataclass(frozen=True)
class Failure:
    """A run without an outcome, because it diverged or its process died of it."""

    side: Side
    seed: int
    reason: str
    other: Outcome | None = None
    """The other run of its pair, where it was done already; it counts in no mean."""


@dataclass(frozen=True)
class Record:
    """All that a race's file says."""

    header: dict[str, Any]
    """Everything but the runs; see ``header.header_of``."""
    pairs: tuple[Pair, ...] = ()
    runs: tuple[Outcome, ...] = ()
    """Ours alone, where the race is against no peer."""
    failures: tuple[Failure, ...] = ()

    @property
    def ours(self) -> tuple[Outcome, ...]:
        """Our runs."""
        return self.runs or tuple(pair.ours for pair in self.pairs)

    @property
    def peers(self) -> tuple[Outcome, ...]:
        """The peer's runs."""
        return tuple(pair.peer for pair in self.pairs)

    @property
    def is_paired(self) -> bool:
        """Whether the race is against a peer."""
        return self.header.get("peer") is not None

    @property
    def seeds(self) -> set[int]:
        """Those that have been used up."""
        return {outcome.seed for outcome in self.ours} | {failure.seed for failure in self.failures}


def to_document(record: Record) -> dict[str, Any]:
    """The JSON value of a record."""
    if record.is_paired:
        pairs = [
            {"ours": pair.ours.to_json(), "peer": pair.peer.to_json(), "first": pair.first}
            for pair in record.pairs
        ]
        runs: dict[str, Any] = {"pairs": pairs}
    else:
        runs = {"runs": [outcome.to_json() for outcome in record.runs]}
    failures = [
        {
            "side": failure.side,
            "seed": failure.seed,
            "reason": failure.reason,
            "other": None if failure.other is None else failure.other.to_json(),
        }
        for failure in record.failures
    ]
    return {**record.header, **runs, "failures": failures}


def read_record(path: Path, tier: str | None = None) -> Record:
    """The record in a file.

    Args:
        tier: whose record it must be; None for any.

    Raises:
        UserError: there is none, or the file is damaged, of another tier or of another version.
    """
    document = read_json(path)
    if not isinstance(document, dict) or document.get("schema") != SCHEMA_VERSION:
        found = document.get("schema") if isinstance(document, dict) else None
        raise UserError(
            f"{path} is no file of a race, or one of another version (schema {found!r}, not {SCHEMA_VERSION})"
        )
    header = {name: value for name, value in document.items() if name not in ("pairs", "runs", "failures")}
    if tier not in (None, header.get("tier")):
        raise UserError(f"{path} is a race of {header.get('tier')!r}, not of {tier!r}; choose another --out")
    try:
        check_header(header)
        pairs = tuple(
            Pair(outcome_from(each["ours"]), outcome_from(each["peer"]), _side(each["first"]))
            for each in document.get("pairs", [])
        )
        runs = tuple(outcome_from(each) for each in document.get("runs", []))
        failures = tuple(
            Failure(
                _side(each["side"]),
                whole_number(each, "seed"),
                str(each["reason"]),
                None if each["other"] is None else outcome_from(each["other"]),
            )
            for each in document.get("failures", [])
        )
        record = Record(header, pairs, runs, failures)
        check_seeds(
            [*(run.seed for run in record.ours), *(failure.seed for failure in failures)],
            [(pair.ours.seed, pair.peer.seed) for pair in pairs],
        )
        if (runs and record.is_paired) or (pairs and not record.is_paired):
            raise ValueError("a race against a peer has pairs, one of ours alone has runs")
    except KeyError as error:
        raise UserError(f"{path} is damaged: {error} is missing") from error
    except (ValueError, TypeError, AttributeError) as error:
        raise UserError(f"{path} is damaged: {error}") from error
    return record


def begin_or_continue(path: Path, header: dict[str, Any]) -> Record:
    """The record at ``path`` to go on with, if ``header`` allows it; a new one where there is none.

    Raises:
        UserError: the runs there were made with something else, and what differs.
    """
    if not path.exists():
        return Record(header)
    record = read_record(path)
    changes = differing(record.header, header)
    if changes:
        raise UserError(
            f"{path} holds runs of another race ({in_one_line(changes)}); one file is for one "
            "machine, recipe, data set and peer: choose another --out"
        )
    return record


def write_record(path: Path, record: Record) -> None:
    """Put the record at ``path``, atomically."""
    write_json(path, to_document(record))


@dataclass(frozen=True)
class Half:
    """The first side of a pair."""

    side: Side
    outcome: Outcome


def half_path(path: Path) -> Path:
    """Where the half pair of the record at ``path`` is kept."""
    return path.with_suffix(".half.json")


def read_half(path: Path, record: Record) -> Half | None:
    """The half pair that waits for its second side; None where there is none.

    One whose seed is in the record already was made whole by a process that died before it could say so.

    Raises:
        UserError: the file is damaged, or belongs to a race whose record is gone.
    """
    file = half_path(path)
    if not file.exists():
        return None
    value = read_json(file)
    try:
        half = Half(_side(value["side"]), outcome_from(value["outcome"]))
        header = value["header"]
        if not isinstance(header, dict):
            raise ValueError(f"header must be an object, found {header!r}")
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{file} is damaged: {error}") from error
    if half.outcome.seed in record.seeds:
        return None
    if differing(header, record.header):
        raise UserError(f"{file} is half a pair of another race; put it away, or choose another --out")
    return half


def write_half(path: Path, record: Record, half: Half) -> None:
    """Keep the first side of a pair until the second is done."""
    value = {"side": half.side, "outcome": half.outcome.to_json(), "header": fixed_part(record.header)}
    write_json(half_path(path), value)


def remove_half(path: Path) -> None:
    """Forget the half pair, once it is whole."""
    with one_line_errors(f"delete {half_path(path)}"):
        half_path(path).unlink(missing_ok=True)


@contextlib.contextmanager
def claimed(path: Path) -> Iterator[None]:
    """Hold the lock of the record at ``path``; the system frees it when the process ends, however it ends.

    Raises:
        UserError: another process races into the same file.
    """
    make_folder(path.parent)
    lock = filelock.FileLock(path.with_name(f".{path.stem}.lock"), timeout=0)
    with one_line_errors(f"lock {path}"):
        try:
            lock.acquire()
        except filelock.Timeout as error:
            raise UserError(f"another process races into {path}; wait for it, or stop it") from error
    try:
        _remove_leftovers(path)
        yield
    finally:
        lock.release()


def _remove_leftovers(path: Path) -> None:
    """Delete what a crash during a write has left of this record; others may be at work beside it."""
    for name in (path.name, half_path(path).name):
        for leftover in path.parent.glob(f".{glob.escape(name)}.????????.tmp"):
            with contextlib.suppress(OSError):
                leftover.unlink()


def _side(value: Any) -> Side:
    match value:
        case "ours":
            return "ours"
        case "peer":
            return "peer"
        case _:
            raise ValueError(f"no side of a race is called {value!r}")
