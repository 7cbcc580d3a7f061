"""One archive on its way: attempt after attempt, until it is right or the host has had enough chances."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from cifarlab.data.cifar.official import OfficialArchive
from cifarlab.data.fetch.answer import Answer, Question, ask
from cifarlab.data.fetch.connection import BadRange, Refusal, Trouble
from cifarlab.data.fetch.part import Part
from cifarlab.errors import Unavailable, UserError
from cifarlab.files import one_line_errors

_GZIP = b"\x1f\x8b"
"""Each archive begins so; a page of a proxy does not."""


@dataclass(frozen=True)
class Patience:
    """How long a host is waited for. All times in seconds."""

    deadline: float = 30.0
    """To connect, to begin an answer, and for every KiB: after it, the connection counts as stalled."""
    first_pauses: tuple[float, ...] = (1.0, 2.0, 4.0)
    """Between attempts in a row that brought nothing, as long as nothing has come at all: it may be away."""
    pauses: tuple[float, ...] = (1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 60.0, 60.0)
    """The same, once something has come."""
    longest_pause: float = 120.0
    """A host that asks to be left alone for longer is left alone: the command ends."""
    enough: int = 2**14
    """Bytes that an attempt must bring to count as one that brought something."""


class Progress(Protocol):
    """Where a download says how it goes; it shows nothing of what it does not define."""

    def begin(self, path: Path, url: str, done: int, size: int) -> None:
        """``done`` of ``size`` bytes of the file that will be ``path`` are here; the rest is asked for."""
        return

    def received(self, done: int) -> None:
        """So many bytes are here now; fewer than before where some turned out to be wrong."""
        return

    def say(self, text: str) -> None:
        """Show one line that stays."""
        return

    def trouble(self, reason: str, pause: float) -> None:
        """An attempt failed; there will be another in ``pause`` seconds."""
        return


class Silence(Progress):
    """Shows nothing, for use from Python."""


class Download:
    """One archive on its way; what it needs at every step, and how often in a row it had no luck."""

    def __init__(
        self,
        archive: OfficialArchive,
        path: Path,
        url: str,
        part: Part,
        progress: Progress,
        patience: Patience,
        sleep: Callable[[float], None],
    ) -> None:
        self._archive = archive
        self._path = path
        self._url = url
        self._part = part
        self._progress = progress
        self._patience = patience
        self._sleep = sleep
        self._something_came = False

    def run(self) -> None:
        """Fill the part, check it and publish it; one that turns out wrong is fetched once more.

        Raises:
            UserError: the part cannot be written.
            Unavailable: the host does not give the file, or gives another one twice.
        """
        self._fill()
        if self._part.md5 != self._archive.md5:
            self._progress.say(
                f"the bytes that came for {self._path.name} have the wrong MD5; beginning again"
            )
            self._part.cut(0)
            self._fill()
        if self._part.md5 != self._archive.md5:
            found = self._part.md5
            self._part.delete()
            raise Unavailable(
                f"{self._url} is not the archive that the publisher offers: its MD5 is {found} instead of "
                f"{self._archive.md5}; try another address with --url, or put the file at {self._path}"
            )
        self._part.publish(self._path)
        self._progress.say(f"{self._path} is here: {self._archive.size:,} bytes, and its MD5 is right")

    def _fill(self) -> None:
        """Ask until all bytes are here, right or wrong."""
        size = self._archive.size
        if self._part.length < size:
            _refuse_small_disk(self._path.parent, size - self._part.length)
            self._progress.begin(self._path, self._url, self._part.length, size)
        failures = 0
        first = most = self._part.length
        while self._part.length < size:
            first, trouble = self._attempt(first)
            # Measured against the most that was ever here: a host that sends another file each time must
            # not be asked for ever.
            if self._part.length - most >= self._patience.enough:
                most, failures, self._something_came = self._part.length, 0, True
            else:
                failures += 1
            if self._part.length < size and (failures or trouble):
                self._pause(trouble or Trouble("it sends next to nothing"), failures)

    def _attempt(self, first: int) -> tuple[int, Trouble | None]:
        """Ask for the bytes from ``first`` on; what to ask for next time, and what went wrong."""
        part, size = self._part, self._archive.size
        question = Question(self._url, size, first, part.version)
        try:
            with ask(question, self._patience.deadline) as answer:
                self._receive(answer)
        except Trouble as trouble:
            return part.length, trouble
        except BadRange as trouble:
            return 0, Trouble(str(trouble))
        except Refusal as refusal:
            raise self._unavailable(str(refusal)) from refusal
        return part.length, None

    def _receive(self, answer: Answer) -> None:
        place = answer.first
        version = answer.version or (self._part.version if answer.first else "")
        for piece in answer.pieces():
            if place == 0 and not _GZIP.startswith(piece[: len(_GZIP)]):
                raise Trouble("it sends something that is no archive")
            self._part.merge(place, piece, version)
            place += len(piece)
            self._progress.received(self._part.length)

    def _pause(self, trouble: Trouble, failures: int) -> None:
        patience = self._patience
        pauses = patience.pauses if self._something_came else patience.first_pauses
        if failures > len(pauses):
            raise self._unavailable(f"{trouble} ({failures} attempts in a row brought nothing)") from trouble
        if trouble.pause > patience.longest_pause:
            reason = f"{trouble}, and asks to be left alone for {trouble.pause / 60:,.0f} minutes"
            raise self._unavailable(reason) from trouble
        pause = max(trouble.pause, pauses[max(failures, 1) - 1])
        self._progress.trouble(str(trouble), pause)
        self._sleep(pause)

    def _unavailable(self, reason: str) -> Unavailable:
        here, size = self._part.length, self._archive.size
        kept = f"{here:,} of {size:,} bytes are kept, and the same command goes on from there"
        return Unavailable(
            f"could not fetch {self._url}: {reason}; {kept if here else 'run the command again later'}, "
            f"or put the file at {self._path}, or try another address with --url"
        )


def _refuse_small_disk(folder: Path, missing: int) -> None:
    """Say at once what would otherwise come out after an hour."""
    with one_line_errors(f"look at {folder}"):
        usage = shutil.disk_usage(folder)
    if usage.total > 0 and usage.free < missing:
        raise UserError(
            f"{folder} has room for {usage.free:,} bytes, but {missing:,} are missing; free some space, or "
            "let CIFARLAB_DATA name another folder"
        )
