"""A peer's side of a race: ``python -m cifarlab.race.peers.worker ORDER``; see ``cifarlab.race.protocol``.

It sets no number of threads: that is the driver's business, the same for both sides.
"""

import contextlib
import json
import os
import signal
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import torch

from cifarlab.config import from_json
from cifarlab.errors import EXPECTED, UserError
from cifarlab.race.peers.contestant import DATA, Contestant
from cifarlab.race.peers.peer import PeerPrecision
from cifarlab.race.peers.script import Script, read_script
from cifarlab.race.protocol import Conversation
from cifarlab.runtime import device_named


@dataclass(frozen=True)
class PeerOrder:
    """What this process races with."""

    script: str
    """The user's own copy of a peer's script."""
    data: str
    """The folder with ``train.pt`` and ``test.pt`` (``race.peer_data``)."""
    device: str
    warm_up: bool
    """Make one run on random labels before saying that all is ready; without effect on a CPU, where nothing
    is compiled."""
    epochs: float | None = None
    """None: as published; else the whole schedule is scaled."""
    batch_size: int | None = None
    """Only tests, which have a handful of images, give it; None: as published, as in every race."""
    precision: PeerPrecision = "fp32"
    """What the networks compute in on a CPU; on CUDA a script keeps its own numerics."""


def main() -> None:
    """Load, warm up where told, and run once per seed."""
    conversation = Conversation()
    signal.signal(signal.SIGTERM, _leave)
    try:
        order: PeerOrder = from_json(PeerOrder, json.loads(sys.argv[1]))
        device = device_named(order.device)
        if device.type not in ("cpu", "cuda"):
            raise UserError(f"the peers' scripts run on cpu and cuda, not on {device.type}")
        script = read_script(Path(order.script), device, order.epochs, order.batch_size, order.precision)
        with _working_directory(Path(order.data)) as folder:
            if device.index is not None:
                torch.cuda.set_device(device)  # the scripts know no device but "cuda"
            contestant = Contestant(script, device, folder)
            warms_up = order.warm_up and device.type == "cuda"
            warm_up_seconds = contestant.warm_up() if warms_up else None
            conversation.ready({**_facts(script), "warm_up_seconds": warm_up_seconds})
            for seed in conversation.seeds():
                conversation.answer(contestant.run(seed).to_json())
    except EXPECTED as error:
        print(f"cifarlab: {error}", file=sys.stderr)
        sys.exit(error.exit_code)


def _facts(script: Script) -> dict[str, Any]:
    peer = script.peer
    published = {"accuracy": peer.published_accuracy, "seconds": peer.published_seconds}
    return {
        "peer": peer.name,
        "source": peer.source,
        "published": published,
        "script_sha256": script.sha256,
        "as_published": script.as_published,
        "precision": script.precision,
        "epochs": script.epochs,
        "batch_size": script.batch_size,
        "changes": list(script.change_names),
    }


@contextlib.contextmanager
def _working_directory(data: Path) -> Iterator[Path]:
    """Inside, the process works in a folder of its own, where the scripts find their files."""
    for name in ("train.pt", "test.pt"):
        if not (data / name).is_file():
            raise UserError(f"{data}: there is no {name}")
    with tempfile.TemporaryDirectory(prefix="cifarlab-peer-") as folder:
        os.symlink(data.resolve(), Path(folder, DATA))
        with contextlib.chdir(folder):
            yield Path(folder)


def _leave(number: int, frame: FrameType | None) -> None:
    """End in good order, so that the working directory goes."""
    sys.exit(128 + number)


if __name__ == "__main__":
    main()
