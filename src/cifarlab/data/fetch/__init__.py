"""Downloads of the official archives that end with the right file or with none.

The publisher's host is slow, an hour at times, and now and then away. So what has come is kept, whatever
happens, and is not asked for again; a download goes on at once after a connection that broke off or stalled,
and with the next command after anything else. Only bytes with the publisher's size and MD5 get the archive's
name. As these are known, it does not matter from how many hosts or days the bytes come.

A file that has the archive's name but is another one is replaced, not refused: nothing here can use it, and
the usual cause is a download by other means that was cut short. It is said first, and the old file stays
until the right one is there.
"""

import contextlib
import hashlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import filelock

from cifarlab.data.cifar.official import HOST, OfficialArchive
from cifarlab.data.fetch.answer import address
from cifarlab.data.fetch.loop import Download, Patience, Progress, Silence
from cifarlab.data.fetch.part import Part
from cifarlab.errors import UserError
from cifarlab.files import make_folder, one_line_errors


def fetch(
    archive: OfficialArchive,
    folder: Path,
    base: str = HOST,
    progress: Progress | None = None,
    patience: Patience | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> Path:
    """Make sure that ``folder`` has an archive, and download what is missing of it.

    A second process that wants the same waits for the first.

    Args:
        base: the address that the file's name is appended to.
        sleep: waits for so many seconds.

    Returns:
        The path of the archive, whose size and MD5 are the publisher's.

    Raises:
        UserError: a wrong address, or the folder or the disk will not do.
        Unavailable: the host did not give the file; what it gave is kept.
    """
    url = address(base, archive.file_name)
    progress = progress or Silence()
    path = folder / archive.file_name
    if _is_there(path, archive, progress):
        return path
    with _only_process(path, progress):
        if _is_there(path, archive, Silence()):
            progress.say(f"{path} is there now, fetched by another process")
            return path
        if path.exists():
            progress.say(
                f"{path} is not the archive that the publisher offers (its size or MD5 is wrong); "
                "it stays until the right one is here, and is replaced then"
            )
        with contextlib.closing(Part(part_of(path), url)) as part:
            Download(archive, path, url, part, progress, patience or Patience(), sleep).run()
    return path


def part_of(path: Path) -> Path:
    """Where the bytes of an unfinished download of ``path`` lie."""
    return path.with_name(path.name + ".part")


def _is_there(path: Path, archive: OfficialArchive, progress: Progress) -> bool:
    """Whether the right file has the archive's name."""
    with one_line_errors(f"read {path}"):
        if not path.exists():
            return False
        if not path.is_file():
            raise UserError(f"{path} is not a file; remove it, or let CIFARLAB_DATA name another folder")
        if path.stat().st_size != archive.size:
            return False
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False))
    if digest.hexdigest() != archive.md5:
        return False
    progress.say(f"{path} is there already: {archive.size:,} bytes, and its MD5 is right")
    return True


@contextlib.contextmanager
def _only_process(path: Path, progress: Progress) -> Iterator[None]:
    """Hold the archive's lock, which the system releases if this process dies."""
    make_folder(path.parent)
    lock = filelock.FileLock(path.with_name(f".{path.name}.lock"))
    with one_line_errors(f"lock {path}"):
        try:
            lock.acquire(blocking=False)
        except filelock.Timeout:
            progress.say(f"waiting for another process that fetches {path.name}")
            lock.acquire()
    try:
        yield
    finally:
        lock.release()
