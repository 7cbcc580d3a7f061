"""How far a run has come, and all of its state as one value that can be saved."""

import time
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from cifarlab.checkpoint import State
from cifarlab.errors import UserError, first_line


@dataclass
class Progress:
    """Counters, sums and the best weights so far. Random states are not needed: see ``runtime``."""

    totals: Tensor
    """float64 ``[2]`` on the device: summed loss and correct images of the current epoch so far, as far as
    this process has seen them."""
    epoch: int = 0
    """Finished epochs."""
    step: int = 0
    """Finished steps of the current epoch."""
    training_seconds: float = 0.0
    """Spent in the current epoch's draws and steps."""
    seconds: float = 0.0
    """Spent in the epochs so far, evaluation and saving included, but for the last saving of all."""
    preparation_seconds: float = 0.0
    """Spent by this process, before its first step, on compiling and recording steps (``captured``)."""
    history: list[dict[str, Any]] = field(default_factory=list)
    """The lines of ``metrics.jsonl``."""
    best_epoch: int = 0
    best_score: float | None = None
    best_weights: dict[str, Tensor] = field(default_factory=dict)
    teams: list[dict[str, Any]] = field(default_factory=list)
    """How many processes have had a part in this run, where it went on with another number."""

    @property
    def val_losses(self) -> list[float]:
        """The validation losses of the epochs done, where there are validation images."""
        return [line["val_loss"] for line in self.history if "val_loss" in line]

    def count(self, loss: Tensor, correct: Tensor) -> None:
        """Add one step: its summed loss and correct images (scalars)."""
        self.totals += torch.stack((loss, correct)).to(self.totals.dtype)
        self.step += 1

    def spend(self, seconds: float) -> None:
        """Add time that went into steps."""
        self.training_seconds += seconds
        self.seconds += seconds

    def note_team(self, processes: int, batch_statistics: str) -> None:
        """Remember how many processes train from here on, and what BatchNorm sees in them."""
        team = {"count": processes, "batch_statistics": batch_statistics if processes > 1 else "process"}
        if team not in self.teams:
            self.teams.append(team)

    def finish_epoch(self, line: dict[str, Any], score: float, network: nn.Module) -> None:
        """Take up a judged epoch; keep a copy of its weights if ``score`` (higher is better) is the best."""
        self.history.append(line)
        self.epoch += 1
        self.step = 0
        self.training_seconds = 0.0
        self.totals.zero_()
        if self.best_score is None or score > self.best_score:
            self.best_epoch = self.epoch
            self.best_score = score
            self.best_weights = copy_of_weights(network)


class Stopwatch:
    """Seconds between two laps."""

    def __init__(self) -> None:
        self._last = time.perf_counter()

    def lap(self) -> float:
        """Seconds since the lap before, or since the start."""
        now = time.perf_counter()
        elapsed, self._last = now - self._last, now
        return elapsed


def start(device: torch.device) -> Progress:
    """The progress of a run that has not begun."""
    # MPS has no double precision; its sums are kept in single.
    dtype = torch.float32 if device.type == "mps" else torch.float64
    return Progress(totals=torch.zeros(2, dtype=dtype, device=device))


def capture(
    progress: Progress, network: nn.Module, optimizer: torch.optim.Optimizer, average: nn.Module | None
) -> State:
    """Everything that the run needs to go on from here, bit for bit."""
    tensors = {"totals": progress.totals}
    tensors |= {f"network.{name}": value for name, value in network.state_dict().items()}
    if average is not None:
        tensors |= {f"average.{name}": value for name, value in average.state_dict().items()}
    tensors |= {f"best.{name}": value for name, value in progress.best_weights.items()}
    for place, slots in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{place}.{name}": value for name, value in slots.items()}
    return State(
        tensors,
        {
            "epoch": progress.epoch,
            "step": progress.step,
            "training_seconds": progress.training_seconds,
            "seconds": progress.seconds,
            "history": progress.history,
            "best_epoch": progress.best_epoch,
            "best_score": progress.best_score,
            "teams": progress.teams,
        },
    )


def restore(
    state: State, network: nn.Module, optimizer: torch.optim.Optimizer, average: nn.Module | None
) -> Progress:
    """Put ``state`` into ``network``, ``optimizer`` and ``average``, and return the progress.

    Raises:
        UserError: the state is not one of this network and optimizer.
    """
    try:
        network.load_state_dict(_under("network.", state.tensors))
        if average is not None:
            average.load_state_dict(_under("average.", state.tensors))
        slots: dict[int, dict[str, Tensor]] = {}
        for name, value in _under("optimizer.", state.tensors).items():
            place, _, slot = name.partition(".")
            slots.setdefault(int(place), {})[slot] = value
        optimizer.load_state_dict({"state": slots, "param_groups": optimizer.state_dict()["param_groups"]})
        _match_strides(optimizer)
        device = next(network.parameters()).device
        return Progress(
            totals=start(device).totals.copy_(state.tensors["totals"]),
            best_weights={k: v.to(device) for k, v in _under("best.", state.tensors).items()},
            **state.values,
        )
    except (RuntimeError, KeyError, TypeError, ValueError) as error:
        raise UserError(f"the saved state does not fit this run: {first_line(error)}") from error


def _match_strides(optimizer: torch.optim.Optimizer) -> None:
    """Give every slot the memory layout of its parameter.

    A file holds plain layouts, while weights are channels last on the device. torch's fused kernels walk
    parameter and slot in memory order, so with different layouts they would mix up the elements.
    """
    for parameter, slots in optimizer.state.items():
        for name, value in slots.items():
            if value.shape == parameter.shape:
                slots[name] = torch.empty_like(parameter).copy_(value)


def copy_of_weights(network: nn.Module) -> dict[str, Tensor]:
    """Parameters and buffers of ``network``, detached and copied."""
    return {name: value.detach().clone() for name, value in network.state_dict().items()}


def _under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
