"""Races between workers that only talk, and processes that can be killed while they race."""

import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch

from cifarlab.race import conduct
from cifarlab.race.opponent import Opponent
from cifarlab.race.record import Record
from cifarlab.race.tiers import Tier
from race import fake_worker
from support import small_recipe, synthetic_source

TIER = Tier("tiny", "demo", "cpu", 0.94, peer="rival")
_FEW = synthetic_source(12, 6, size=32)
SOURCE = replace(_FEW, description=replace(_FEW.description, test_images=10_000))
"""What the workers say of accuracy fits so many test images."""


@dataclass(frozen=True)
class Lane:
    """A folder in which races are run."""

    folder: Path
    ours: str = "well"
    peer: str = "well"
    """How the two workers behave."""

    @property
    def path(self) -> Path:
        """The record."""
        return self.folder / "race" / "tiny.json"

    @property
    def log(self) -> list[str]:
        """All runs that were begun: side and seed."""
        path = self.folder / "log"
        return path.read_text().splitlines() if path.exists() else []

    def opponent(self, text: str = "rival") -> Opponent:
        """A script, whose text is never run."""
        self.folder.mkdir(exist_ok=True)
        script = self.folder / "rival.py"
        script.write_text(text)
        return Opponent(script)

    def race(self, runs: int = 1, **options: Any) -> Record:
        """A race of ours alone, or ``against`` a peer."""
        given: dict[str, Any] = {"recipe": small_recipe(), "tier": TIER, "data": "synthetic", **options}
        return conduct.race(
            given.pop("tier"),
            runs=runs,
            out=self.folder / "race",
            our_worker=self.worker(self.ours),
            peer_worker=self.worker(self.peer),
            **given,
        )

    def behaving(self, *, ours: str = "well", peer: str = "well") -> "Lane":
        """The same folder, other workers."""
        return replace(self, ours=ours, peer=peer)

    def worker(self, behavior: str) -> list[str]:
        """What starts a worker that behaves so."""
        script = str(Path(fake_worker.__file__))
        return [sys.executable, "-S", "-E", script, behavior, str(self.folder / "log")]


def no_data(name: str) -> Any:
    """In the place of ``open_source``."""
    return SOURCE


def no_peaks(device: torch.device) -> dict[str, float]:
    """In the place of ``machine_peaks``, which takes its time."""
    return {"fp32": 100.0, "bf16": 200.0}


def race_to_the_end(folder: Path, pairs: int) -> None:
    """Race in a process of one's own, which may be killed."""
    torch.set_num_threads(1)
    lane = Lane(folder, "slow", "slow")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(conduct, "open_source", no_data)
        patch.setattr(conduct, "machine_peaks", no_peaks)
        lane.race(pairs, against=lane.opponent())
