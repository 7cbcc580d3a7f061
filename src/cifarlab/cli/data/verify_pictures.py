"""The part of ``cifarlab data verify`` that reads folders and archives of pictures."""

import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from cifarlab.data.archive import list_archive, read_archive
from cifarlab.data.folder import read_picture_file
from cifarlab.data.layout import DEEPEST, Listing, arrange, is_hidden, is_ignored
from cifarlab.data.pictures import Preparation, decode
from cifarlab.data.zip_archive import is_zip, list_zip, read_zip
from cifarlab.errors import UserError, printable
from cifarlab.files import one_line_errors

MOST_SHOWN = 20
"""Unreadable pictures that are named; the others are counted."""


def verify_pictures(path: Path) -> tuple[tuple[str, ...], list[int], list[int]]:
    """Decode every picture of a folder or an archive, past any cached copy, and print the unreadable ones.

    Returns:
        The class names, the labels of the training set and those of the test set.

    Raises:
        UserError: the folders are not arranged as they must be, or any picture is unreadable.
    """
    name = printable(path.resolve().name)
    layout = arrange(*_listing(path), name)
    wanted = {file for half in (layout.train, layout.test) for file, _ in half}
    print(f"{printable(path)}: {len(wanted):,} pictures")
    unreadable = 0
    for file, content in _contents(path, wanted):
        try:
            decode(content, Preparation(), f"{name}/{file}")
        except UserError as error:
            unreadable += 1
            if unreadable <= MOST_SHOWN:
                print(f"  {error}")
    if unreadable > MOST_SHOWN:
        print(f"  and {unreadable - MOST_SHOWN:,} more")
    if unreadable:
        raise UserError(
            f"{path}: {unreadable:,} of {len(wanted):,} pictures are unreadable; replace or remove them"
        )
    return layout.class_names, [label for _, label in layout.train], [label for _, label in layout.test]


def _listing(path: Path) -> Listing:
    if path.is_dir():
        return _list_folder(path)
    return list_zip(path, is_ignored) if is_zip(path) else list_archive(path, is_ignored)


def _list_folder(path: Path) -> Listing:
    def fail(error: OSError) -> None:
        raise error

    folders: list[PurePosixPath] = []
    files: list[PurePosixPath] = []
    with one_line_errors(f"read {path}"):
        for top, inner_folders, inner_files in os.walk(path, followlinks=True, onerror=fail):
            inside = PurePosixPath(Path(top).relative_to(path))
            if len(inside.parts) >= DEEPEST:  # a link to a folder above would even go round in a circle
                raise UserError(f"{top} is a folder where a picture is expected")
            inner_folders[:] = [name for name in inner_folders if not is_hidden(name)]
            folders += [inside / name for name in inner_folders]
            files += [each for each in (inside / name for name in inner_files) if not is_ignored(each)]
    return folders, files


def _contents(path: Path, wanted: set[str]) -> Iterator[tuple[str, bytes]]:
    if path.is_dir():
        return ((file, read_picture_file(path / file)) for file in sorted(wanted))
    return read_zip(path, wanted) if is_zip(path) else read_archive(path, wanted)
