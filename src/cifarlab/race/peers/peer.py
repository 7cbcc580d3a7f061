"""What the adapters know of a script: where it comes from, how to recognize, change and run it."""

from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Literal

import torch
from torch import nn

from cifarlab.errors import UserError
from cifarlab.race.peers.changes import Change
from cifarlab.race.peers.written_numbers import WrittenNumber, scaled_batches, scaled_epochs

WARM_UP = "warmup"
"""The run's name that makes a script warm up; two of the three scripts know it themselves."""

PeerPrecision = Literal["fp32", "bf16"]
"""What a script computes in on a CPU; on CUDA it keeps its own numerics."""

Race = Callable[[int | str], object]
"""The script's training and evaluation, once; its argument names the run: a number, or ``WARM_UP``."""


@dataclass(frozen=True)
class Peer:
    """A published script for time to accuracy on CIFAR-10. Its text is never part of this project."""

    name: str
    """The file's name in its repository."""
    source: str
    """The repository."""
    sha256: tuple[str, ...]
    """Of the file as published, with the line ends of Unix, in every version that there is a hash of."""
    published_accuracy: float
    """Mean test accuracy with test-time views, 0–1."""
    published_seconds: float
    """Its authors' time of a run, by their own clock, on one A100."""
    epochs: float
    """Of a run as published."""
    batch_size: int
    """Images of a training step as published."""
    marks: tuple[str, ...]
    """Texts that this script alone has, all of them."""
    loader: str
    """The name of its class that reads the files."""
    written_epochs: tuple[WrittenNumber, ...]
    """Every number of epochs in its text."""
    written_batches: tuple[WrittenNumber, ...]
    """Every number of images of a training step in its text."""
    everywhere: tuple[Change, ...]
    """Changes on every device; none alters a number that the network or its training sees."""
    on_cpu: tuple[Change, ...]
    """Further changes on a CPU: eager, and nothing in fp16."""
    in_fp32: Change
    """A further change there if all of it is to run in fp32."""
    build: Callable[[ModuleType, torch.device], list[nn.Module]]
    """Builds (on CUDA: compiles) the networks as the script's own main block does."""
    race: Callable[[ModuleType, list[nn.Module]], Race]
    """The script's run with these networks."""
    image_operations: Callable[[ModuleType], float]
    """Operations of all training per image of a step: networks forward and backward, without optimizers."""


def changes_for(
    peer: Peer, device: torch.device, precision: PeerPrecision, epochs: float | None, batch_size: int | None
) -> tuple[Change, ...]:
    """All changes to a peer's script; ``None`` leaves its epochs, or its batch size, as published.

    Args:
        precision: on a CPU.

    Raises:
        UserError: a number of epochs or images that is not above zero.
    """
    changes = peer.everywhere
    if device.type == "cpu":
        changes += peer.on_cpu
        if precision == "fp32":
            changes += (peer.in_fp32,)
    for value in (epochs, batch_size):
        if value is not None and not 0 < value < float("inf"):
            raise UserError(f"a race needs more than 0 epochs and images a step, found {value}")
    if epochs is not None and epochs != peer.epochs:
        changes += scaled_epochs(peer.written_epochs, epochs / peer.epochs)
    if batch_size is not None and batch_size != peer.batch_size:
        changes += scaled_batches(peer.written_batches, batch_size / peer.batch_size)
    return changes
