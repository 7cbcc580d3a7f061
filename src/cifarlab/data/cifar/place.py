"""Where CIFAR lies: an archive as the publisher offers it, or the folder that it unpacks to."""

import contextlib
import hashlib
import itertools
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cifarlab.data.archive import Limits, file_paths, read_members
from cifarlab.data.cifar.official import ARCHIVES, OfficialArchive, OfficialFile
from cifarlab.data.locations import archives_folder
from cifarlab.errors import UserError, printable
from cifarlab.files import one_line_errors, sha256_of

_LOOKED_AT = 32  # files at the start of an archive; a CIFAR archive has eight
_LIMITS = Limits(members=1_000, member_bytes=5 * 2**25, total_bytes=2**29)
_LIMITS_OF_A_LOOK = Limits(members=1_000, member_bytes=5 * 2**25, total_bytes=2**32)


@dataclass(frozen=True)
class Place:
    """A path and the format of what is there."""

    path: Path
    archive: OfficialArchive
    """The official archive whose files are there, or files like them."""

    @property
    def name(self) -> str:
        """What messages call it."""
        return printable(self.path.resolve().name)


def places_in(folder: Path) -> list[Place]:
    """What lies in a folder under the official names, the best first."""
    with one_line_errors(f"read {folder}"):
        return [
            Place(path, archive)
            for archive in ARCHIVES
            for path, there in (
                (folder / archive.file_name, Path.is_file),
                (folder / archive.folder, Path.is_dir),
            )
            if there(path)
        ]


def find_stored(data_set: str) -> Place:
    """What lies in the folder of archives under an official name of ``cifar10`` or ``cifar100``, unchecked.

    The binary archive comes first, then its folder, then the Python archive and its folder.

    Raises:
        UserError: nothing is there; the message says how to get it.
    """
    for place in places_in(archives_folder()):
        if place.archive.data_set == data_set:
            return place
    raise absent(data_set)


def absent(data_set: str) -> UserError:
    """The error for a data set that the folder of archives lacks: all the ways to get it."""
    folder = archives_folder().absolute()
    expected = next(archive for archive in ARCHIVES if archive.data_set == data_set)
    return UserError(
        f"{data_set} is not on this machine; run: cifarlab data fetch {data_set}; or put the file at "
        f"{folder / expected.file_name}; or let CIFARLAB_DATA name a folder that torchvision has filled"
    )


def recognize(path: Path) -> Place | None:
    """The place that a path means, or None where it holds no CIFAR files.

    Args:
        path: an archive of any name, a folder with CIFAR's files, or a folder with one data set's archive or
            folder in it, as torchvision leaves it.

    Raises:
        UserError: there is more than one data set.
    """
    with one_line_errors(f"read {path}"):
        if path.is_dir():
            return _recognize_folder(path)
        if not path.is_file():
            return None
    return _recognize_archive(path)


def is_official(place: Place) -> bool:
    """Whether sizes and MD5 sums are the publisher's. Of a binary folder only the sizes are known."""
    if place.path.is_dir():
        return all(_is_official_file(place.path / file.name, file) for file in place.archive.files)
    with one_line_errors(f"read {place.path}"):
        size = place.path.stat().st_size
    return size == place.archive.size and md5_of(place.path) == place.archive.md5


def refuse_unofficial(place: Place) -> None:
    """Raise a ``UserError`` that says what to do unless the place is official."""
    if not is_official(place):
        raise UserError(
            f"{place.path} is not the official {place.archive.data_set}: its size or MD5 differs; remove it "
            f"and run: cifarlab data fetch {place.archive.data_set}"
        )


def title(place: Place) -> str:
    """What a run records of where its data come from: only what is proven official has the bare name."""
    if is_official(place):
        return _title_of_official(place)
    return f"unofficial {place.archive.data_set} ({place.name})"


def official_title(place: Place) -> str:
    """The same of a place that must be official; else a ``UserError``."""
    refuse_unofficial(place)
    return _title_of_official(place)


def identity(place: Place) -> str:
    """A hash over everything that is read of the place."""
    if not place.path.is_dir():
        return sha256_of(place.path)
    hashes = [(file.name, sha256_of(_checked(place.path, file))) for file in place.archive.files]
    return hashlib.sha256(repr(hashes).encode()).hexdigest()


def read_files(place: Place) -> Iterator[tuple[str, bytes]]:
    """The name and content of each file, in any order, every one exactly once.

    Raises:
        UserError: a file is missing, is there twice or is too large, or the archive is damaged or hostile.
    """
    missing = {file.name: file for file in place.archive.files}
    read = _read_folder if place.path.is_dir() else _read_archive
    for name, content in read(place):
        del missing[name]
        yield name, content
    if missing:
        raise UserError(f"{printable(place.path)}: {', '.join(missing)} is missing; fetch it again")


def md5_of(path: Path) -> str:
    """MD5 of a file's content, read in pieces, as 32 hexadecimal digits."""
    with one_line_errors(f"read {path}"), path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def _title_of_official(place: Place) -> str:
    if place.path.is_dir() and place.archive.kind == "binary":
        return f"{place.archive.data_set} ({place.name}, known by its sizes only)"
    return place.archive.data_set


def _recognize_folder(path: Path) -> Place | None:
    here = [Place(path, archive) for archive in ARCHIVES if _holds_images(path, archive)]
    if len(here) > 1:
        folders = " and ".join(place.archive.folder for place in here)
        raise UserError(f"{path} holds files of {folders}; put each into a folder of its own")
    places = here or places_in(path)
    if len({place.archive.data_set for place in places}) > 1:
        paths = " or ".join(str(place.path) for place in places)
        raise UserError(f"{path} holds more than one data set; name one of them: {paths}")
    return places[0] if places else None


def _recognize_archive(path: Path) -> Place | None:
    # What is damaged from the start is refused, in words of their own, by those who read pictures.
    with (
        contextlib.suppress(UserError),
        contextlib.closing(file_paths(path, _LIMITS_OF_A_LOOK)) as paths,
    ):
        for inner in itertools.islice(paths, _LOOKED_AT):
            for archive in ARCHIVES:
                # A picture of a class may well be called test; CIFAR's own files lie in no other folder.
                known = {file.name for file in archive.files if file.half != "names"}
                if inner.name in known and inner.parent.name in ("", archive.folder):
                    return Place(path, archive)
    return None


def _holds_images(folder: Path, archive: OfficialArchive) -> bool:
    return any((folder / file.name).is_file() for file in archive.files if file.half != "names")


def _is_official_file(path: Path, file: OfficialFile) -> bool:
    with one_line_errors(f"read {path}"):
        if not path.is_file():
            return False
        size = path.stat().st_size
    return file.size in (None, size) and size <= file.most_bytes and file.md5 in (None, md5_of(path))


def _read_archive(place: Place) -> Iterator[tuple[str, bytes]]:
    return read_members(place.path, {file.name: file.most_bytes for file in place.archive.files}, _LIMITS)


def _read_folder(place: Place) -> Iterator[tuple[str, bytes]]:
    for file in place.archive.files:
        path = _checked(place.path, file)
        with one_line_errors(f"read {path}"):
            content = path.read_bytes()
        yield file.name, content


def _checked(folder: Path, file: OfficialFile) -> Path:
    """The path of a file that is safe to read: a pipe would never end, and a device neither."""
    path = folder / file.name
    with one_line_errors(f"read {path}"):
        state = path.stat()
    if not stat.S_ISREG(state.st_mode):
        raise UserError(f"{path} is not a plain file; fetch it again")
    if state.st_size > file.most_bytes:
        raise UserError(f"{path} is larger than {file.most_bytes:,} bytes; fetch it again")
    return path
