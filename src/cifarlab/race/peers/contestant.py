"""A peer's script, loaded and ready: its runs under the race's clock."""

import random
from pathlib import Path
from typing import Any

import torch

from cifarlab.errors import UserError
from cifarlab.race.clock import now, put_to_work
from cifarlab.race.late_imports import finish_imports
from cifarlab.race.outcome import Outcome
from cifarlab.race.peers.bfloat16 import forward_in_bf16
from cifarlab.race.peers.peer import WARM_UP
from cifarlab.race.peers.referee import Referee
from cifarlab.race.peers.script import Script, load
from cifarlab.runtime import keep_freed_memory

DATA = "cifar10"
"""The folder of ``train.pt`` and ``test.pt`` that the scripts read, below the working directory."""


class Contestant:
    """A loaded script with its data and its networks.

    Args:
        script: what to run.
        device: cpu or cuda.
        folder: the working directory of this process, with the folder ``DATA`` in it, now and at every run.

    Raises:
        UserError: the script cannot be loaded, or cannot take the data.
    """

    def __init__(self, script: Script, device: torch.device, folder: Path) -> None:
        self._script = script
        self._device = device
        self._referee = Referee()
        self._module = load(script, self._referee, folder)
        loader = getattr(self._module, script.peer.loader)
        images = len(loader(DATA, train=True).images)
        loader(DATA, train=False)  # from now on both files have been read
        if images < script.batch_size:
            raise UserError(
                f"{script.peer.name} trains on {script.batch_size:,} images a step, "
                f"and there are {images:,} in all"
            )
        finish_imports()
        if device.type == "cpu":
            keep_freed_memory()  # as for ours: the scripts were written for a GPU's allocator, which does so
        self._image_operations = script.peer.image_operations(self._module)
        networks = script.peer.build(self._module, device)
        if script.precision == "bf16":
            for network in networks:
                forward_in_bf16(network)
        self._race = script.peer.race(self._module, networks)

    def warm_up(self) -> float:
        """One run on random labels, after which everything is compiled; the seconds that it took."""
        began = now(self._device)
        with self._referee.random_labels():
            self._race(WARM_UP)
        self._referee.take()  # or its data would stay during the next run
        return now(self._device) - began

    def run(self, seed: int) -> Outcome:
        """Train and evaluate once.

        The clock is read before the script's first look at the images and after its last test prediction.
        So it includes what the script's own clock leaves out: the conversion of the images to floating
        point, the beginnings of weights and optimizers, and, in airbench96_faster, the augmentation of each
        epoch, which its loader makes before that clock goes on. The accuracy without views comes after.
        """
        torch.manual_seed(seed)
        random.seed(seed)  # airbench96_faster draws the seeds of its data from it
        put_to_work(self._device)
        began = now(self._device)
        self._race(seed)
        seconds = now(self._device) - began
        figures = self._referee.take()
        test = figures["test_loader"]
        without_views = self._module.evaluate(figures["model"], test, tta_level=0)
        steps = _either(figures, "step", "current_steps")
        details = {
            "accuracy_without_views": _exact(without_views, len(test.labels)),
            "own_clock_seconds": round(_either(figures, "time_seconds", "total_time_seconds"), 4),
            "steps": steps,
            "epochs": self._script.epochs,
            "training_flops": self._image_operations * steps * self._script.batch_size,
            "precision": self._script.precision,
            "changes": list(self._script.change_names),
        }
        return Outcome(round(seconds, 4), _exact(figures["tta_val_acc"], len(test.labels)), seed, details)


def _exact(accuracy: float, images: int) -> float:
    """The share of ``images`` of which ``accuracy`` is a float32."""
    return round(accuracy * images) / images


def _either(figures: dict[str, Any], *names: str) -> Any:
    """The one that there is: the scripts call it by different names."""
    return next(figures[name] for name in names if name in figures)
