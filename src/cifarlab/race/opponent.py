"""The peer of a race: a script in the user's own copy."""

import math
from dataclasses import dataclass
from pathlib import Path

import torch

from cifarlab.errors import UserError
from cifarlab.race.peers.peer import PeerPrecision
from cifarlab.race.peers.script import read_script
from cifarlab.race.tiers import Tier


@dataclass(frozen=True)
class Opponent:
    """A peer's script of the user's own copy."""

    script: Path
    epochs: float | None = None
    """To which its schedule is rescaled; None for the script's own."""
    precision: PeerPrecision | None = None
    """On a CPU; None on a GPU, where it runs as published."""


def opponent_at(
    path: Path, tier: Tier, epochs: float | None = None, precision: PeerPrecision | None = None
) -> Opponent:
    """The peer's script at ``path``, or the tier's own peer where that is a folder.

    Args:
        epochs: instead of the tier's.
        precision: of a peer on a CPU; None for fp32.

    Raises:
        UserError: there is no such script, it is none that can be run, or a value does not fit the tier.
    """
    if precision is not None and tier.device != "cpu":
        raise UserError(f"--peer-precision is for a CPU; in {tier.name} the peer computes as published")
    script = path / f"{tier.peer}.py" if path.is_dir() and tier.peer is not None else path
    if not script.is_file():
        raise UserError(f"{script} is no script; give --against the path of your copy of a peer's")
    if epochs is not None and not (epochs > 0 and math.isfinite(epochs)):
        raise UserError(f"--peer-epochs must be a finite number above 0, found {epochs:g}")
    epochs = tier.peer_epochs if epochs is None else epochs
    if tier.device == "cpu":
        precision = precision or "fp32"
    # A wrong one shows before anything is made.
    read_script(script, torch.device(tier.device), epochs, None, precision or "fp32")
    return Opponent(script, epochs, precision)
