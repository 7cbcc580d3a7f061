"""Which file of a data set is which image of which class, told from the paths alone.

Either the class folders are at the top, or folders named ``train`` and ``test`` are, with the same class
folders in each. One folder may wrap it all, as archives often have it.
"""

import itertools
import os
import unicodedata
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath

import numpy as np

from cifarlab.errors import UserError, printable

DEEPEST = 4
"""Of a path in a data set: wrapper/train/class/picture."""
_HALVES = ("train", "test")
_SYSTEM_NAMES = {"__MACOSX", "Thumbs.db", "desktop.ini", "Icon\r"}
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


def is_ignored(path: PurePosixPath) -> bool:
    """Whether a file is none of the data set's business: hidden, a system's, or a note by its ending."""
    return any(map(is_hidden, path.parts)) or is_note(path.name)


def is_hidden(name: str) -> bool:
    """Whether a file or folder of this name is hidden or a system's, with all that is in it."""
    return name.startswith(".") or name in _SYSTEM_NAMES


def is_note(name: str) -> bool:
    """Whether a file is a note about the data set, by the ending of its name."""
    return os.path.splitext(name)[1].lower() in _NOTE_ENDINGS


def arrange(folders: Iterable[PurePosixPath], files: Iterable[PurePosixPath], name: str) -> Layout:
    """Find the classes and both halves in the paths of a data set.

    Classes are sorted by name, and the files of a class too, so that the order does not depend on where the
    paths come from. Without ``train`` and ``test``, one sixth of each class becomes the test set.

    Raises:
        UserError: ``name`` and what is wrong: an empty class, a class that one half lacks, …
    """
    pictures = sorted(files)
    for one, next_one in itertools.pairwise(pictures):
        if one == next_one:
            raise UserError(f"{name}: {printable(one)} is there twice; keep one of them")
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
        if not content:
            raise UserError(f"{name}: {printable(file)} is in no class folder; {_expected(name)}")
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


def _expected(name: str) -> str:
    return (
        f"put each picture into a folder named after its class, as in {name}/cat/1.png and {name}/dog/2.png"
    )


def _root(inside: Collection[PurePosixPath]) -> PurePosixPath:
    """The folder that wraps the data set, or the top."""
    tops = [folder for folder in inside if len(folder.parts) == 1]
    wrapped = len(tops) == 1 and tops[0].name not in _HALVES
    return tops[0] if wrapped and any(folder.parent == tops[0] for folder in inside) else PurePosixPath()


def _class_names(names: Collection[str], data_set: str) -> tuple[str, ...]:
    if len(names) < 2:
        raise UserError(
            f"{data_set}: found {len(names)} class folders with pictures; at least 2 are needed: "
            f"{_expected(data_set)}"
        )
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
