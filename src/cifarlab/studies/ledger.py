"""Which runs of a study are still to be made, and what came of the others."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from cifarlab import run
from cifarlab.data.sources import lasting_name
from cifarlab.errors import UserError, printable
from cifarlab.studies.orders import Ending, Order, Sources
from cifarlab.studies.plan import PlannedRun, identity
from cifarlab.studies.progress_display import StudyProgress, time_left
from cifarlab.studies.store import RunStore, ending_by_key, is_claimed, tidy


@dataclass(frozen=True)
class Outcome:
    """What came of a planned run."""

    folder: Path | None
    """None where there is no run."""
    status: Literal["finished", "diverged", "failed", "missing"]
    """``missing``: not made yet, or not to its end."""
    reason: str = ""
    """Why there is no result."""


class Ledger:
    """Which runs are undecided, which are ordered, and what came of the others."""

    def __init__(
        self,
        titles: dict[PlannedRun, str],
        runs: Path,
        sources: Sources,
        progress: StudyProgress,
        device: str,
        command: str,
    ) -> None:
        self.outcomes: dict[PlannedRun, Outcome] = {}
        self._undecided = list(titles)
        self._titles = titles
        self._store = RunStore(runs)
        self._sources = sources
        self._progress = progress
        self._device = device
        self._command = command
        self._ordered: dict[str, list[PlannedRun]] = {}  # by identity key: all that are this run
        self._busy: list[Order] = []  # what other processes make

    def ready(self) -> list[Order]:
        """Orders for what can be made now and is not ordered yet."""
        orders = []
        undecided, self._undecided = self._undecided, []
        for planned in undecided:
            if planned in self.outcomes:
                continue
            if planned.after is not None and planned.after not in self.outcomes:
                self._undecided.append(planned)
                continue
            try:
                order = self._order(planned)
            except UserError as error:
                self.settle(planned, Outcome(None, "failed", str(error)))
                continue
            if order is not None:
                orders.append(order)
        waiting, self._busy = self._busy, []
        for order in waiting:
            folder = Path(order.folder)
            is_free = ending_by_key(folder, order.key) is not None or not is_claimed(folder)
            (orders if is_free else self._busy).append(order)
        return orders

    def _order(self, planned: PlannedRun) -> Order | None:
        """The order for a run; None where it is there already, is ordered already, or can never be made."""
        first = None if planned.after is None else self.outcomes[planned.after]
        if first is not None and first.status != "finished":
            reason = f"it begins from {self._title(planned.after)}, which {first.status}"
            self.settle(planned, Outcome(None, "failed", reason))
            return None
        start_from = None if first is None else first.folder
        weights = None if start_from is None else run.read_weights(start_from)[2]
        key = identity(planned, self._sources.open(planned.data).description, weights).key
        if key in self._ordered:
            self._ordered[key].append(planned)
            return None
        folder = self._store.place(planned, key)
        ended = ending_by_key(folder, key)
        if ended is not None:
            self._progress.say(f"{self._title(planned)}: found in {printable(folder.name)}")
            self._settle_ended(planned, folder, *ended)
            return None
        for complaint in self._store.damaged(key).values():
            self._progress.say(f"{self._title(planned)}: passes over a damaged run: {complaint}")
        self._ordered[key] = [planned]
        return Order(
            title=self._title(planned),
            key=key,
            recipe_name=planned.recipe_name,
            recipe=planned.recipe,
            data=lasting_name(planned.data),
            seed=planned.seed,
            protocols=planned.protocols,
            folder=str(folder),
            start_from=None if start_from is None else str(start_from),
            device=self._device,
            command=self._command,
        )

    def note(self, order: Order, ending: Ending) -> None:
        """What came of an order."""
        folder = Path(order.folder)
        if ending.status == "busy":
            self._progress.leave(order.title)
            self._busy.append(order)
            self._progress.say(f"{order.title}: another process works in {folder}; its result is waited for")
            return
        for planned in self._ordered.pop(order.key):
            if ending.status == "failed":
                self.settle(planned, Outcome(folder if run.is_run(folder) else None, "failed", ending.reason))
            else:
                self._settle_ended(planned, folder, ending.status, ending.reason)
        self._progress.say(self._account(order, ending))

    def _settle_ended(self, planned: PlannedRun, folder: Path, status: str, reason: str) -> None:
        if status == "finished":
            tidy(folder)
            self.settle(planned, Outcome(folder, "finished"))
        else:
            self.settle(planned, Outcome(folder, "diverged", reason))

    def settle(self, planned: PlannedRun, outcome: Outcome) -> None:
        """Nothing more is to be done for a run."""
        self.outcomes[planned] = outcome
        self._progress.settle(self._title(planned))

    def _account(self, order: Order, ending: Ending) -> str:
        """One line on how a run ended and how far the study is."""
        said = ending.status if not ending.reason else f"{ending.status}: {ending.reason}"
        if ending.status == "finished":
            result = run.read_result(Path(order.folder))
            said = f"finished, test accuracy {result['test_accuracy']:.2%}"
        state = self._progress.state
        far = f"{state.settled} of {state.runs} runs"
        left = time_left(state)
        notes = "".join(f"; {note}" for note in ending.notes)
        return f"{order.title}: {said}{notes} ({far}{', ' if left else ''}{left})"

    def _title(self, planned: PlannedRun | None) -> str:
        return "" if planned is None else self._titles[planned]
