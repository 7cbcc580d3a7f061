"""What a user sees while a run trains: a live view in a terminal, plain lines elsewhere; TensorBoard."""

import contextlib
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

from rich.console import Console
from rich.live import Live
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table
from torch import Tensor

from cifarlab.distributed import ALONE, Group
from cifarlab.errors import UserError, printable

REFRESH_SECONDS = 0.25
SHOWN_EPOCHS = 12


class Display(Protocol):
    """Where a run says how it goes; it shows nothing of what a display does not define.

    Used as a context manager, so that a terminal is always left tidy.
    """

    def begin(self, steps: int) -> None:
        """The run has this many steps, if it does not stop early."""
        return

    def say(self, text: str) -> None:
        """Show one line that stays."""
        return

    def step(self, epoch: int, steps_done: int, lr: float, loss: Tensor, images_per_second: float) -> None:
        """One training step: ``steps_done`` since the start of the run, ``loss`` a scalar on its device."""
        return

    def epoch(self, line: dict[str, Any]) -> None:
        """The finished epoch's line of ``metrics.jsonl``."""
        return

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the terminal as it was."""
        return


def display_for(epochs: int, group: Group = ALONE) -> Display:
    """The live view where standard output is a terminal, otherwise plain lines; the first process's."""
    if not group.is_first:
        return Silence()
    return LiveDisplay(epochs) if sys.stdout.isatty() else PlainDisplay(epochs)


class Silence(Display):
    """A display that shows nothing, for use from Python."""


class PlainDisplay(Display):
    """One plain line per epoch, for pipes and log files. A reader that goes away does not stop the run."""

    def __init__(self, epochs: int) -> None:
        self._epochs = epochs

    def say(self, text: str) -> None:
        """Print the line."""
        with contextlib.suppress(OSError):
            print(printable(text), flush=True)

    def epoch(self, line: dict[str, Any]) -> None:
        """Print the epoch's figures."""
        self.say(epoch_text(line, self._epochs))


class LiveDisplay(Display):
    """A progress bar over the whole run above a table of the last epochs."""

    def __init__(self, epochs: int) -> None:
        self._console = Console()
        self._epochs = epochs
        self._lines: list[dict[str, Any]] = []
        self._next_refresh = 0.0
        self._bar = Progress(
            TextColumn("epoch {task.fields[epoch]}"),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.fields[figures]}"),
            TimeRemainingColumn(elapsed_when_finished=True),
            console=self._console,
        )
        self._task = self._bar.add_task("train", total=None, epoch=f"1/{epochs}", figures="preparing …")
        self._live = Live(self._view(), console=self._console, auto_refresh=False)

    def begin(self, steps: int) -> None:
        """Give the bar its length."""
        self._bar.update(self._task, total=steps)

    def say(self, text: str) -> None:
        """Print the line above the live view."""
        self._live.console.print(printable(text), markup=False, highlight=False, emoji=False)

    def step(self, epoch: int, steps_done: int, lr: float, loss: Tensor, images_per_second: float) -> None:
        """Move the bar; the loss is fetched from the device only when the view is redrawn."""
        now = time.monotonic()
        if now >= self._next_refresh:
            self._next_refresh = now + REFRESH_SECONDS
            self._bar.update(
                self._task,
                completed=steps_done,
                epoch=f"{epoch}/{self._epochs}",
                figures=f"loss {float(loss):.3f}  lr {lr:.3g}  {images_per_second:,.0f} images/s",
            )
            self._live.update(self._view(), refresh=True)

    def epoch(self, line: dict[str, Any]) -> None:
        """Add a row to the table."""
        self._lines = [*self._lines, line][-SHOWN_EPOCHS:]
        self._bar.update(self._task, completed=line["step"])
        self._live.update(self._view(), refresh=True)

    def __enter__(self) -> Self:
        self._live.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.__exit__(kind, error, trace)

    def _view(self) -> Table:
        table = Table("epoch", "train loss", "train acc.", "val. loss", "val. acc.", "lr", "images/s", "s")
        watches_test = any("test_accuracy" in line for line in self._lines)
        if watches_test:
            table.add_column("test acc.")
        for line in self._lines:
            table.add_row(
                str(line["epoch"]),
                f"{line['train_loss']:.4f}",
                f"{line['train_accuracy']:.2%}",
                f"{line['val_loss']:.4f}" if "val_loss" in line else "",
                f"{line['val_accuracy']:.2%}" if "val_accuracy" in line else "",
                f"{line['lr']:.3g}",
                f"{line['images_per_second']:,.0f}",
                f"{line['seconds']:,.0f}",
                *([f"{line['test_accuracy']:.2%}"] if watches_test else []),
            )
        view = Table.grid()
        if self._lines:
            view.add_row(table)
        view.add_row(self._bar)
        return view


def epoch_text(line: dict[str, Any], epochs: int) -> str:
    """One epoch's figures as a plain line."""
    validation = test = ""
    if "val_loss" in line:
        validation = f"  validation loss {line['val_loss']:.4f} accuracy {line['val_accuracy']:.2%}"
    if "test_accuracy" in line:
        test = f"  test accuracy {line['test_accuracy']:.2%}"
    return (
        f"epoch {line['epoch']}/{epochs}  train loss {line['train_loss']:.4f} "
        f"accuracy {line['train_accuracy']:.2%}{validation}{test}  lr {line['lr']:.3g}  "
        f"{line['images_per_second']:,.0f} images/s  {line['seconds']:,.0f} s"
    )


def tensorboard_writer() -> Any:
    """torch's ``SummaryWriter``.

    Raises:
        UserError: the extra ``tensorboard`` is not installed.
    """
    try:
        from torch.utils.tensorboard import SummaryWriter  # noqa: PLC0415 - an extra: loaded when asked for
    except ImportError as error:
        raise UserError("TensorBoard is not installed; run: pip install 'cifarlab[tensorboard]'") from error
    return SummaryWriter


def write_tensorboard(folder: Path, history: list[dict[str, Any]]) -> None:
    """Write a run's epochs as TensorBoard scalars into ``folder``.

    Raises:
        UserError: the extra ``tensorboard`` is not installed.
    """
    with tensorboard_writer()(str(folder)) as writer:
        for line in history:
            for name, value in line.items():
                if name not in ("epoch", "step"):
                    writer.add_scalar(name, value, line["epoch"])
