"""``cifarlab data verify``: archives and folders, read from the first to the last byte."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import tyro

from cifarlab.cli.data.archives import DATA_SETS
from cifarlab.cli.parsing import parse
from cifarlab.cli.tables import print_table
from cifarlab.errors import UserError, printable
from cifarlab.files import one_line_errors

if TYPE_CHECKING:
    from cifarlab.data.cifar.place import Place


@dataclass(frozen=True)
class Options:
    """Check size, MD5 sum, every image and every label, and count the images of each class.

    Read are archives of CIFAR, the folders that they unpack to, and folders and archives of pictures.
    """

    data: tyro.conf.Positional[tuple[str, ...]] = ()
    """cifar10, cifar100, cifar12 or paths (default: all that lies in the folder of archives)."""


@dataclass(frozen=True)
class Check:
    """One thing to check."""

    path: Path
    place: "Place | None"
    """What is there; None for pictures."""
    must_be_official: bool


def main(arguments: list[str]) -> None:
    """Parse, check one after the other, print.

    Raises:
        UserError: something is wrong with any of them; the others are checked nevertheless.
    """
    checks = _checks(parse(Options, "data verify", arguments).data)
    wrong = []
    for check in checks:
        try:
            _verify(check)
        except UserError as error:
            if len(checks) == 1:
                raise
            print(f"  wrong: {error}")
            wrong.append(str(check.path))
    if wrong:
        raise UserError(f"{len(wrong)} of {len(checks)} are not sound: {', '.join(wrong)}")


def _checks(names: Iterable[str]) -> list[Check]:
    from cifarlab.data.cifar.place import absent, places_in, recognize
    from cifarlab.data.folder import no_such_path
    from cifarlab.data.locations import archives_folder

    folder = archives_folder()
    stored = places_in(folder)
    if not names:
        if not stored:
            raise UserError(f"there is no archive in {folder}; name a path, or: cifarlab data fetch cifar10")
        return [Check(place.path, place, must_be_official=True) for place in stored]
    checks = []
    for name in names:
        if name not in DATA_SETS:
            with one_line_errors(f"read {name}"):
                exists = Path(name).exists()
            if not exists:
                raise no_such_path(Path(name), DATA_SETS)
            place = recognize(Path(name))
            checks.append(Check(place.path if place else Path(name), place, must_be_official=False))
            continue
        for data_set in DATA_SETS[name]:
            places = [place for place in stored if place.archive.data_set == data_set]
            if not places:
                raise absent(data_set)
            checks += [Check(place.path, place, must_be_official=True) for place in places]
    return checks


def _verify(check: Check) -> None:
    """Check one thing and print what it is and what is in it."""
    if check.place is None:
        from cifarlab.cli.data.verify_pictures import verify_pictures

        print_counts(*verify_pictures(check.path))
        return
    from cifarlab.data.cifar.batch import class_names
    from cifarlab.data.cifar.place import refuse_unofficial
    from cifarlab.data.cifar.sets import load

    print(f"{printable(check.path)}: {_what_it_is(check.place)}")
    if check.must_be_official:
        refuse_unofficial(check.place)
    train, test = load(check.place)
    names = class_names(check.place.archive.data_set)
    print_counts(names, train.labels.tolist(), test.labels.tolist())


def _what_it_is(place: "Place") -> str:
    """Size and sum, and whose they are."""
    from cifarlab.data.cifar.place import is_official, md5_of, title

    archive = place.archive
    if place.path.is_dir():
        return f"a folder of files; {title(place)}"
    facts = f"{place.path.stat().st_size:,} bytes, MD5 {md5_of(place.path)}"
    if is_official(place):
        return f"{facts}; the official {archive.file_name}"
    return f"{facts}; not the official {archive.file_name} ({archive.size:,} bytes, MD5 {archive.md5})"


def print_counts(class_names: tuple[str, ...], train: list[int], test: list[int]) -> None:
    """Images per class of both halves: a line each where all classes have as many, else a table.

    Args:
        train: the labels of the training set.
        test: those of the test set.
    """
    counts = [[half.count(label) for label in range(len(class_names))] for half in (train, test)]
    for half, of_half in zip(("train", "test"), counts, strict=True):
        each = f"{of_half[0]:,} in each of" if len(set(of_half)) == 1 else "in"
        print(f"  {half}: {sum(of_half):,} images, {each} {len(class_names)} classes")
    if any(len(set(of_half)) > 1 for of_half in counts):
        from rich.table import Table

        table = Table("class", "train", "test")
        for name, in_train, in_test in zip(class_names, *counts, strict=True):
            table.add_row(printable(name), f"{in_train:,}", f"{in_test:,}")
        print_table(table)
