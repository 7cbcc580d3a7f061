"""The part of ``cifarlab data verify`` that reads folders and archives of pictures."""

from pathlib import Path

from cifarlab.data.folder import contents, layout_of
from cifarlab.data.pictures import Preparation, decode
from cifarlab.errors import UserError, printable

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
    layout = layout_of(path, name)
    wanted = {file for half in (layout.train, layout.test) for file, _ in half}
    print(f"{printable(path)}: {len(wanted):,} pictures")
    unreadable = 0
    for file, content in contents(path, wanted):
        try:
            if isinstance(content, UserError):
                raise content
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
