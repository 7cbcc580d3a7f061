"""A training step in plain lines: from a batch to other weights."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor, nn

from cifarlab.feed import Batch, Feed, correct_share, feed_of_epoch
from cifarlab.guard import FiniteGuard
from cifarlab.job import Job
from cifarlab.kinds import of_each_kind, unchanged
from cifarlab.optim import set_rate
from cifarlab.progress import Progress, Stopwatch
from cifarlab.runtime import autocast, wait_for

Judge = Callable[[Tensor, nn.Module, float | Tensor], None]
"""What looks at a loss and at the gradients in a network before the step of a number: one of the guard's."""


@dataclass(frozen=True)
class Taken:
    """What a step has to say. A captured step writes the next one's into the same memory."""

    loss: Tensor
    """The mean over this process's part of the batch, with the part's weight; a scalar."""
    correct: Tensor
    """How many images of that part were right before the step; a scalar."""
    images: int
    """Of the whole batch."""


def update(job: Job, batch: Batch, judge: Judge, number: float | Tensor) -> Taken:
    """Forward pass, loss, backward pass and the optimizer's step, at the rate that it has.

    Args:
        number: the step's, from 1, of the whole run; what ``judge`` calls it.
    """
    recipe = job.description.recipe
    with autocast(batch.images.device, recipe.precision):
        logits = job.forward(batch.images)
    loss = batch.weight * recipe.loss.mean(logits, batch.targets, job.class_weights)
    loss.backward()
    if recipe.penalty is not None:
        recipe.penalty.add_gradients(job.network)
    judge(loss, job.network, number)
    if recipe.clip_norm is not None:
        nn.utils.clip_grad_norm_(job.network.parameters(), recipe.clip_norm)
    job.optimizer.step()
    job.optimizer.zero_grad()
    correct = correct_share(logits, batch.targets) * (batch.weight > 0)
    return Taken(loss.detach(), correct, batch.size)


class EagerStep:
    """Steps as Python comes to them, one kernel after the other."""

    def __init__(self, job: Job, guard: FiniteGuard) -> None:
        self._job = job
        self._guard = guard

    def prepare(self, progress: Progress) -> None:
        """Compile what the recipe wants compiled, which no number of the run shows; add the seconds.

        Several processes compile in their first steps.
        """
        job, device = self._job, self._job.training.images.device
        description = job.description
        if not description.recipe.compile or job.group.size > 1:
            return
        wait_for(device)
        watch = Stopwatch()
        classes = len(description.data.class_names)
        feed = feed_of_epoch(description.recipe, job.training, classes, description.seed, progress.epoch)
        job.switch_to_training()
        with unchanged(job.network, job.optimizer):
            set_rate(job.optimizer, 0.0)
            for _, there, step in of_each_kind(job, feed):
                update(job, there.batch(step, job.group), self._guard.judge, 0)
        self._guard.forget()
        wait_for(device)
        progress.preparation_seconds += watch.lap()

    def take(self, feed: Feed, step: int, number: int) -> Taken:
        """Step ``step`` of the epoch that ``feed`` is for, step ``number`` (from 1) of the run.

        Raises:
            Diverged: this step or one before it is bad; see ``FiniteGuard``.
        """
        return update(self._job, feed.batch(step, self._job.group), self._guard.before_step, number)
