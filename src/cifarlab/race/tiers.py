"""What is raced for: an accuracy, on a kind of device, with a recipe, against a peer."""

from dataclasses import dataclass
from typing import Literal

from cifarlab.errors import UserError, nearest

GPU_MARGIN, CPU_MARGIN = 0.001, 0.002


@dataclass(frozen=True)
class Tier:
    """One race."""

    name: str
    recipe: str
    """The name of our recipe."""
    device: Literal["cpu", "cuda"]
    target: float | None
    """The accuracy to reach, 0 … 1; None for the mean accuracy that the peer has on the same files."""
    target_data: str | None = None
    """The data set for which ``target`` was published: on any but the publisher's own files the peer's mean
    is the target. None where the target is the same for all data."""
    peer: str | None = None
    """The script to race against, without its ``.py``."""
    peer_epochs: float | None = None
    """Epochs to which the peer's schedule is rescaled; None for the script's own."""
    margin: float = CPU_MARGIN
    """By how much the lower 95 % bound of our accuracy minus the peer's may lie below 0."""
    aim: float = 0.5
    """Our time over the peer's, as we want it."""


TIERS: dict[str, Tier] = {
    tier.name: tier
    for tier in (
        Tier("cpu75", "race-cpu75", "cpu", 0.75),
        Tier("cpu80", "race-cpu80", "cpu", 0.80),
        # The fewest in which the peer reaches 85 %, in steps of one half: in 2 it had 84.04 % (docs/log.md).
        Tier("cpu85", "race-cpu85", "cpu", 0.85, peer="airbench94_muon", peer_epochs=2.5),
        Tier("cpu-full", "race-cpu-full", "cpu", None, peer="airbench94_muon"),
        Tier("gpu94", "race-gpu94", "cuda", 0.94, "cifar10", "airbench94_muon", None, GPU_MARGIN, 0.8),
        Tier("gpu96", "race-gpu96", "cuda", 0.96, "cifar10", "airbench96_faster", None, GPU_MARGIN),
    )
}


def tier_named(name: str) -> Tier:
    """The tier called ``name``.

    Raises:
        UserError: there is none; the nearest right name is said.
    """
    if name not in TIERS:
        raise UserError(f"no race is called {name!r}; {nearest(name, TIERS)}")
    return TIERS[name]
