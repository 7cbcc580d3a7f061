"""The bytes of a download so far: ``FILE.part``, and beside it ``FILE.part.json`` with their version.

A part may end anywhere (``kill -9``) and may hold anything (a disk that lost power); only size and MD5 of the
whole decide. The note says which version of the file the bytes came from, so that a host which has another
one by now is noticed early; a note that is damaged or of another address is as good as none.
"""

import hashlib
import os
import stat
from pathlib import Path

from cifarlab.data.fetch.answer import is_version
from cifarlab.errors import UserError
from cifarlab.files import one_line_errors, read_json, write_json

_PIECE = 2**20


class Part:
    """An open part. Its length and MD5 are always those of the file; whoever has it holds the lock.

    Args:
        path: where the part lies, or will.
        url: where its bytes come from.

    Raises:
        UserError: from every method too: the file cannot be written, the disk is full, …
    """

    def __init__(self, path: Path, url: str) -> None:
        self.path = path
        self._url = url
        self._note = path.with_name(path.name + ".json")
        with one_line_errors(f"write {path}"):
            if os.path.lexists(path) and not stat.S_ISREG(path.lstat().st_mode):
                raise UserError(f"{path} is not a file; remove it and run the command again")
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666)
        self.length = 0
        try:
            self._hash_first(self._size())
        except BaseException:
            os.close(self._descriptor)
            raise
        self.version = self._read_note()
        """The version that these bytes came with, if a host said one."""

    @property
    def md5(self) -> str:
        """MD5 of all bytes so far, as 32 hexadecimal digits."""
        return self._hash.hexdigest()

    def merge(self, place: int, piece: bytes, version: str) -> None:
        """Put down bytes that begin at ``place``, of which some may be here already.

        Bytes that are the same are left alone, so that a host which always begins at the start, and breaks
        off before the end of what is here, destroys nothing. From the first difference on, the new ones are
        taken.
        """
        known = self._read(place, min(len(piece), self.length - place))
        same = _same_first(known, piece)
        if same < len(known):
            self.cut(place + same)
        if same < len(piece):
            self._note_version(version)
            self._append(piece[same:])

    def cut(self, length: int) -> None:
        """Keep the first ``length`` bytes, whose version nobody knows then."""
        self._note_version("")
        with one_line_errors(f"write {self.path}"):
            os.ftruncate(self._descriptor, length)
        self._hash_first(length)

    def publish(self, target: Path) -> None:
        """Flush the part to the disk and give it its name."""
        with one_line_errors(f"write {target}"):
            os.fsync(self._descriptor)
            os.replace(self.path, target)
            folder = os.open(target.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        self._forget_note()

    def delete(self) -> None:
        """Remove the part and its note."""
        with one_line_errors(f"delete {self.path}"):
            self.path.unlink(missing_ok=True)
        self._forget_note()

    def close(self) -> None:
        """Stop writing. What came stays; a file without bytes does not."""
        os.close(self._descriptor)
        if self.length == 0:
            self.delete()

    def _size(self) -> int:
        return os.fstat(self._descriptor).st_size

    def _read(self, place: int, count: int) -> bytes:
        with one_line_errors(f"read {self.path}"):
            return os.pread(self._descriptor, count, place) if count > 0 else b""

    def _append(self, content: bytes) -> None:
        rest = memoryview(content)
        with one_line_errors(f"write {self.path}"):
            while rest:
                # A full disk takes a part of it first; what it took is kept, and counted.
                written = os.pwrite(self._descriptor, rest, self.length)
                self._hash.update(rest[:written])
                self.length += written
                rest = rest[written:]

    def _hash_first(self, length: int) -> None:
        self._hash = hashlib.md5(usedforsecurity=False)
        self.length = 0
        while self.length < length:
            piece = self._read(self.length, min(_PIECE, length - self.length))
            if not piece:
                raise UserError(f"{self.path} is being changed by another program; run the command again")
            self._hash.update(piece)
            self.length += len(piece)

    def _read_note(self) -> str:
        try:
            note = read_json(self._note)
        except UserError:
            return ""
        known = isinstance(note, dict) and note.get("url") == self._url and is_version(note.get("version"))
        return str(note["version"]) if known else ""

    def _note_version(self, version: str) -> None:
        """Written before the bytes that it speaks of, deleted before the bytes that it does not speak of."""
        if version == self.version:
            return
        self.version = version
        if version:
            write_json(self._note, {"url": self._url, "version": version})
        else:
            self._forget_note()

    def _forget_note(self) -> None:
        with one_line_errors(f"delete {self._note}"):
            self._note.unlink(missing_ok=True)


def _same_first(first: bytes, second: bytes) -> int:
    """How many bytes at the beginning are the same, at most as many as the shorter one has."""
    shorter = min(len(first), len(second))
    if first[:shorter] == second[:shorter]:
        return shorter
    return next(i for i in range(shorter) if first[i] != second[i])
