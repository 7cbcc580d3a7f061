"""A folder or an archive of pictures, one sub-folder per class, as a data set; ``layout`` says how."""

import dataclasses
import difflib
import functools
import hashlib
import os
import stat
import sys
import time
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path, PurePosixPath

import numpy as np
import torch

from cifarlab.data.archive import MAX_MEMBER_BYTES, list_archive, read_archive
from cifarlab.data.cache import Prepared, open_cached
from cifarlab.data.layout import DEEPEST, Layout, Listing, arrange, is_hidden, is_ignored, is_note
from cifarlab.data.locations import cache_folder
from cifarlab.data.memory import PREPARING_COPIES, refuse_beyond_memory
from cifarlab.data.pictures import Preparation, decode
from cifarlab.data.split import Source, Split
from cifarlab.data.zip_archive import is_zip, list_zip, read_zip
from cifarlab.errors import UserError, from_os_error, nearest, printable
from cifarlab.files import one_line_errors, sha256_of

MAX_UNREADABLE = 100
"""After so many pictures that cannot be read the others are not tried."""


def open_pictures(path: Path, preparation: Preparation = Preparation()) -> Source:  # noqa: B008 (frozen)
    """The data set in a folder or archive (zip; tar, plain or with gzip, bzip2 or xz), through the cache.

    Files that begin with a dot and the like are passed over; every other file must be a picture.

    Raises:
        UserError: the path, a picture or the arrangement of the folders is wrong; the message names it.
    """
    with one_line_errors(f"read {path}"):
        if not path.exists():
            raise no_such_path(path)
        if not (path.is_dir() or path.is_file()):
            raise UserError(f"{printable(path)} is neither a folder nor a tar or zip archive")
    name = printable(path.resolve().name)
    prepare = functools.partial(_prepare, path, preparation, name)
    source = open_cached(name, preparation, functools.partial(_identity, path), prepare)
    return dataclasses.replace(source, read_names=functools.partial(_image_names, path, name))


def read_picture_file(path: Path) -> bytes:
    """The content of one file that the user says is a picture.

    Raises:
        UserError: it cannot be read, is no plain file (a pipe would never end), or is too large.
    """
    with one_line_errors(f"read {path}"):
        state = path.stat()
        if not (stat.S_ISREG(state.st_mode) or stat.S_ISDIR(state.st_mode)):
            raise UserError(f"{printable(path)} is not a plain file; name a picture")
        if state.st_size > MAX_MEMBER_BYTES:
            raise UserError(f"{printable(path)} is larger than {MAX_MEMBER_BYTES // 2**20} MiB; shrink it")
        return path.read_bytes()


def all_unreadable(errors: list[tuple[str, UserError]], tried: int) -> UserError:
    """One error for the pictures that could not be read, each with its name, out of so many ``tried``."""
    (_, first), *others = errors
    if not others:
        return first
    more = f" and {len(others) - 3} more" if len(others) > 3 else ""
    named = ", ".join(name for name, _ in others[:3])
    return UserError(
        f"{len(errors)} of {tried:,} pictures cannot be read: {first}; the same for {named}{more}"
    )


def no_such_path(path: Path, names: Iterable[str] = ()) -> UserError:
    """The error for a path that does not exist: it names the nearest of ``names`` and of the siblings."""
    try:
        siblings = sorted(entry for entry in os.listdir(path.parent) if not entry.startswith("."))
    except OSError:
        siblings = []
    # Only the closest few: a folder may hold thousands of names, and the message is one line.
    close = difflib.get_close_matches(path.name, [*names, *siblings], n=5, cutoff=0.0)
    return UserError(f"there is no file or folder {printable(path)}; {printable(nearest(path.name, close))}")


def _identity(path: Path) -> str:
    """What changes whenever the data set does: of a folder, paths and the files' sizes and times.

    Two files may change names with sizes and times of content alike; the system's own time of change tells.
    """
    if not path.is_dir():
        return sha256_of(path)
    states = sorted(
        # Of a folder its path alone: its time also changes when a hidden file is written into it.
        (inner, *((0, 0, 0) if stat.S_ISDIR(state.st_mode) else _file_state(state)))
        for inner, state in _scan(path)
    )
    return hashlib.sha256(repr(states).encode()).hexdigest()


def _file_state(state: os.stat_result) -> tuple[int, int, int]:
    return state.st_size, state.st_mtime_ns, state.st_ctime_ns


def layout_of(path: Path, name: str) -> Layout:
    """Which file of a folder or archive is which image; ``name`` is what messages call it."""
    return arrange(*_listing(path), name)


def _listing(path: Path) -> Listing:
    if not path.is_dir():
        return list_zip(path, is_ignored) if is_zip(path) else list_archive(path, is_ignored)
    folders: list[PurePosixPath] = []
    files: list[PurePosixPath] = []
    for inner, state in _scan(path):
        (folders if stat.S_ISDIR(state.st_mode) else files).append(PurePosixPath(inner))
    return folders, files


def _image_names(path: Path, name: str) -> tuple[list[str], list[str]]:
    """The path inside the data set of every image of both halves."""
    layout = layout_of(path, name)
    return [file for file, _ in layout.train], [file for file, _ in layout.test]


def _scan(path: Path) -> Iterator[tuple[str, os.stat_result]]:
    """Every folder and file of a data set with its state, links followed, in any order."""
    pending = [""]
    while pending:
        folder = pending.pop()
        with one_line_errors(f"read {path / folder}"), os.scandir(path / folder) as entries:
            for entry in entries:
                inner = f"{folder}{entry.name}"
                if is_hidden(entry.name):
                    continue
                try:
                    state = entry.stat()
                except OSError as error:  # a link that leads nowhere, or in a circle
                    raise from_os_error(error, f"read {path / inner}") from error
                if stat.S_ISDIR(state.st_mode):
                    # Too deep; a link to a folder above would even go round in a circle.
                    if inner.count("/") + 1 == DEEPEST:
                        raise UserError(
                            f"{printable(path / inner)} is a folder where a picture is expected; move or "
                            "remove it"
                        )
                    pending.append(f"{inner}/")
                elif is_note(entry.name):
                    continue
                elif not stat.S_ISREG(state.st_mode):
                    raise UserError(f"{printable(path / inner)} is not a plain file; remove it")
                yield inner, state


def _prepare(path: Path, preparation: Preparation, name: str) -> Prepared:
    """Read and decode every picture, after all that can be checked without that."""
    layout = layout_of(path, name)
    pictures = len(layout.train) + len(layout.test)
    refuse_beyond_memory(name, pictures, preparation.size, PREPARING_COPIES)
    where = printable(cache_folder())
    print(f"preparing {pictures:,} pictures from {name} (once; then cached in {where})", file=sys.stderr)
    start = time.monotonic()
    prepared = _decode_all(path, layout, preparation, name)
    print(f"prepared in {time.monotonic() - start:.0f} s", file=sys.stderr)
    return prepared


def _decode_all(path: Path, layout: Layout, preparation: Preparation, name: str) -> Prepared:
    """Both halves, each picture decoded straight into its place, in whatever order they are read."""
    size = preparation.size
    halves = [(half, np.empty((len(half), 3, size, size), np.uint8)) for half in (layout.train, layout.test)]
    rows = {file: images[row] for half, images in halves for row, (file, _) in enumerate(half)}
    unreadable: list[tuple[str, UserError]] = []
    for tried, (file, content) in enumerate(contents(path, rows), start=1):
        try:
            if isinstance(content, UserError):
                raise content
            rows[file][:] = decode(content, preparation, f"{name}/{file}")
        except UserError as error:
            unreadable.append((f"{name}/{file}", error))
            if len(unreadable) == MAX_UNREADABLE:
                raise all_unreadable(unreadable, tried) from error
    if unreadable:
        raise all_unreadable(unreadable, len(rows))
    train, test = (
        Split(torch.from_numpy(images), torch.tensor([label for _, label in half]), layout.class_names)
        for half, images in halves
    )
    return Prepared(train, test, layout.test_set)


def contents(path: Path, wanted: Collection[str]) -> Iterator[tuple[str, bytes | UserError]]:
    """Every wanted file with its content, or with why it has none, in any order."""
    if path.is_dir():
        return _read_folder(path, wanted)
    return read_zip(path, wanted) if is_zip(path) else read_archive(path, wanted)


def _read_folder(path: Path, wanted: Iterable[str]) -> Iterator[tuple[str, bytes | UserError]]:
    for file in wanted:
        try:
            yield file, read_picture_file(path / file)
        except UserError as error:
            yield file, error
