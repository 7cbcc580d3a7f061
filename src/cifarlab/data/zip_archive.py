"""Reading the pictures of a zip archive, which may be damaged or hostile.

As with tar archives nothing is ever extracted: a member's bytes are read into memory, whatever its name, and
only after its kind and its size were checked. Only the two usual ways of packing are read, stored and
deflated: the others unpack without a bound on memory.
"""

import contextlib
import io
import stat
import zipfile
from collections.abc import Callable, Collection, Iterator
from pathlib import Path, PurePosixPath
from typing import cast

from cifarlab.data.archive import MAX_MEMBER_BYTES, one_line_damage
from cifarlab.errors import UserError, printable
from cifarlab.files import one_line_errors

_MAGIC = (b"PK\x03\x04", b"PK\x05\x06")
_ENCRYPTED, _NAME_IS_UTF8 = 0x1, 0x800
_MAX_READ_BYTES = 2**26
"""A larger single read is refused. The list of members is one: some 600,000 fit, at a kilobyte each."""


def is_zip(path: Path) -> bool:
    """Whether a file begins as zip archives do."""
    with one_line_errors(f"read {path}"), path.open("rb") as file:
        return file.read(4) in _MAGIC


def list_zip(
    path: Path, ignored: Callable[[PurePosixPath], bool]
) -> tuple[list[PurePosixPath], list[PurePosixPath]]:
    """The folders and the files of an archive, without reading the files.

    Args:
        path: a zip archive.
        ignored: says of a member's path whether to pass over it.

    Raises:
        UserError: the archive is damaged, incomplete or unreadable, or has a member that is refused.
    """
    folders: list[PurePosixPath] = []
    files: list[PurePosixPath] = []
    with _opened(path) as archive:
        for member, inner in _members(archive, path):
            if not ignored(inner):
                _refuse_unreadable(member, path)
                (folders if _is_folder(member) else files).append(inner)
    return folders, files


def read_zip(path: Path, wanted: Collection[str]) -> Iterator[tuple[str, bytes]]:
    """The path and content of each wanted file, in the archive's own order."""
    with _opened(path) as archive:
        for member, inner in _members(archive, path):
            if str(inner) in wanted and not _is_folder(member):
                _refuse_unreadable(member, path)
                with _one_line_damage(path), archive.open(member) as file:
                    # With a size, for without one all is unpacked that there is, whatever its header says.
                    content = file.read(member.file_size)
                yield str(inner), content


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[zipfile.ZipFile]:
    with contextlib.ExitStack() as stack:
        with _one_line_damage(path):
            file = stack.enter_context(_BoundedFile(path))
            archive = stack.enter_context(zipfile.ZipFile(file))
            # Members that share their bytes are how a small zip archive unpacks to terabytes.
            if sum(member.compress_size for member in archive.infolist()) > path.stat().st_size:
                raise zipfile.BadZipFile("its members overlap")
        yield archive


def _members(archive: zipfile.ZipFile, path: Path) -> Iterator[tuple[zipfile.ZipInfo, PurePosixPath]]:
    """Every member with its path, after the checks that hold for every member, ignored or not."""
    for member in archive.infolist():
        inner = PurePosixPath(_name(member))
        if inner.is_absolute() or ".." in inner.parts:
            raise _refused(path, member, "its name points outside of the archive")
        if member.file_size > MAX_MEMBER_BYTES:
            raise _refused(path, member, f"it is larger than {MAX_MEMBER_BYTES // 2**20} MiB")
        yield member, inner


def _is_folder(member: zipfile.ZipInfo) -> bool:
    return _name(member).endswith("/")


def _name(member: zipfile.ZipInfo) -> str:
    """The member's name; macOS writes UTF-8 without saying so, and some Windows programs backslashes."""
    name = member.filename
    if not member.flag_bits & _NAME_IS_UTF8:
        with contextlib.suppress(UnicodeError):
            name = name.encode("cp437").decode()
    return name if "/" in name else name.replace("\\", "/")


def _refuse_unreadable(member: zipfile.ZipInfo, path: Path) -> None:
    if member.flag_bits & _ENCRYPTED:
        raise _refused(path, member, "it is encrypted; pack the pictures again without a password")
    if stat.S_ISLNK(member.external_attr >> 16):
        raise _refused(path, member, "it is a link; pack plain files (zip without --symlinks)")
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise _refused(path, member, "it is not packed the usual way; pack it again as a plain zip or tar")


def _refused(path: Path, member: zipfile.ZipInfo, reason: str) -> UserError:
    return UserError(f"{printable(path)}: refused {printable(_name(member))!r}: {reason}")


def _one_line_damage(path: Path) -> contextlib.AbstractContextManager[None]:
    return one_line_damage(path, "is a damaged or incomplete zip archive")


class _BoundedFile(io.FileIO):
    """What zipfile reads from: it asks for as many bytes as the archive says that its list of members has."""

    def read(self, size: int | None = -1) -> bytes:
        if size is not None and size > _MAX_READ_BYTES:
            raise ValueError(f"a header asks for {size} bytes")
        return cast(bytes, super().read(size))
