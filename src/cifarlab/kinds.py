"""The kinds of steps that a run has, and how each is tried before the first one without a trace.

Steps of one kind run the same kernels on tensors of the same shapes: what is compiled or recorded for one
holds for all. Few runs have more than two kinds, the last batch of an epoch being the second.
"""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from cifarlab.feed import Feed
from cifarlab.job import Job


@dataclass(frozen=True)
class Kind:
    """What decides which kernels a step needs."""

    images: int
    """Of the batch; the last one of an epoch may be smaller."""
    pixels: int
    """Height and width of the images."""
    frozen: int
    """Parts of the network that no gradient reaches any more."""


def kind_of(job: Job, feed: Feed, step: int) -> Kind:
    """The kind of step ``step`` of the epoch that ``feed`` is for."""
    freezing = job.description.recipe.freezing
    frozen = 0 if freezing is None else freezing.count_at(feed.share_done(step))
    return Kind(len(feed.positions(step)), feed.size_at(step), frozen)


def of_each_kind(job: Job, feed: Feed) -> Iterator[tuple[Kind, Feed, int]]:
    """The first step of each kind from the epoch of ``feed`` on, the network being frozen as it is there.

    Every feed that is given has the tensors of ``feed``.
    """
    freezing, found = job.description.recipe.freezing, set()
    for number in range(feed.epoch * job.steps, job.all_steps):
        epoch, step = divmod(number, job.steps)
        then = replace(feed, epoch=epoch)
        kind = kind_of(job, then, step)
        if kind not in found:
            found.add(kind)
            if freezing is not None:
                freezing.apply(job.network, then.share_done(step))
            yield kind, then, step


@contextlib.contextmanager
def unchanged(network: nn.Module, optimizer: torch.optim.Optimizer) -> Iterator[None]:
    """After it, weights, buffers and the optimizer's state are what they were, in the memory where they are.

    State that has come into being meanwhile is zero, with which every optimizer of ours begins. Gradients
    reach the parameters that they reached before.
    """
    tensors: list[Tensor] = [*network.parameters(), *network.buffers()]
    kept = [tensor.detach().clone() for tensor in tensors]
    trained = [parameter.requires_grad for parameter in network.parameters()]
    slots = {
        (owner, name): value.clone()
        for owner, values in optimizer.state.items()
        for name, value in values.items()
    }
    try:
        yield
    finally:
        for parameter, was_trained in zip(network.parameters(), trained, strict=True):
            parameter.requires_grad_(was_trained)
        with torch.no_grad():
            for tensor, value in zip(tensors, kept, strict=True):
                tensor.copy_(value)
            for owner, values in optimizer.state.items():
                for name, value in values.items():
                    if (owner, name) in slots:
                        value.copy_(slots[owner, name])
                    else:
                        value.zero_()
