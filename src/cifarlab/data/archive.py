"""Reading the members of a tar archive, which may be damaged or hostile.

Nothing is ever extracted: a member's bytes are read into memory, whatever its name, and only after its kind
and its size were checked. ``Limits`` bound memory and time.
"""

import bz2
import contextlib
import functools
import gzip
import itertools
import lzma
import tarfile
from collections.abc import Callable, Collection, Generator, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any, cast

from cifarlab.errors import UserError, from_os_error, printable
from cifarlab.files import one_line_errors

MAX_MEMBER_BYTES = 64 * 2**20
"""A picture file larger than this is refused."""
MAX_MEMBERS = 5_000_000
"""An archive with more is refused: a small file can unpack to headers without end."""
_MAX_HEADER_BYTES = 2**20  # of one member, in all its parts: long names, extended headers
_MAX_PADDING_BYTES = 2**24
_FREE_BYTES = 2**30  # an archive of pictures may always unpack to this much, …
_MAX_RATIO = 100  # … and beyond it to this many times its size: pictures hardly get smaller, bombs do
_OPENERS: dict[bytes, Callable[[IO[bytes]], Any]] = {
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ\x00": lzma.open,
}


@dataclass(frozen=True)
class Limits:
    """How much of an archive is looked at before it is refused."""

    members: int
    member_bytes: int
    """The size of one member, read or passed over."""
    total_bytes: int
    """The size of the unpacked archive, which is how long reading it can take."""


def list_archive(
    path: Path, ignored: Callable[[PurePosixPath], bool]
) -> tuple[list[PurePosixPath], list[PurePosixPath]]:
    """The folders and the files of an archive, without reading the files.

    Args:
        path: a tar archive, plain or compressed with gzip, bzip2 or xz; its content decides which.
        ignored: says of a member's path whether to pass over it.

    Raises:
        UserError: the archive is damaged, incomplete or unreadable, or has a member that is refused.
    """
    folders: list[PurePosixPath] = []
    files: list[PurePosixPath] = []
    for _, member, inner in _members(path, _limits_of_pictures(path)):
        if ignored(inner):
            continue
        _refuse_special(path, member)
        (folders if member.isdir() else files).append(inner)
    return folders, files


def read_archive(path: Path, wanted: Collection[str]) -> Iterator[tuple[str, bytes]]:
    """The path and content of each wanted file, in the archive's own order, in one pass."""
    for open_member, member, inner in _members(path, _limits_of_pictures(path)):
        if member.isreg() and str(inner) in wanted:
            _refuse_special(path, member)
            yield str(inner), open_member()


def file_paths(path: Path, limits: Limits) -> Generator[PurePosixPath, None, None]:
    """The paths of the plain files of an archive, in its own order, each before the next is read."""
    for _, member, inner in _members(path, limits):
        if member.isreg():
            yield inner


def read_members(path: Path, largest: Mapping[str, int], limits: Limits) -> Iterator[tuple[str, bytes]]:
    """The base name and content of each wanted file, whatever folder it is in, in the archive's own order.

    Args:
        largest: for each wanted base name the most bytes that the file may have.
        limits: those of all members, the ones passed over included.

    Raises:
        UserError: as ``list_archive``; a wanted file is there twice or is too large; anything is a link or a
            device.
    """
    seen: set[str] = set()
    for open_member, member, inner in _members(path, limits):
        _refuse_special(path, member)
        if member.isdir() or inner.name not in largest:
            continue
        if inner.name in seen:
            raise _refused(path, member, "there is another file of this name")
        if member.size > largest[inner.name]:
            raise _refused(path, member, f"it is larger than {largest[inner.name]:,} bytes")
        seen.add(inner.name)
        yield inner.name, open_member()


def _limits_of_pictures(path: Path) -> Limits:
    with one_line_errors(f"read {path}"):
        packed = path.stat().st_size
    return Limits(MAX_MEMBERS, MAX_MEMBER_BYTES, total_bytes=_FREE_BYTES + _MAX_RATIO * packed)


def _members(
    path: Path, limits: Limits
) -> Iterator[tuple[Callable[[], bytes], tarfile.TarInfo, PurePosixPath]]:
    """What reads each member, to be called before the next is asked for, with its header and checked path."""
    with contextlib.ExitStack() as stack:
        with _one_line_damage(path):
            decompressed = stack.enter_context(_decompressed(stack.enter_context(path.open("rb"))))
            stream = _Stream(decompressed, limits.total_bytes)
            archive = stack.enter_context(tarfile.open(fileobj=cast(IO[bytes], stream), mode="r:"))
        for count in itertools.count(1):
            with _one_line_damage(path):
                stream.allow(_MAX_HEADER_BYTES)
                member = archive.next()
            if member is None:
                break
            if count > limits.members:
                raise UserError(f"{printable(path)} has more than {limits.members:,} members; pack fewer")
            archive.members.clear()  # type: ignore[attr-defined]  # else every header stays in memory
            checked = _checked_path(member, path, limits)
            yield functools.partial(_read, archive, stream, member, path), member, checked
        with _one_line_damage(path):
            stream.allow(0)
            stream.read_end()


def _read(archive: tarfile.TarFile, stream: "_Stream", member: tarfile.TarInfo, path: Path) -> bytes:
    with _one_line_damage(path):
        stream.allow(member.size)
        return cast(IO[bytes], archive.extractfile(member)).read()


def _refuse_special(path: Path, member: tarfile.TarInfo) -> None:
    if member.issparse():
        raise _refused(path, member, "it is packed with holes; pack plain files (tar without --sparse)")
    if not (member.isreg() or member.isdir()):
        raise _refused(path, member, "it is a link or a device; pack plain files (tar --dereference)")


def _checked_path(member: tarfile.TarInfo, path: Path, limits: Limits) -> PurePosixPath:
    """The member's path, after the checks that hold for every member, ignored or not."""
    inner = PurePosixPath(member.name)
    if inner.is_absolute() or ".." in inner.parts:
        raise _refused(path, member, "its name points outside of the archive")
    if not 0 <= member.size <= limits.member_bytes:
        raise _refused(path, member, f"it is larger than {limits.member_bytes // 2**20} MiB")
    return inner


def _refused(path: Path, member: tarfile.TarInfo, reason: str) -> UserError:
    return UserError(f"{printable(path)}: refused {printable(member.name)!r}: {reason}")


def _decompressed(file: IO[bytes]) -> IO[bytes]:
    start = file.read(8)
    file.seek(0)
    for magic, opener in _OPENERS.items():
        if start.startswith(magic):
            return cast(IO[bytes], opener(file))
    return file


@contextlib.contextmanager
def one_line_damage(path: Path, complaint: str) -> Iterator[None]:
    """One line for whatever goes wrong while an archive is read: ``path``, ``complaint``, and the reason."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:  # readers of archives and decompressors raise nearly every class on damage
        if isinstance(error, OSError) and error.errno is not None:
            raise from_os_error(error, f"read {path}") from error
        reason = printable(str(error) or type(error).__name__)
        raise UserError(f"{printable(path)} {complaint} ({reason}); fetch it again") from error


def _one_line_damage(path: Path) -> contextlib.AbstractContextManager[None]:
    return one_line_damage(path, "is not a tar archive, or damaged or incomplete")


class _Stream:
    """What tarfile reads from: forward only, no more than is allowed at a time, with an eye on the end.

    tarfile asks for as many bytes as a header says, keeps all of a chain of headers in memory, loops for ever
    on a negative size, and takes a damaged header in the middle for the end of the archive; this stands
    between it and such archives.
    """

    def __init__(self, file: IO[bytes], total_bytes: int) -> None:
        self._file = file
        self._total_bytes = total_bytes
        self._allowed = _MAX_HEADER_BYTES
        self._last = b""

    def allow(self, size: int) -> None:
        """Let the reads up to the next call of this have ``size`` bytes together."""
        self._allowed = size

    def read(self, size: int) -> bytes:
        if not 0 <= size <= self._allowed:
            raise ValueError(f"a header asks for {size} bytes")
        self._allowed -= size
        self._last = self._file.read(size)
        return self._last

    def tell(self) -> int:
        return self._file.tell()

    def seek(self, position: int) -> int:
        if position < self.tell():
            raise ValueError("a header points backward")
        if position > self._total_bytes:
            raise ValueError(f"it unpacks to more than {self._total_bytes:,} bytes")
        return self._file.seek(position)

    def read_end(self) -> None:
        """Check that the archive ended with its end mark, and let the decompressor check its sums."""
        if self._last != bytes(tarfile.BLOCKSIZE):
            raise EOFError("it has no end mark")
        if self._file.read(_MAX_PADDING_BYTES).strip(b"\0") or self._file.read(1):
            raise ValueError("there is more data after its end mark")
