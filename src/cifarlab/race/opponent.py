"""The peer of a race: a script in the user's own copy."""

import math
from dataclasses import dataclass
from pathlib import Path

from cifarlab.errors import UserError
from cifarlab.race.tiers import Tier


@dataclass(frozen=True)
class Opponent:
    """A peer's script of the user's own copy."""

    script: Path
    epochs: float | None = None
    """To which its schedule is rescaled; None for the script's own."""


def opponent_at(path: Path, tier: Tier, epochs: float | None = None) -> Opponent:
    """The peer's script at ``path``, or the tier's own peer where that is a folder.

    Args:
        epochs: instead of the tier's.

    Raises:
        UserError: there is no such script.
    """
    script = path / f"{tier.peer}.py" if path.is_dir() and tier.peer is not None else path
    if not script.is_file():
        raise UserError(f"{script} is no script; give --against the path of your copy of a peer's")
    if epochs is not None and not (epochs > 0 and math.isfinite(epochs)):
        raise UserError(f"--peer-epochs must be a finite number above 0, found {epochs:g}")
    return Opponent(script, tier.peer_epochs if epochs is None else epochs)
