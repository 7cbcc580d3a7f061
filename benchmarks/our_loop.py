"""Epochs of our own loop with a clock around them, and of the same network without the loop."""

import copy
from pathlib import Path

import torch
from torch import nn

from cifarlab.captured import steps_for
from cifarlab.config import vary
from cifarlab.data.holdout import NoHoldout
from cifarlab.data.split import Source
from cifarlab.distributed import ALONE
from cifarlab.feed import feed_of_epoch
from cifarlab.guard import guard_for
from cifarlab.interrupts import Interrupts
from cifarlab.job import prepare
from cifarlab.logs import Silence
from cifarlab.optim import set_rate
from cifarlab.progress import start
from cifarlab.race.clock import now
from cifarlab.recipe import Judging, Recipe
from cifarlab.resumption import Saver
from cifarlab.run import RunDescription, append_metrics
from cifarlab.runtime import autocast

# The loop itself and no copy of it; ``train`` would begin anew, and compile anew, every round.
from cifarlab.train import judge_epoch, train_epoch


class OurLoop:
    """A run of ``recipe`` on all training images of ``source``, epoch by epoch; nothing is evaluated.

    Args:
        folder: where it saves and logs.
        compiled: whether the network is compiled, which the first epoch does.
    """

    def __init__(
        self, recipe: Recipe, source: Source, device: torch.device, folder: Path, compiled: bool
    ) -> None:
        folder.mkdir()
        self._folder = folder
        self._device = device
        self._recipe = vary(recipe, "compile", compiled)
        description = RunDescription("benchmark", self._recipe, source.description, seed=0, protocols="C")
        self._job = prepare(description, Judging(NoHoldout(), select_by="last"), source, None, device)
        self._progress = start(device)
        self._guard = guard_for(self._job.optimizer, device)
        self._steps = steps_for(self._job, self._guard)
        self._steps.prepare(self._progress)
        self._saver = Saver(folder, self._job.network, self._job.optimizer, self._job.average)
        self._interrupts = Interrupts()
        self._display = Silence()
        self.save_seconds: list[float] = []

    def author_network(self) -> nn.Module:
        """A copy of the network as it is now, in torch's own memory layout."""
        theirs: nn.Module = copy.deepcopy(self._job.network).to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
        return theirs

    def epoch(self) -> float:
        """Images per second: drawing, augmentation, steps, guard, and the logged line.

        A save before it is not counted, but timed apart; the next one comes due at 50 times its seconds.
        """
        began = now(self._device)
        self._saver.save(self._progress)
        saved = now(self._device)
        self.save_seconds.append(saved - began)
        train_epoch(
            self._job,
            self._progress,
            self._steps,
            self._guard,
            self._saver,
            self._interrupts,
            self._display,
        )
        line = judge_epoch(self._job, self._progress, self._interrupts)
        append_metrics(self._folder, line)
        ended = now(self._device)
        self._progress.finish_epoch(line, 0.0, self._job.network)
        return len(self._job.training) / (ended - saved)

    def network_alone(self) -> float:
        """Images per second of as many steps on one ready batch: forward, backward and optimizer only.

        At a rate of 0, so that the run's weights stay as they are.
        """
        job, recipe = self._job, self._recipe
        classes = len(job.description.data.class_names)
        batch = feed_of_epoch(recipe, job.training, classes, seed=0, epoch=0).batch(0, ALONE)
        job.switch_to_training()
        set_rate(job.optimizer, 0.0)
        began = now(self._device)
        for _ in range(job.steps):
            with autocast(self._device, recipe.precision):
                logits = job.forward(batch.images)
            recipe.loss.mean(logits, batch.targets).backward()
            job.optimizer.step()
            job.optimizer.zero_grad()
        return job.steps * batch.size / (now(self._device) - began)
