"""How a download goes: a bar in a terminal, a plain line now and then elsewhere."""

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, TextColumn, TimeRemainingColumn, TransferSpeedColumn
from rich.progress import Progress as Bar

from cifarlab.data.fetch.loop import Progress
from cifarlab.errors import printable

LONG_SECONDS = 300.0
"""Who has to wait longer is told what else can be done."""
FIRST_SECONDS, LINE_SECONDS, LINE_SHARE = 5.0, 30.0, 0.1
"""A plain line comes after the first; then after either of the others, but not more often than the first."""


class Screen(Protocol):
    """What lines and a state can be shown on."""

    def line(self, text: str) -> None:
        """Show a line that stays."""

    def state(self, done: int, size: int) -> None:
        """Show how far it is, if it shows that all the time."""


class Display(Progress):
    """Chooses what to say when; a screen shows it.

    Args:
        clock: seconds since any moment.
        every: seconds after which a line about the state is due in any case; None for a screen that always
            shows the state.
    """

    def __init__(
        self, screen: Screen, clock: Callable[[], float] = time.monotonic, every: float | None = LINE_SECONDS
    ) -> None:
        self._screen = screen
        self._clock = clock
        self._every = every
        self._advised = False
        self._path = Path()
        self._size = self._done = 0

    def begin(self, path: Path, url: str, done: int, size: int) -> None:
        """Say what is fetched, from where, to where, and how much of it is there."""
        self._path, self._size, self._done = path, size, done
        self._began = self._said = self._clock()
        self._first = self._said_done = done
        here = f", of which {amount(done)} are here already" if done else ""
        self.say(f"{path.name}: {amount(size)}{here}, from {url} to {path}")
        self._screen.state(done, size)

    def received(self, done: int) -> None:
        """Show it, and say now and then how long it will take."""
        self._done = done
        self._screen.state(done, self._size)
        now = self._clock()
        if now - self._said < FIRST_SECONDS or done >= self._size:
            return
        left = seconds_left(now - self._began, done - self._first, self._size - done)
        self._line_if_due(now, left)
        if left is not None and left > LONG_SECONDS:
            self._advise(f"this will take {duration(left)}")

    def say(self, text: str) -> None:
        """Show one line that stays."""
        self._screen.line(printable(text))

    def trouble(self, reason: str, pause: float) -> None:
        """Say what went wrong, and once what else can be done."""
        kept = f"; {amount(self._done)} are kept" if self._done else ""
        self.say(f"the host: {reason}{kept}; trying again in {duration(pause)}")
        self._advise("the host may be away for a while")

    def _line_if_due(self, now: float, left: float | None) -> None:
        first = self._said == self._began
        further = self._done - self._said_done >= LINE_SHARE * self._size
        if self._every is None or not (first or further or now - self._said >= self._every):
            return
        rate = (self._done - self._first) / (now - self._began)
        rest = "no end in sight" if left is None else f"{duration(left)} left"
        share = self._done / self._size
        self.say(f"{amount(self._done)} of {amount(self._size)} ({share:.0%}), {amount(rate)}/s, {rest}")
        self._said, self._said_done = now, self._done

    def _advise(self, reason: str) -> None:
        if self._advised:
            return
        self._advised = True
        self.say(f"{reason}. You can also")
        self.say("- stop it (Ctrl-C), and go on later with the same command;")
        self.say(f"- put the file, fetched by other means, at {self._path}: size and MD5 are checked;")
        self.say("- use a folder that torchvision has filled: --data FOLDER, or CIFARLAB_DATA=FOLDER.")


class PlainScreen(Screen):
    """Lines only, for pipes and log files. A reader that goes away does not stop the download."""

    def line(self, text: str) -> None:
        """Print it."""
        with contextlib.suppress(OSError):
            print(text, flush=True)

    def state(self, done: int, size: int) -> None:
        """Nothing: only lines."""


class BarScreen(Screen):
    """A bar with bytes, rate and time left; lines appear above it."""

    def __init__(self, bar: Bar) -> None:
        self._bar = bar
        self._task = bar.add_task("fetch", total=None, visible=False)

    def line(self, text: str) -> None:
        """Print it above the bar."""
        self._bar.console.print(text, markup=False, highlight=False, emoji=False, soft_wrap=True)

    def state(self, done: int, size: int) -> None:
        """Move the bar."""
        self._bar.update(self._task, completed=done, total=size, visible=True)


@contextlib.contextmanager
def display() -> Iterator[Display]:
    """A bar where standard output is a terminal, otherwise plain lines."""
    if not sys.stdout.isatty():
        yield Display(PlainScreen())
        return
    columns = (
        TextColumn("{task.percentage:>3.0f}%"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Bar(*columns, console=Console(), speed_estimate_period=60) as bar:
        yield Display(BarScreen(bar), every=None)


def seconds_left(passed: float, received: int, missing: int) -> float | None:
    """How long the rest will take at the rate so far; None if nothing has come."""
    return passed * missing / received if received > 0 else None


def amount(count: float) -> str:
    """Bytes in decimal units, as hosts and disks count them."""
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count:.0f} bytes"


def duration(seconds: float) -> str:
    """A time in the unit that people would use."""
    if seconds >= 2 * 3600:
        return f"about {seconds / 3600:.0f} hours"
    if seconds >= 120:
        return f"about {seconds / 60:.0f} minutes"
    return f"{seconds:.0f} s"
