"""One run of a study as a task that any process on any machine can carry out, any number of times."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import filelock
from torch import Tensor

from cifarlab import run
from cifarlab.data.sources import lasting_name, open_source
from cifarlab.data.split import Source
from cifarlab.errors import Diverged, Stopped, UserError, printable
from cifarlab.logs import Display, Silence
from cifarlab.recipe import Protocols, Recipe
from cifarlab.studies.store import ending_by_key
from cifarlab.studies.wholeness import damage
from cifarlab.train import train


@dataclass(frozen=True)
class Order:
    """A run to be made in its folder; it becomes JSON for other processes."""

    title: str
    key: str
    """Of its identity."""
    recipe_name: str
    recipe: Recipe
    data: str
    """As ``lasting_name`` has it."""
    seed: int
    protocols: Protocols
    folder: str
    """An absolute path."""
    start_from: str | None
    """The folder of the run whose weights are the first ones."""
    device: str
    command: str
    """How the study was started, for the record."""


@dataclass(frozen=True)
class Ending:
    """What came of an order."""

    status: Literal["finished", "diverged", "failed", "busy"]
    """``busy``: another process works on this run."""
    reason: str = ""
    notes: tuple[str, ...] = ()
    """What the run had to say: that it was resumed, that a saved state was damaged."""


class Sources:
    """Data sets, each opened once in this process."""

    def __init__(self) -> None:
        self._opened: dict[str, Source] = {}

    def open(self, name: str) -> Source:
        """The data set that ``open_source`` knows by that name.

        Raises:
            UserError: it cannot be opened.
        """
        name = lasting_name(name)
        if name not in self._opened:
            self._opened[name] = open_source(name)
        return self._opened[name]


def carry_out(order: Order, sources: Sources, display: Display | None = None) -> Ending:
    """Make the run, or go on with it; one that has ended is left as it is.

    Whatever goes wrong with this run is its ending and no error, so that the others of the study go on.

    Raises:
        Stopped: SIGINT or SIGTERM; the state is saved.
    """
    ended = _ending_on_disk(order)
    if ended is not None:
        return ended
    folder, notes = Path(order.folder), _Notes(display or Silence())
    is_new = not run.is_run(folder)
    try:
        source, name = _as_recorded(sources.open(order.data), order.recipe_name, folder)
        train(
            order.recipe,
            source,
            folder,
            recipe_name=name,
            seed=order.seed,
            protocols=order.protocols,
            resume=True,
            start_from=None if order.start_from is None else Path(order.start_from),
            device=order.device,
            display=notes,
            command=order.command,
            data_argument=order.data,
        )
    except Stopped:
        raise
    except Diverged as error:
        return Ending("diverged", str(error))
    except UserError as error:
        if isinstance(error.__cause__, filelock.Timeout):
            return Ending("busy")
        return _ending_on_disk(order) or Ending("failed", str(error))
    except Exception as error:  # out of memory, or a bug: it must not cost the night's other runs
        first_line = next(iter(str(error).splitlines()), "")
        return Ending("failed", printable(f"{type(error).__name__}: {first_line}"))
    return Ending("finished", notes=() if is_new else tuple(notes.said))


def _ending_on_disk(order: Order) -> Ending | None:
    match ending_by_key(Path(order.folder), order.key):
        case ("finished", _):
            return Ending("finished")
        case ("diverged", reason):
            return Ending("diverged", reason)
    complaint = damage(Path(order.folder))
    if complaint is not None:  # since the order was given; training would take the run for finished
        return Ending("failed", f"{complaint}; the same command makes this run anew")
    return None


def _as_recorded(source: Source, recipe_name: str, folder: Path) -> tuple[Source, str]:
    """The source and the recipe's name as the run in ``folder`` knows them.

    An unfinished run of the same numbers may have been begun under other names; it is gone on with.
    """
    if not run.is_run(folder):
        return source, recipe_name
    made, given = run.read_description(folder), source.description
    if (made.data.train_sha256, made.data.test_sha256) == (given.train_sha256, given.test_sha256):
        source = replace(source, description=made.data)
    return source, made.recipe_name


class _Notes(Display):
    """Remembers what a run says and hands on its steps."""

    def __init__(self, shown: Display) -> None:
        self._shown = shown
        self.said: list[str] = []

    def begin(self, steps: int) -> None:
        self._shown.begin(steps)

    def say(self, text: str) -> None:
        self.said.append(text)

    def step(self, epoch: int, steps_done: int, lr: float, loss: Tensor, images_per_second: float) -> None:
        self._shown.step(epoch, steps_done, lr, loss, images_per_second)

    def epoch(self, line: dict[str, Any]) -> None:
        self._shown.epoch(line)
