"""The runs that are there already, found by what decides their numbers instead of by their names."""

import contextlib
from pathlib import Path

import filelock

from cifarlab import run
from cifarlab.checkpoint import remove_states
from cifarlab.errors import UserError
from cifarlab.files import one_line_errors
from cifarlab.studies.plan import PlannedRun, folder_name, identity_of
from cifarlab.studies.wholeness import damage

_NAMES = 100
"""So many folders are tried for a run before its study gives up."""


class RunStore:
    """The run folders directly in ``folder``, whoever made them.

    What is damaged, or no run, is passed over and left as it is. Runs that appear later are seen, too.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._keys: dict[Path, str | None] = {}

    def find(self, key: str) -> Path | None:
        """The run with that identity key: one that has ended before one that has not, then by name."""
        found = [path for path in self._all(key) if damage(path) is None]
        return min(found, key=lambda path: (ending_of(path) is None, path.name), default=None)

    def damaged(self, key: str) -> dict[Path, str]:
        """The runs with that identity key that are passed over, and what is wrong with each."""
        found = {path: damage(path) for path in self._all(key)}
        return {path: complaint for path, complaint in found.items() if complaint is not None}

    def place(self, planned: PlannedRun, key: str) -> Path:
        """Where ``planned`` is, or is to be made: beside what is damaged or something else."""
        found = self.find(key)
        if found is not None:
            return found
        name = folder_name(planned, key)
        names = [name, *(f"{name}-{count}" for count in range(2, _NAMES + 1))]
        free = (self._folder / each for each in names if self._is_free(self._folder / each, key))
        return next(free, self._folder / name)  # where none is free, who tries to begin there says why

    def _is_free(self, folder: Path, key: str) -> bool:
        try:
            run.refuse_existing(folder)
        except UserError:  # unless another process has begun this very run since we looked
            return self._key(folder) == key and damage(folder) is None
        return True

    def _all(self, key: str) -> list[Path]:
        return [path for path in run.list_runs(self._folder) if self._key(path) == key]

    def _key(self, path: Path) -> str | None:
        """The identity key of a run folder, which never changes; None where it cannot be read."""
        if path not in self._keys:
            try:
                self._keys[path] = identity_of(run.read_description(path)).key
            except UserError:
                return None
        return self._keys[path]


def ending_of(folder: Path) -> tuple[str, str] | None:
    """How the run in ``folder`` has ended (``finished`` or ``diverged``) and why.

    None where it has not ended, where there is none, and where it is damaged: a finished run has ended only
    if it is whole.
    """
    try:
        ending = run.read_ending(folder) if run.is_run(folder) else None
    except UserError:
        return None
    if ending is None or damage(folder) is not None:
        return None
    return str(ending["status"]), str(ending.get("reason", ""))


def ending_by_key(folder: Path, key: str) -> tuple[str, str] | None:
    """The same for the run with that identity key; None, too, where another run lies in ``folder``."""
    try:
        if run.is_run(folder) and identity_of(run.read_description(folder)).key == key:
            return ending_of(folder)
    except UserError:  # a damaged description is nobody's
        return None
    return None


def tidy(folder: Path) -> None:
    """Delete the states of a finished run that was killed in the moment before it did so itself."""
    with contextlib.suppress(UserError):  # a folder that may only be read is as good
        remove_states(folder / run.STATES)


def is_claimed(folder: Path) -> bool:
    """Whether a process works on the run in ``folder`` at this moment."""
    with one_line_errors(f"look into {folder}"):
        if not (folder / ".lock").exists():
            return False
        lock = filelock.FileLock(folder / ".lock", timeout=0)
        try:
            lock.acquire()
        except filelock.Timeout:
            return True
        lock.release()
    return False
