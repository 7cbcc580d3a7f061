"""Files that are whole or absent: written beside, flushed to the disk, then renamed into place."""

import contextlib
import hashlib
import json
import os
import re
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cifarlab.errors import UserError, from_os_error

_LEFTOVER = re.compile(r"\..+\.[0-9a-f]{8}\.tmp", re.DOTALL)


def write_atomic(path: Path, content: bytes) -> None:
    """Put ``content`` at ``path`` so that a crash at any moment leaves the old file or the new one.

    Raises:
        UserError: the disk is full, permission is denied, …; nothing half-written stays behind.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    with one_line_errors(f"write {path}"):
        try:
            _write_and_flush(temporary, os.O_EXCL, content)
            os.replace(temporary, path)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
            raise
        _flush_folder(path.parent)


def write_json(path: Path, value: Any) -> None:
    """Put ``value`` at ``path`` as indented JSON, atomically. NaN and infinity are refused."""
    write_atomic(path, (json.dumps(value, indent=2, allow_nan=False) + "\n").encode())


def append_line(path: Path, line: str) -> None:
    """Add one line to a file, and flush it; a crash can leave a part of it, and nothing else changed.

    Raises:
        UserError: the disk is full, permission is denied, …
    """
    with one_line_errors(f"write {path}"):
        _write_and_flush(path, os.O_APPEND, f"{line}\n".encode())


def read_json(path: Path) -> Any:
    """The JSON value in ``path``.

    Raises:
        UserError: the file is missing, unreadable or not JSON.
    """
    with one_line_errors(f"read {path}"):
        content = path.read_bytes()
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} is damaged: it is not JSON ({error})") from error


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's content, read in pieces, as 64 hexadecimal digits."""
    with one_line_errors(f"read {path}"), path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def make_folder(path: Path) -> None:
    """Create a folder and its parents, so that they last; one that is there already is fine."""
    with one_line_errors(f"create the folder {path}"):
        missing = [each for each in (path, *path.parents) if not each.exists()]
        path.mkdir(parents=True, exist_ok=True)
        for folder in missing:
            _flush_folder(folder.parent)


def remove_leftovers(folder: Path) -> None:
    """Delete the temporary files that a crash during ``write_atomic`` left in ``folder``."""
    for leftover in folder.glob(".*.tmp"):
        if is_leftover(leftover):
            with contextlib.suppress(OSError):
                os.unlink(leftover)


def is_leftover(path: Path) -> bool:
    """Whether ``path`` has the name of a temporary file of ``write_atomic``."""
    return _LEFTOVER.fullmatch(path.name) is not None


@contextlib.contextmanager
def one_line_errors(doing: str) -> Iterator[None]:
    """Turn an ``OSError`` inside the block into a ``UserError`` that says what was tried."""
    try:
        yield
    except OSError as error:
        raise from_os_error(error, doing) from error


def _write_and_flush(path: Path, flag: int, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | flag, 0o666)
    try:
        rest = memoryview(content)
        while rest:
            rest = rest[os.write(descriptor, rest) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _flush_folder(folder: Path) -> None:
    """Make a rename in ``folder`` last through a loss of power."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
