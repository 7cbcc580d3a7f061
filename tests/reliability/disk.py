"""Disks that misbehave, in the place of the ``os`` module that ``cifarlab.files`` writes with.

``FailingDisk`` dies, or is full, at a chosen operation. ``VolatileDisk`` knows besides what a loss of power
would leave: content that was not flushed may be missing, and so may each change of a folder (a new name, a
rename, a deletion) until that folder was flushed.
"""

import errno
import itertools
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import cifarlab.files
from support import Crash


class FailingDisk:
    """Counts opens, writes, flushes, renames and deletions; the one numbered ``at`` (from 0) fails.

    Args:
        at: None for a disk that only counts.
        error: ``Crash`` stops everything. An errno fails this operation and, as a full disk does, all later
            ones but deletions.
    """

    def __init__(self, at: int | None = None, error: int | type[Crash] = Crash) -> None:
        self.operations: list[str] = []
        self._at = at
        self._error = error

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)

    def install(self, patch: pytest.MonkeyPatch) -> "FailingDisk":
        """Let ``cifarlab`` write to this disk."""
        patch.setattr(cifarlab.files, "os", self)
        patch.setattr(Path, "unlink", lambda path, missing_ok=False: self.unlink(path))
        return self

    def open(self, path: Path, flags: int, mode: int = 0o777) -> int:
        self._operate(f"open {path}")
        return os.open(path, flags, mode)

    def write(self, descriptor: int, content: memoryview) -> int:
        failed = self._failing
        try:
            self._operate("write")
        except (OSError, Crash):
            if not failed:
                os.write(descriptor, content[: len(content) // 2])
            raise
        return os.write(descriptor, content)

    def fsync(self, descriptor: int) -> None:
        self._operate("fsync")
        os.fsync(descriptor)

    def replace(self, source: Path, target: Path) -> None:
        self._operate(f"replace {target}")
        os.replace(source, target)

    def unlink(self, path: Path) -> None:
        self._operate(f"unlink {path}")
        os.unlink(path)

    @property
    def _failing(self) -> bool:
        return self._at is not None and len(self.operations) > self._at

    def _operate(self, name: str) -> None:
        self.operations.append(name)
        if self._failing:
            if not isinstance(self._error, int):
                raise self._error
            if not name.startswith("unlink"):
                raise OSError(self._error, os.strerror(self._error))


def full_disk(at: int) -> FailingDisk:
    """A disk with no space left from operation ``at`` on."""
    return FailingDisk(at, errno.ENOSPC)


@dataclass(eq=False)
class Inode:
    """A file apart from its name."""

    content: bytes = b""
    flushed: bytes = b""
    age: int = 0

    def after_a_crash(self) -> list[bytes]:
        """What may be left of it."""
        if self.content == self.flushed:
            return [self.content]
        return [self.flushed, self.content[: len(self.content) // 2], self.content]


Change = tuple[str | None, str | None, Inode]
"""One change of a folder: a name that goes, a name that comes, and the file."""


class VolatileDisk(FailingDisk):
    """Also remembers which of the changes in one folder have reached the disk.

    Args:
        folder: the folder that is watched; what lies in it has been flushed.
        at: the operation before which the power fails; None for never.
        forgets: ``file`` or ``folder``: the flush of one leaves no trace, for tests of the tests.
    """

    def __init__(self, folder: Path, at: int | None = None, forgets: tuple[str, ...] = ()) -> None:
        super().__init__(at)
        self._folder = folder
        self._forgets = forgets
        self._ages = itertools.count()
        present = (
            sorted(folder.iterdir(), key=lambda path: path.stat().st_mtime_ns) if folder.exists() else []
        )
        self._names = {p.name: Inode(p.read_bytes(), p.read_bytes(), next(self._ages)) for p in present}
        self._flushed_names = dict(self._names)
        self._pending: list[Change] = []
        self._open: dict[int, Inode | Path] = {}
        self.flushed_folders: set[Path] = set()

    def open(self, path: Path, flags: int, mode: int = 0o777) -> int:
        descriptor = super().open(path, flags, mode)
        self._open[descriptor] = path
        if flags & os.O_CREAT:
            inode = Inode(age=next(self._ages))
            self._open[descriptor] = inode
            self._change((None, path.name, inode))
        return descriptor

    def write(self, descriptor: int, content: memoryview) -> int:
        written = super().write(descriptor, content)
        inode = self._open[descriptor]
        assert isinstance(inode, Inode)
        inode.content += bytes(content[:written])
        return written

    def fsync(self, descriptor: int) -> None:
        super().fsync(descriptor)
        match self._open[descriptor]:
            case Inode() as inode if "file" not in self._forgets:
                inode.flushed = inode.content
            case Path() as path if "folder" not in self._forgets:
                self.flushed_folders.add(path)
                if path == self._folder:
                    self._flushed_names = dict(self._names)
                    self._pending = []

    def replace(self, source: Path, target: Path) -> None:
        super().replace(source, target)
        self._change((source.name, target.name, self._names[source.name]))

    def unlink(self, path: Path) -> None:
        super().unlink(path)
        self._change((path.name, None, self._names[path.name]))

    def after_power_loss(self, scratch: Path) -> Iterator[Path]:
        """Folders in ``scratch``, one after the other: all that may be found when the machine is back."""
        number = itertools.count()
        for kept in itertools.product([False, True], repeat=len(self._pending)):
            names = dict(self._flushed_names)
            for change, survives in zip(self._pending, kept, strict=True):
                if survives:
                    _apply(change, names)
            for left in itertools.product(*[inode.after_a_crash() for inode in names.values()]):
                folder = scratch / str(next(number))
                folder.mkdir(parents=True)
                for (name, inode), content in zip(names.items(), left, strict=True):
                    (folder / name).write_bytes(content)
                    os.utime(folder / name, (inode.age, inode.age))
                yield folder

    def _change(self, change: Change) -> None:
        _apply(change, self._names)
        self._pending.append(change)


def _apply(change: Change, names: dict[str, Inode]) -> None:
    gone, come, inode = change
    if gone is not None:
        names.pop(gone, None)
    if come is not None:
        names[come] = inode
