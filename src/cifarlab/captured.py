"""Training steps that are recorded once and replayed: CUDA graphs, where Python cannot keep a GPU busy.

A recording fixes kernels, their addresses and every number of Python. So whatever differs from step to step
lies in tensors that keep their place: the batch's positions, the epoch's draws, the rates, the step's number.
BatchNorm and the optimizer write where they always do. torch registers its default generator with every graph
and fills in that generator's seed and offset at each replay, so the loop's ``reseed`` before a step holds for
dropout in a replayed step too. Each kind of step has a recording of its own (``kinds``).
"""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor

from cifarlab.distributed import ALONE
from cifarlab.errors import UserError, printable
from cifarlab.feed import Feed, feed_of_epoch
from cifarlab.guard import FiniteGuard
from cifarlab.job import Job
from cifarlab.kinds import Kind, kind_of, of_each_kind, unchanged
from cifarlab.optim import keep_rates_on, set_rate
from cifarlab.progress import Progress, Stopwatch
from cifarlab.runtime import wait_for
from cifarlab.step import EagerStep, Taken, update

WARM_UP_STEPS = 3
"""Before a recording: kernels are chosen, compiled and loaded, and the optimizer's state comes into being."""

Work = Callable[[], Taken]
Recorder = Callable[[Work], Work]
"""Takes work and gives what does the same work again, on the same memory."""


@dataclass(frozen=True)
class Recording:
    """A kind of step, ready to be replayed."""

    positions: Tensor
    """Where it reads which images its batch has: int64 ``[N]``."""
    replay: Work


class CapturedStep:
    """Steps of a run that are replayed. ``take`` does what an ``EagerStep`` does.

    Args:
        record: ``recorder_for`` the run's device.
    """

    def __init__(self, job: Job, guard: FiniteGuard, record: Recorder) -> None:
        device = job.training.images.device
        keep_rates_on(device, job.optimizer)
        self._job = job
        self._guard = guard
        self._record = record
        self._number = torch.zeros((), device=device)
        self._recordings: dict[Kind, Recording] = {}
        self._place: Feed | None = None
        """Where the recordings read draws and, each at the step it was recorded at, the batch's positions."""
        self._loaded: Feed | None = None
        """Whose draws are there."""

    def prepare(self, progress: Progress) -> None:
        """Record every kind of step that is left of the run; its seconds are added to ``progress``.

        The steps that it takes for that leave no trace, except that an optimizer without state has one of
        zeros.

        Raises:
            UserError: a step of this run cannot be recorded.
        """
        job, device = self._job, self._number.device
        wait_for(device)
        watch = Stopwatch()
        description = job.description
        recipe, classes = description.recipe, len(description.data.class_names)
        feed = feed_of_epoch(recipe, job.training, classes, description.seed, progress.epoch)
        place = replace(
            feed,
            order=feed.order.clone(),
            draws=[drawn.clone() for drawn in feed.draws],
            mixing_draws=None if feed.mixing_draws is None else feed.mixing_draws.clone(),
        )
        self._place = place
        job.switch_to_training()
        with unchanged(job.network, job.optimizer):
            set_rate(job.optimizer, 0.0)
            for kind, there, step in of_each_kind(job, place):
                replay = self._record(partial(self._work, there, step))
                self._recordings[kind] = Recording(there.positions(step), replay)
        self._guard.forget()
        wait_for(device)
        progress.preparation_seconds += watch.lap()

    def _work(self, feed: Feed, step: int) -> Taken:
        return update(self._job, feed.batch(step, ALONE), self._guard.judge, self._number)

    def take(self, feed: Feed, step: int, number: int) -> Taken:
        """Step ``step`` of the epoch that ``feed`` is for, step ``number`` (from 1) of the run.

        Raises:
            Diverged: this step or one before it is bad; see ``FiniteGuard``.
        """
        self._load(feed)
        recording = self._recordings[kind_of(self._job, feed, step)]
        recording.positions.copy_(feed.positions(step))
        self._number.fill_(number)
        taken = recording.replay()
        self._guard.look_now_and_then()
        return taken

    def _load(self, feed: Feed) -> None:
        """Put the draws of an epoch where the recordings read them."""
        place = self._place
        if feed is self._loaded or place is None:
            return
        for ours, theirs in zip(place.draws, feed.draws, strict=True):
            ours.copy_(theirs)
        if place.mixing_draws is not None and feed.mixing_draws is not None:
            place.mixing_draws.copy_(feed.mixing_draws)
        self._loaded = feed


def steps_for(job: Job, guard: FiniteGuard) -> EagerStep | CapturedStep:
    """What takes the steps of ``job``, as its recipe asks for."""
    if not job.description.recipe.capture:
        return EagerStep(job, guard)
    return CapturedStep(job, guard, recorder_for(job.training.images.device, job.optimizer))


def recorder_for(device: torch.device, optimizer: torch.optim.Optimizer) -> Recorder:
    """CUDA graphs on CUDA; elsewhere the same work on the same memory, done by Python once more."""
    return cuda_graphs(device, optimizer) if device.type == "cuda" else repeated


def repeated(work: Work) -> Work:
    """The work itself, after as many warm-up steps as a CUDA graph has."""
    for _ in range(WARM_UP_STEPS):
        work()
    return work


def cuda_graphs(device: torch.device, optimizer: torch.optim.Optimizer) -> Recorder:
    """A recorder of CUDA graphs, which share their memory, as only one runs at a time.

    Args:
        optimizer: whose step is a part of the work.
    """
    with torch.cuda.device(device):
        pool, stream = torch.cuda.graph_pool_handle(), torch.cuda.Stream()
        before = torch.cuda.current_stream()

    def record(work: Work) -> Work:
        graph = torch.cuda.CUDAGraph()
        try:
            with torch.cuda.device(device), fastest_convolutions():
                stream.wait_stream(torch.cuda.current_stream())
                with torch.cuda.stream(stream):
                    repeated(work)
                torch.cuda.current_stream().wait_stream(stream)
                with may_be_captured(optimizer), torch.cuda.graph(graph, pool=pool, stream=stream):
                    taken = work()
                graph.replay()  # the first one loads the graph onto the device
        except RuntimeError as error:
            with torch.cuda.device(device):
                torch.cuda.set_stream(before)  # a recording that cannot be ended leaves its own
            if isinstance(error, torch.OutOfMemoryError):
                raise
            # The end of a recording that went wrong raises too; what came first says why.
            reason = printable(str(error.__context__ or error).partition("\n")[0])
            raise UserError(
                f"capture: a step of this recipe cannot be recorded as a CUDA graph ({reason}); "
                "leave it out, in another --out"
            ) from error

        def replay() -> Taken:
            graph.replay()
            return taken

        return replay

    return record


@contextlib.contextmanager
def may_be_captured(optimizer: torch.optim.Optimizer) -> Iterator[None]:
    """Inside, torch's Adam lets itself be captured; fused, it is able to without further change."""
    groups = [group for group in optimizer.param_groups if "capturable" in group]
    for group in groups:
        group["capturable"] = True
    try:
        yield
    finally:
        for group in groups:
            group["capturable"] = False


@contextlib.contextmanager
def fastest_convolutions() -> Iterator[None]:
    """Inside, cuDNN tries its algorithms at the first convolution of each shape, and keeps to the fastest."""
    before = torch.backends.cudnn.benchmark
    torch.backends.cudnn.benchmark = True
    try:
        yield
    finally:
        torch.backends.cudnn.benchmark = before
