"""Claiming a run folder, and going on with what is in it."""

import contextlib
import time
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from cifarlab import run
from cifarlab.augment import MeanImage
from cifarlab.checkpoint import State, decode, encode, load_state, remove_states, save_state
from cifarlab.config import differences, from_json, to_json
from cifarlab.distributed import ALONE, Group
from cifarlab.errors import UserError, printable
from cifarlab.files import read_json, remove_leftovers, write_json
from cifarlab.logs import Display
from cifarlab.progress import Progress, capture, restore, start
from cifarlab.recipe import Recipe

SAVING_SHARE = 0.02
"""At most about this share of a run's time goes into saving: after a save of 1 s, none for 50 s."""
WORTH_SAVING = 2.0
"""Seconds of work; less, unless it is the end of the training or a stop, is rather done again."""


def initial_weights(
    start_from: Path | None, freeze: bool, recipe: Recipe, class_names: tuple[str, ...], image_size: int
) -> tuple[dict[str, Tensor] | None, run.InitialWeights | None]:
    """The weights of a finished run to begin with, and their record; None and None to begin from the seed.

    The last dense layer comes along if the run knows the same classes, and so does what the network has taken
    from its training images: a mean image, whitening filters.

    Args:
        freeze: train the last dense layer alone.

    Raises:
        UserError: the run's network or what it is fed differs from the recipe's.
    """
    if start_from is None:
        if freeze:
            raise UserError("--freeze keeps the weights of another run: name it with --from")
        return None, None
    trained, weights, sha256 = run.read_weights(start_from)
    asked = {"model": to_json(recipe.model), "normalize": to_json(recipe.normalize)}
    found = {"model": to_json(trained.model), "normalize": to_json(trained.normalize)}
    # Dropout has no weights: training may go on with another one.
    changed = [line for line in differences(found, asked) if "dropout" not in line.partition(":")[0]]
    if changed:
        raise UserError(
            f"{printable(start_from)} holds another network than this recipe: {'; '.join(changed[:3])}; "
            "take the recipe that it was trained with, or one of the same network"
        )
    if isinstance(trained.normalize, MeanImage) and trained.image_size != image_size:
        raise UserError(
            f"{printable(start_from)} subtracts a mean image of {trained.image_size} pixels; "
            f"these images have {image_size}: take --image-size {trained.image_size}"
        )
    head: Literal["kept", "new"] = "kept" if trained.class_names == class_names else "new"
    return weights, run.InitialWeights(start_from.name, sha256, head, "classifier" if freeze else "all")


def claim(
    folder: Path, description: run.RunDescription, resume: bool, display: Display
) -> dict[str, Any] | None:
    """Make ``folder`` this run's, or check that it already is; its result where the run is finished.

    Raises:
        UserError: the folder holds another run (the difference is shown), a diverged one, or something else.
    """
    if not run.is_run(folder):
        run.refuse_existing(folder)
        remove_leftovers(folder)
        write_json(folder / run.RECIPE, to_json(description))
        if resume:
            display.say(f"nothing to resume in {folder}: this run starts from the beginning")
        return None
    if not resume:
        run.refuse_existing(folder)
    remove_leftovers(folder)
    # Read and written again: what a run of an earlier version does not name has its default.
    changed = differences(_with_defaults(read_json(folder / run.RECIPE), description), to_json(description))
    if changed:
        more = f" and {len(changed) - 3} more" if len(changed) > 3 else ""
        raise UserError(
            f"{folder} holds another run: {'; '.join(changed[:3])}{more}; "
            "repeat its own settings, or choose another --out"
        )
    ending = run.read_ending(folder)
    if ending is not None and ending["status"] == "diverged":
        raise UserError(
            f"{folder} diverged ({ending.get('reason')}); change the recipe, and choose another --out"
        )
    if ending is not None:
        remove_states(folder / run.STATES)
        display.say(f"{folder} is finished already")
    return ending


def _with_defaults(recorded: Any, description: run.RunDescription) -> Any:
    """What was recorded, with the default of every setting that its version did not have yet."""
    with contextlib.suppress(UserError):
        return to_json(from_json(type(description), recorded))
    return recorded


def latest(
    folder: Path,
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    average: nn.Module | None,
    display: Display,
    group: Group = ALONE,
) -> Progress:
    """The progress to go on from: the newest undamaged state, put in place, or a fresh start.

    The first process of ``group`` reads the state and hands it to the others.

    Raises:
        UserError: there are states, and all are damaged; a run never starts anew in silence.
    """
    if group.size == 1:
        state = newest_state(folder, display)
    else:
        content = group.bytes_from_first(lambda: _packed(newest_state(folder, display)))
        state = State(*decode(content, folder)) if content else None
    if state is None:
        return start(next(network.parameters()).device)
    progress = restore(state, network, optimizer, average)
    if not group.is_first:
        progress.totals.zero_()  # the saved ones are the sums over all processes; the first has them
    display.say(f"resumed after {progress.epoch} epochs and {progress.step} steps")
    return progress


def _packed(state: State | None) -> bytes:
    return b"" if state is None else encode(state.tensors, state.values)


def newest_state(folder: Path, display: Display) -> State | None:
    """The newest undamaged state of the run in ``folder``; None where it has to start from the beginning.

    Raises:
        UserError: there are states, and all are damaged.
    """
    states = folder / run.STATES
    state, damaged = load_state(states)
    for name in damaged:
        display.say(f"the saved state {name} is damaged and was passed over")
    if state is None and damaged:
        raise UserError(
            f"every saved state in {states} is damaged; "
            "delete that folder to start this run from the beginning"
        )
    for name in damaged:  # it would take the place of a good one among those that are kept
        (states / name).unlink(missing_ok=True)
    logged = len(run.read_metrics(folder))
    if state is None and logged:
        display.say(f"no state was saved of the {logged} logged epochs: this run starts from the beginning")
    return state


class Saver:
    """Writes resume states, as often as costs little. All processes of ``group`` save together."""

    def __init__(
        self,
        folder: Path,
        network: nn.Module,
        optimizer: torch.optim.Optimizer,
        average: nn.Module | None,
        group: Group = ALONE,
    ) -> None:
        self._group = group
        self._folder = folder / run.STATES
        self._network = network
        self._optimizer = optimizer
        self._average = average
        self._next = time.monotonic() + WORTH_SAVING

    def save(self, progress: Progress) -> None:
        """Write the state now."""
        began = time.monotonic()
        number = sum(line["step"] for line in progress.history[-1:]) + progress.step
        totals = self._group.sum(progress.totals)
        if self._group.is_first:
            whole = replace(progress, totals=totals)
            state = capture(whole, self._network, self._optimizer, self._average)
            save_state(self._folder, number, state)
        ended = time.monotonic()
        self._next = ended + max(WORTH_SAVING, (ended - began) / SAVING_SHARE)

    def save_if_due(self, progress: Progress) -> None:
        """Write the state if the last save lies back far enough."""
        if self.is_due():
            self.save(progress)

    def is_due(self) -> bool:
        """Whether the next save is worth its time, by the first process's clock; all must ask."""
        return self._group.any(self._group.is_first and time.monotonic() >= self._next)


class NoSaver(Saver):
    """For a run that nobody will go on with."""

    def save(self, progress: Progress) -> None:
        """Write nothing."""

    def is_due(self) -> bool:
        """Never."""
        return False
