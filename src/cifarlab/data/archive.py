"""Reading the pictures of a tar archive, which may be damaged or hostile.

Nothing is ever extracted: a member's bytes are read into memory, whatever its name, and only after its kind
and its size were checked. Memory stays bounded by ``MAX_MEMBER_BYTES`` and ``MAX_MEMBERS``.
"""

import bz2
import contextlib
import gzip
import lzma
import tarfile
from collections.abc import Callable, Collection, Iterator
from pathlib import Path, PurePosixPath
from typing import IO, Any, cast

from cifarlab.errors import UserError, from_os_error, printable

MAX_MEMBER_BYTES = 64 * 2**20
"""A picture file larger than this is refused, and so is any other single read that an archive asks for."""
MAX_MEMBERS = 5_000_000
"""An archive with more is refused: a small file can unpack to headers without end."""
_MAX_PADDING_BYTES = 2**24
_OPENERS: dict[bytes, Callable[[IO[bytes]], Any]] = {
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ\x00": lzma.open,
}


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
    for count, (_, member, inner) in enumerate(_members(path), start=1):
        if count > MAX_MEMBERS:
            raise UserError(f"{printable(path)} has more than {MAX_MEMBERS:,} members; pack fewer")
        if ignored(inner):
            continue
        if not (member.isreg() or member.isdir()):
            raise _refused(path, member, "it is a link or a device; pack plain files (tar --dereference)")
        (folders if member.isdir() else files).append(inner)
    return folders, files


def read_archive(path: Path, wanted: Collection[str]) -> Iterator[tuple[str, bytes]]:
    """The path and content of each wanted file, in the archive's own order, in one pass."""
    for archive, member, inner in _members(path):
        if member.isreg() and str(inner) in wanted:
            with _one_line_damage(path):
                content = cast(IO[bytes], archive.extractfile(member)).read()
            yield str(inner), content


def _members(path: Path) -> Iterator[tuple[tarfile.TarFile, tarfile.TarInfo, PurePosixPath]]:
    """Every member with its checked path, each to be read before the next is asked for."""
    with contextlib.ExitStack() as stack:
        with _one_line_damage(path):
            stream = _Stream(stack.enter_context(_decompressed(stack.enter_context(path.open("rb")))))
            archive = stack.enter_context(tarfile.open(fileobj=cast(IO[bytes], stream), mode="r:"))
        while True:
            with _one_line_damage(path):
                member = archive.next()
            if member is None:
                break
            archive.members.clear()  # type: ignore[attr-defined]  # else every header stays in memory
            yield archive, member, _checked_path(member, path)
        with _one_line_damage(path):
            stream.read_end()


def _checked_path(member: tarfile.TarInfo, path: Path) -> PurePosixPath:
    """The member's path, after the checks that hold for every member, ignored or not."""
    inner = PurePosixPath(member.name)
    if inner.is_absolute() or ".." in inner.parts:
        raise _refused(path, member, "its name points outside of the archive")
    if not 0 <= member.size <= MAX_MEMBER_BYTES:
        raise _refused(path, member, f"it is larger than {MAX_MEMBER_BYTES // 2**20} MiB")
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
def _one_line_damage(path: Path) -> Iterator[None]:
    try:
        yield
    except UserError:
        raise
    except Exception as error:  # tarfile and the decompressors raise nearly every class on damaged bytes
        if isinstance(error, OSError) and error.errno is not None:
            raise from_os_error(error, f"read {path}") from error
        reason = printable(str(error) or type(error).__name__)
        raise UserError(
            f"{printable(path)} is not a tar archive, or damaged or incomplete ({reason}); fetch it again"
        ) from error


class _Stream:
    """What tarfile reads from: forward only, in bounded pieces, with an eye on the end.

    tarfile asks for as many bytes as a header says, loops for ever on a negative size, and takes a damaged
    header in the middle for the end of the archive; this stands between it and such archives.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._last = b""

    def read(self, size: int) -> bytes:
        if not 0 <= size <= MAX_MEMBER_BYTES:
            raise ValueError(f"a header asks for {size} bytes")
        self._last = self._file.read(size)
        return self._last

    def tell(self) -> int:
        return self._file.tell()

    def seek(self, position: int) -> int:
        if position < self.tell():
            raise ValueError("a header points backward")
        return self._file.seek(position)

    def read_end(self) -> None:
        """Check that the archive ended with its end mark, and let the decompressor check its sums."""
        if self._last != bytes(tarfile.BLOCKSIZE):
            raise EOFError("it has no end mark")
        if self._file.read(_MAX_PADDING_BYTES).strip(b"\0") or self._file.read(1):
            raise ValueError("there is more data after its end mark")
