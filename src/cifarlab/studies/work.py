"""Making the runs of a study: what is there is found, the rest is made, once, whatever happens meanwhile."""

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from cifarlab.data.sources import lasting_name
from cifarlab.errors import Stopped, UserError
from cifarlab.files import make_folder
from cifarlab.runtime import device_named
from cifarlab.studies.cluster import RayCluster
from cifarlab.studies.ledger import Ledger, Outcome
from cifarlab.studies.local import ThisProcess
from cifarlab.studies.orders import Ending, Order, Sources
from cifarlab.studies.plan import PlannedRun
from cifarlab.studies.pool import Pool
from cifarlab.studies.progress_display import (
    SilentStudy,
    StudyDisplay,
    StudyProgress,
)
from cifarlab.studies.scale import predicted_seconds, size_of
from cifarlab.studies.titles import titles_of


class Workshop(Protocol):
    """Where orders are carried out."""

    def submit(self, order: Order) -> None:
        """Take an order; its turn comes in ``wait``."""

    def wait(self) -> list[tuple[Order, Ending]]:
        """Work for a while, at the longest about a second after an order has ended; the orders that have.

        Raises:
            Stopped: SIGINT or SIGTERM.
        """

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let the runs that are being made save their state and end."""


def make_runs(
    planned: Sequence[PlannedRun],
    runs: Path,
    *,
    device: str = "auto",
    jobs: int = 1,
    cluster: str | None = None,
    command: str = "",
    display: StudyDisplay | None = None,
) -> dict[PlannedRun, Outcome]:
    """Make the ``planned`` runs, and those that they begin from, as folders in ``runs``; what came of each.

    A run that has ended already is taken as it is, whoever made it; one that was begun is gone on with. Runs
    with the same identity are made once. One that fails or diverges stops no other.

    Args:
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:1``, ``mps``.
        jobs: so many runs at once, each in a process of its own with its share of the threads; several share
            a GPU. Another number of threads may change the last bits of results on a CPU.
        cluster: the address of a Ray cluster, or ``local``; ``jobs`` then counts per GPU, or per machine
            where there are none.
        command: how the study was started, for the record.

    Raises:
        UserError: no data set can be opened, there is no such device, or Ray is not installed.
        Stopped: SIGINT or SIGTERM; all runs are saved, and the same call goes on.
    """
    if jobs < 1:
        raise UserError(f"jobs must be at least 1, found {jobs}")
    if cluster is None and device not in ("auto", "cpu"):
        device_named(device)
    make_folder(runs)
    everything = _with_predecessors(planned)
    sources = Sources()
    unusable = _open_all(sources, everything)
    titles = titles_of(everything)
    work = {titles[each]: _predicted(each, sources) for each in everything if each.data not in unusable}
    progress = StudyProgress(
        display or SilentStudy(), {title: work.get(title, 0.0) for title in titles.values()}
    )
    ledger = Ledger(titles, runs.resolve(), sources, progress, device, command)
    for each in everything:
        if each.data in unusable:
            ledger.settle(each, Outcome(None, "failed", unusable[each.data]))
    try:
        with _workshop(everything, sources, progress, jobs, cluster, runs) as workshop:
            while True:
                for order in ledger.ready():
                    workshop.submit(order)
                if len(ledger.outcomes) == len(everything):
                    return {each: ledger.outcomes[each] for each in everything}
                for order, ending in workshop.wait():
                    ledger.note(order, ending)
    except (Stopped, KeyboardInterrupt) as error:
        done = f"{len(ledger.outcomes)} of {len(everything)} runs are done"
        raise Stopped(f"stopped; {done}, the others are saved: the same command goes on") from error


def _workshop(
    planned: Sequence[PlannedRun],
    sources: Sources,
    progress: StudyProgress,
    jobs: int,
    cluster: str | None,
    runs: Path,
) -> Workshop:
    if cluster is not None:
        names = dict.fromkeys(lasting_name(each.data) for each in planned)
        return RayCluster(cluster, jobs, progress, runs, list(names))
    return ThisProcess(sources, progress) if jobs == 1 else Pool(min(jobs, len(planned)), progress)


def _with_predecessors(planned: Sequence[PlannedRun]) -> list[PlannedRun]:
    """Every run once, each after the one that it begins from."""
    found: dict[PlannedRun, None] = {}
    for each in planned:
        chain = [each]
        while chain[-1].after is not None:
            chain.append(chain[-1].after)
        found.update(dict.fromkeys(reversed(chain)))
    return list(found)


def _predicted(planned: PlannedRun, sources: Sources) -> float:
    """Seconds on the reference machine; 0 for a network that cannot be built: its run will say why."""
    try:
        return predicted_seconds(planned.recipe, size_of(sources.open(planned.data).description))
    except (UserError, RuntimeError):
        return 0.0


def _open_all(sources: Sources, planned: Sequence[PlannedRun]) -> dict[str, str]:
    """Open the data sets of all runs; those that cannot be opened, and why.

    Raises:
        UserError: it is all of them.
    """
    names = dict.fromkeys(each.data for each in planned)
    unusable: dict[str, str] = {}
    for name in names:
        try:
            sources.open(name)
        except UserError as error:
            unusable[name] = str(error)
            if len(unusable) == len(names):
                raise
    return unusable
