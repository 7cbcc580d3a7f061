"""The runs that the page shows, by name. A name from outside is looked up here and never made into a path."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from cifarlab import run
from cifarlab.errors import UserError, printable

REPORT = "report.html"
_READ = (run.RECIPE, run.METRICS, run.RESULT, run.WEIGHTS, REPORT)
"""All that is ever read of a run folder."""

Origin = Literal["given", "runs", "package"]


@dataclass(frozen=True)
class Shelved:
    """One run: the name under which it is asked for, and where it lies."""

    name: str
    folder: Path
    origin: Origin
    """Named by the user, found in the folder of runs, or part of the package."""


@dataclass(frozen=True)
class Shelf:
    """Where runs are looked for; what has come since is found, too."""

    given: Path | None
    runs: Path
    shipped: Mapping[str, Path]

    def entries(self) -> dict[str, Shelved]:
        """All runs by name: the one that the user named, those of the folder, those of the package.

        A folder that is a symbolic link, or holds one in the place of a run's files, is left out: it could
        lead anywhere. The package's own may be links, as some installers make them.
        """
        found: dict[str, Shelved] = {}
        folders: set[Path] = set()
        for folder, origin in self._folders():
            if folder in folders or not (origin == "package" or _is_plain(folder)):
                continue
            folders.add(folder)
            name = _free_name(folder, found)
            found[name] = Shelved(name, folder, origin)
        return found

    def find(self, name: str) -> Shelved | None:
        """The run called ``name``, or None."""
        return self.entries().get(name)

    def name_of(self, folder: Path) -> str | None:
        """The name of the run in ``folder``; None if it is not shown."""
        wanted = folder.resolve()
        return next((each.name for each in self.entries().values() if each.folder == wanted), None)

    def _folders(self) -> Iterator[tuple[Path, Origin]]:
        if self.given is not None:
            yield self.given.resolve(), "given"
        try:
            inside = run.list_runs(self.runs.resolve())
        except UserError:
            inside = []  # not readable
        yield from ((folder, "runs") for folder in inside)
        yield from ((folder.resolve(), "package") for folder in self.shipped.values())


def _is_plain(folder: Path) -> bool:
    try:
        return not folder.is_symlink() and not any((folder / name).is_symlink() for name in _READ)
    except OSError:
        return False  # not readable


def _free_name(folder: Path, taken: Mapping[str, Shelved]) -> str:
    """The folder's name, fit for an address and a page; with a number where it is taken."""
    plain = printable(os.fsencode(folder.name).decode("utf-8", "replace"))
    name, count = plain, 2
    while name in taken:
        name, count = f"{plain} ({count})", count + 1
    return name
