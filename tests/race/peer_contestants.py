"""Contestants with scripts of the peers' shape."""

from pathlib import Path

import torch

from cifarlab.race.peers.contestant import Contestant
from cifarlab.race.peers.peer import PeerPrecision
from cifarlab.race.peers.script import read_script
from race.peer_samples import SAMPLES

CPU, BATCH = torch.device("cpu"), 10


def contestant(
    name: str,
    folder: Path,
    device: torch.device = CPU,
    epochs: float | None = 2,
    text: str | None = None,
    precision: PeerPrecision = "fp32",
) -> Contestant:
    path = folder / f"copy of {name}"
    path.write_text(text or SAMPLES[name])
    return Contestant(read_script(path, device, epochs, BATCH, precision), device, folder)
