"""What a user sees while the runs of a study are made: a live view in a terminal, plain lines elsewhere."""

import contextlib
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

from rich.console import Console
from rich.live import Live
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn
from rich.table import Table
from torch import Tensor

from cifarlab import run
from cifarlab.errors import UserError, printable
from cifarlab.logs import REFRESH_SECONDS, Display


@dataclass(frozen=True)
class ActiveRun:
    """A run that is being made."""

    title: str
    folder: str
    epochs: int
    work: float
    """Predicted seconds on the reference machine of ``studies.cost``; 0 if unknown."""
    share: float
    """Of its epochs that are done, 0 … 1."""
    share_before: float
    """Of those, what was done when it was gone on with here."""


@dataclass(frozen=True)
class StudyState:
    """How far a study is."""

    settled: int
    """Runs that have ended, found ones too."""
    runs: int
    share: float
    """Of the whole work, 0 … 1."""
    seconds_left: float | None
    """At the speed so far; None before anything is done."""
    active: tuple[ActiveRun, ...]


class StudyDisplay(Protocol):
    """Where a study says how it goes; it shows nothing of what a display does not define."""

    def say(self, text: str) -> None:
        """Show one line that stays."""
        return

    def show(self, state: StudyState) -> None:
        """Called often, with what has just changed."""
        return

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the terminal as it was."""
        return


def study_display() -> StudyDisplay:
    """The live view where standard output is a terminal, otherwise plain lines."""
    return LiveStudy() if sys.stdout.isatty() else PlainStudy()


class SilentStudy(StudyDisplay):
    """A display that shows nothing, for use from Python."""


class PlainStudy(StudyDisplay):
    """A line when a run starts and ends. A reader that goes away does not stop the study."""

    def say(self, text: str) -> None:
        """Print the line."""
        with contextlib.suppress(OSError):
            print(printable(text), flush=True)


class LiveStudy(StudyDisplay):
    """A bar over the whole study under the runs that are being made."""

    def __init__(self) -> None:
        self._live = Live(console=Console(), auto_refresh=False)
        self._next_refresh = 0.0

    def say(self, text: str) -> None:
        """Print the line above the live view."""
        self._live.console.print(printable(text), markup=False, highlight=False, emoji=False)

    def show(self, state: StudyState) -> None:
        """Draw again, unless that was done a moment ago; the end always."""
        now = time.monotonic()
        if now >= self._next_refresh or state.settled == state.runs:
            self._next_refresh = now + REFRESH_SECONDS
            self._live.update(_view(state), refresh=True)

    def __enter__(self) -> Self:
        self._live.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.__exit__(kind, error, trace)


def _view(state: StudyState) -> Table:
    bar = Progress(
        TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TextColumn("{task.fields[left]}")
    )
    for each in state.active:
        epoch = min(each.epochs, int(each.share * each.epochs) + 1)
        text, left = printable(each.title).replace("[", r"\["), f"epoch {epoch}/{each.epochs}"
        bar.add_task(text, total=1000, completed=round(1000 * each.share), left=left)
    text = f"{state.settled} of {state.runs} runs"
    bar.add_task(text, total=1000, completed=round(1000 * state.share), left=time_left(state))
    view = Table.grid()
    view.add_row(bar)
    return view


def time_left(state: StudyState) -> str:
    """``about 5 min left``; empty where nothing is known."""
    if state.seconds_left is None or state.settled == state.runs:
        return ""
    minutes = state.seconds_left / 60
    if minutes < 1:
        return "less than a minute left"
    return f"about {minutes:.0f} min left" if minutes < 90 else f"about {minutes / 60:.1f} h left"


class StudyProgress:
    """Keeps count of a study's work and tells the display. Work is measured in predicted seconds.

    Args:
        work: of all runs of the study, by title.
    """

    def __init__(
        self, display: StudyDisplay, work: dict[str, float], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._display = display
        self._open = dict(work)
        self._total = sum(work.values())
        self._runs = len(work)
        self._made = 0.0  # by this process and its helpers, which the speed is measured by
        self._active: dict[str, ActiveRun] = {}
        self._clock = clock
        self._began: float | None = None

    def say(self, text: str) -> None:
        """Show one line that stays."""
        self._display.say(text)

    def start(self, title: str, folder: str, epochs: int, done: int) -> None:
        """A run is made from now on, or gone on with after ``done`` epochs.

        It may come again for a run whose process was lost.
        """
        if self._began is None:
            self._began = self._clock()
        if title not in self._active:
            self.say(f"{title}: goes on after epoch {done} of {epochs}" if done else f"{title}: starts")
        share = min(1.0, done / epochs)
        before = self._active[title].share_before if title in self._active else share
        self._active[title] = ActiveRun(title, folder, epochs, self._open.get(title, 0.0), share, before)
        self._display.show(self.state)

    def move(self, title: str, share: float) -> None:
        """So much of an active run is done, 0 … 1."""
        self._active[title] = replace(self._active[title], share=share)
        self._display.show(self.state)

    def look(self) -> None:
        """See in their folders how far the active runs are, where other processes make them."""
        for each in list(self._active.values()):
            self.move(each.title, min(1.0, epochs_done(each.folder) / each.epochs))

    def leave(self, title: str) -> None:
        """The run is no longer made here, and has not ended."""
        self._active.pop(title, None)
        self._display.show(self.state)

    def settle(self, title: str) -> None:
        """The run has ended, or was found ended, or cannot be made."""
        work = self._open.pop(title, 0.0)
        ended = self._active.pop(title, None)
        if ended is not None:
            self._made += work * (1 - ended.share_before)
        self._display.show(self.state)

    @property
    def state(self) -> StudyState:
        """How far the study is."""
        active = tuple(self._active.values())
        left = sum(self._open.values()) - sum(each.work * each.share for each in active)
        made = self._made + sum(each.work * (each.share - each.share_before) for each in active)
        seconds = None
        if made > 0 and self._began is not None:
            seconds = left * (self._clock() - self._began) / made
        share = 1 - left / self._total if self._total else 0.0
        return StudyState(self._runs - len(self._open), self._runs, share, seconds, active)


class RunFeed(Display):
    """Hands the steps of a run that is made in this process on to its study."""

    def __init__(self, progress: StudyProgress, title: str) -> None:
        self._progress = progress
        self._title = title
        self._steps = 0

    def begin(self, steps: int) -> None:
        """Remember the length of the run."""
        self._steps = steps

    def step(self, epoch: int, steps_done: int, lr: float, loss: Tensor, images_per_second: float) -> None:
        """Move the study on."""
        self._progress.move(self._title, steps_done / self._steps)

    def epoch(self, line: dict[str, Any]) -> None:
        """Move to the end of the epoch."""
        self._progress.move(self._title, line["step"] / self._steps)


def epochs_done(folder: str) -> int:
    """Epochs in a run's ``metrics.jsonl``; 0 where there is nothing to read yet."""
    try:
        return len(run.read_metrics(Path(folder)))
    except UserError:
        return 0
