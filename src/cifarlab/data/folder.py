"""A folder or a tar archive of pictures, one sub-folder per class, as a data set.

Either the class folders are at the top, or folders named ``train`` and ``test`` are, with the same class
folders in each. One folder may wrap it all, as archives often have it.
"""

import dataclasses
import difflib
import functools
import hashlib
import os
import sys
import time
import unicodedata
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
import torch

from cifarlab.data.archive import MAX_MEMBER_BYTES, list_archive, read_archive
from cifarlab.data.cache import Prepared, cache_folder, open_cached
from cifarlab.data.pictures import Preparation, decode
from cifarlab.data.split import Source, Split
from cifarlab.errors import UserError, nearest, printable
from cifarlab.files import one_line_errors, sha256_of

_HALVES = ("train", "test")
_DEEPEST = 4  # wrapper/train/class/picture
_SYSTEM_NAMES = {"__MACOSX", "Thumbs.db", "desktop.ini"}
_NOTE_ENDINGS = {".txt", ".csv", ".json", ".md"}
_SPLIT_SEED = 0

Listing = tuple[list[PurePosixPath], list[PurePosixPath]]
"""The folders and the files of a data set, as paths inside it, in any order."""


@dataclass(frozen=True)
class Layout:
    """Which file is which image: for each half, paths and labels in the order of the images."""

    class_names: tuple[str, ...]
    train: tuple[tuple[str, int], ...]
    test: tuple[tuple[str, int], ...]
    test_set: str
    """Where the test set comes from, in words."""


def open_pictures(path: Path, preparation: Preparation = Preparation()) -> Source:  # noqa: B008 (frozen)
    """The data set in a folder, or in a tar archive (plain, gzip, bzip2 or xz), through the cache.

    Files that begin with a dot and the like are passed over; every other file must be a picture.

    Raises:
        UserError: the path, a picture or the arrangement of the folders is wrong; the message names it.
    """
    with one_line_errors(f"read {path}"):
        if not path.exists():
            raise no_such_path(path)
        if not (path.is_dir() or path.is_file()):
            raise UserError(f"{printable(path)} is neither a folder nor a tar archive")
    name = printable(path.resolve().name)
    prepare = functools.partial(_prepare, path, preparation, name)
    source = open_cached(name, preparation, functools.partial(_identity, path), prepare)
    return dataclasses.replace(source, read_names=functools.partial(_image_names, path, name))


def _identity(path: Path) -> str:
    return _folder_identity(path) if path.is_dir() else sha256_of(path)


def _layout(path: Path, name: str) -> Layout:
    listing = _list_folder(path) if path.is_dir() else list_archive(path, is_ignored)
    return arrange(*listing, name)


def _image_names(path: Path, name: str) -> tuple[list[str], list[str]]:
    """The path inside the data set of every image of both halves."""
    layout = _layout(path, name)
    return [file for file, _ in layout.train], [file for file, _ in layout.test]


def _prepare(path: Path, preparation: Preparation, name: str) -> Prepared:
    """Read and decode every picture, after all that can be checked without that."""
    layout = _layout(path, name)
    pictures = len(layout.train) + len(layout.test)
    if pictures > _most_pictures(preparation):
        gigabytes = pictures * 3 * preparation.size**2 / 1e9
        raise UserError(
            f"{name}: {pictures:,} pictures of {preparation.size} × {preparation.size} pixels take "
            f"{gigabytes:,.1f} GB, more than a quarter of this machine's memory; use fewer"
        )
    where = printable(cache_folder())
    print(f"preparing {pictures:,} pictures from {name} (once; then cached in {where})", file=sys.stderr)
    start = time.monotonic()
    prepared = _decode_all(path, layout, preparation, name)
    print(f"prepared in {time.monotonic() - start:.0f} s", file=sys.stderr)
    return prepared


def _most_pictures(preparation: Preparation) -> int:
    """How many pictures fit into a quarter of the machine's memory.

    A quarter, because writing them to the cache holds nearly three copies of them for a moment.
    """
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return memory // 4 // (3 * preparation.size**2)


def no_such_path(path: Path, names: Iterable[str] = ()) -> UserError:
    """The error for a path that does not exist: it names the nearest of ``names`` and of the siblings."""
    try:
        siblings = sorted(entry for entry in os.listdir(path.parent) if not entry.startswith("."))
    except OSError:
        siblings = []
    # Only the closest few: a folder may hold thousands of names, and the message is one line.
    close = difflib.get_close_matches(path.name, [*names, *siblings], n=5, cutoff=0.0)
    return UserError(f"there is no file or folder {printable(path)}; {printable(nearest(path.name, close))}")


def is_ignored(path: PurePosixPath) -> bool:
    """Whether a file is none of the data set's business: hidden, a system's, or a note by its ending."""
    return _is_hidden(path) or path.suffix.lower() in _NOTE_ENDINGS


def arrange(folders: Iterable[PurePosixPath], files: Iterable[PurePosixPath], name: str) -> Layout:
    """Find the classes and both halves in the paths of a data set.

    Classes are sorted by name, and the files of a class too, so that the order does not depend on where the
    paths come from. Without ``train`` and ``test``, one sixth of each class becomes the test set.

    Raises:
        UserError: ``name`` and what is wrong: an empty class, a class that one half lacks, …
    """
    pictures = sorted(set(files))
    inside = {*folders, *(parent for file in pictures for parent in file.parents)} - {PurePosixPath()}
    root = _root(inside)
    tops = {folder.name for folder in inside if folder.parent == root}
    halved = any(folder.parent == root / half for folder in inside for half in _HALVES)
    if (halved and tops != set(_HALVES)) or (not halved and tops >= set(_HALVES)):
        raise UserError(
            f"{name}: found {', '.join(map(printable, sorted(tops)))} at the top; expected the folders train "
            "and test, each with the class folders in it, or the class folders themselves"
        )
    roots = [root / half for half in _HALVES] if halved else [root]
    content: dict[PurePosixPath, list[str]] = {folder: [] for folder in inside if folder.parent in roots}
    for file in pictures:
        if file.parent not in content:
            raise UserError(f"{name}: {printable(file)} is not in a class folder; move or remove it")
        content[file.parent].append(str(file))
    for folder in sorted(content):
        if not content[folder]:
            raise UserError(f"{name}: the class folder {printable(folder)} is empty; fill or remove it")
    class_names = _class_names({folder.name for folder in content}, name)
    by_half = [{_composed(f.name): content[f] for f in content if f.parent == top} for top in roots]
    if halved:
        _refuse_missing(class_names, by_half, name)
        train, test = by_half
    else:
        train, test = _split_off(by_half[0], name)
    test_set = "given" if halved else f"one sixth of each class, seed {_SPLIT_SEED}"
    return Layout(class_names, _labeled(class_names, train), _labeled(class_names, test), test_set)


def _root(inside: Collection[PurePosixPath]) -> PurePosixPath:
    """The folder that wraps the data set, or the top."""
    tops = [folder for folder in inside if len(folder.parts) == 1]
    wrapped = len(tops) == 1 and tops[0].name not in _HALVES
    return tops[0] if wrapped and any(folder.parent == tops[0] for folder in inside) else PurePosixPath()


def _class_names(names: Collection[str], data_set: str) -> tuple[str, ...]:
    if len(names) < 2:
        raise UserError(f"{data_set}: found {len(names)} class folders with pictures; at least 2 are needed")
    spellings: dict[str, str] = {}
    for name in sorted(names):
        if not name.isprintable():
            raise UserError(
                f"{data_set}: the class name {printable(name)} cannot be shown; rename the folder"
            )
        other = spellings.setdefault(_composed(_composed(name).casefold()), name)
        if other != name:
            raise UserError(
                f"{data_set}: two classes with one name, {other} and {name}; rename or merge them"
            )
    return tuple(sorted(map(_composed, names)))


def _refuse_missing(class_names: tuple[str, ...], by_half: list[dict[str, list[str]]], name: str) -> None:
    for half, content in zip(_HALVES, by_half, strict=True):
        for class_name in class_names:
            if class_name not in content:
                raise UserError(f"{name}: the class {class_name} is missing from {half}; add pictures of it")


def _composed(name: str) -> str:
    """A name in Unicode's composed form, so that it is the same from every file system."""
    return unicodedata.normalize("NFC", name)


def _split_off(content: dict[str, list[str]], name: str) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """The files of each class to train on, and the sixth of them to test on."""
    random = np.random.RandomState(_SPLIT_SEED)
    train, test = {}, {}
    for class_name, files in sorted(content.items()):
        if len(files) < 2:
            raise UserError(
                f"{name}: the class {class_name} has 1 picture; a test set needs at least 2 per class"
            )
        chosen = set(random.permutation(len(files))[: max(1, round(len(files) / 6))].tolist())
        train[class_name] = [file for index, file in enumerate(files) if index not in chosen]
        test[class_name] = [file for index, file in enumerate(files) if index in chosen]
    return train, test


def _labeled(class_names: tuple[str, ...], content: dict[str, list[str]]) -> tuple[tuple[str, int], ...]:
    return tuple((file, label) for label, name in enumerate(class_names) for file in content[name])


def _is_hidden(path: PurePosixPath) -> bool:
    return any(part.startswith(".") or part in _SYSTEM_NAMES for part in path.parts)


def _list_folder(path: Path) -> Listing:
    folders, files = [], []
    pending = [PurePosixPath()]
    while pending:
        folder = pending.pop()
        with one_line_errors(f"read {path / folder}"):
            entries = list(os.scandir(path / folder))
        for entry in entries:
            inner = folder / entry.name
            if _is_hidden(inner):
                continue
            with one_line_errors(f"read {path / inner}"):
                is_folder, is_file = entry.is_dir(), entry.is_file()
            if is_folder:
                if len(inner.parts) == _DEEPEST:  # a link to a folder above would even go round in a circle
                    raise UserError(f"{printable(path / inner)} is a folder where a picture is expected")
                folders.append(inner)
                pending.append(inner)
            elif not is_ignored(inner):
                if not is_file:
                    raise UserError(f"{printable(path / inner)} is not a plain file; remove it")
                files.append(inner)
    return folders, files


def _folder_identity(path: Path) -> str:
    """A hash over the paths in a folder and the sizes and times of its files."""
    folders, files = _list_folder(path)
    with one_line_errors(f"read {path}"):
        states = [(str(file), (path / file).stat()) for file in sorted(files)]
    parts = [*map(str, sorted(folders)), *((file, s.st_size, s.st_mtime_ns) for file, s in states)]
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def _read_folder(path: Path, wanted: Iterable[str]) -> Iterator[tuple[str, bytes]]:
    for file in wanted:
        with one_line_errors(f"read {path / file}"):
            if (path / file).stat().st_size > MAX_MEMBER_BYTES:
                raise UserError(f"{printable(path / file)} is larger than {MAX_MEMBER_BYTES // 2**20} MiB")
            content = (path / file).read_bytes()
        yield file, content


def _decode_all(path: Path, layout: Layout, preparation: Preparation, name: str) -> Prepared:
    """Both halves, each picture decoded straight into its place, in whatever order they are read."""
    size = preparation.size
    halves = [(half, np.empty((len(half), 3, size, size), np.uint8)) for half in (layout.train, layout.test)]
    rows = {file: images[row] for half, images in halves for row, (file, _) in enumerate(half)}
    read = _read_folder if path.is_dir() else read_archive
    for file, content in read(path, rows):
        rows[file][:] = decode(content, preparation, f"{name}/{file}")
    train, test = (
        Split(torch.from_numpy(images), torch.tensor([label for _, label in half]), layout.class_names)
        for half, images in halves
    )
    return Prepared(train, test, layout.test_set)
