"""What the processes of a team do in the tests: trainings that are traced, stopped, poisoned or killed."""

import hashlib
import os
import signal
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from cifarlab.augment import HorizontalFlip, Normalize, RandomCrop
from cifarlab.data.batches import whole
from cifarlab.data.split import Split
from cifarlab.distributed import Group
from cifarlab.errors import UserError
from cifarlab.evaluate import logits_of, with_views
from cifarlab.guard import FiniteGuard
from cifarlab.losses import CrossEntropy
from cifarlab.models import PlainCnn
from cifarlab.optim import Sgd
from cifarlab.recipe import Recipe
from cifarlab.train import train
from cifarlab.views import TestTimeViews
from support import Recorder, small_recipe, synthetic_source

SOURCE = synthetic_source()
AUGMENT = (RandomCrop(padding=1), HorizontalFlip())
CPU = torch.device("cpu")


def plain_recipe(**changes: Any) -> Recipe:
    """Without BatchNorm and dropout: 48 images in batches of 10, so the last batch of an epoch has 8."""
    values: dict[str, Any] = {"model": PlainCnn(widths=(4, 4, 8)), "optimizer": Sgd(lr=0.05)}
    return small_recipe(augment=AUGMENT, **(values | changes))


def train_in(group: Group, recipe: Recipe, out: Path) -> dict[str, Any]:
    """Train, or go on; what this process saw of it."""
    display = Recorder()
    train(recipe, SOURCE, out, resume=True, group=group, display=display)
    names = ("train_loss", "train_accuracy", "val_loss", "val_accuracy")
    return {"said": display.said, "lines": [[line[name] for name in names] for line in display.lines]}


def trace_in(group: Group, recipe: Recipe, out: Path) -> list[tuple[list[int], list[int]]]:
    """For every step the whole batch, and the images of it that this process computed and counted."""
    steps = []
    part_of = Group.part_of

    def traced(self: Group, batch: Tensor) -> tuple[Tensor, float]:
        part, weight = part_of(self, batch)
        steps.append((batch.tolist(), part.tolist() if weight > 0 else []))
        return part, weight

    Group.part_of = traced  # type: ignore[method-assign]
    train(recipe, SOURCE, out, group=group)
    return steps


def gradients_in(group: Group, recipe: Recipe, out: Path) -> list[list[float]]:
    """The gradient of every step of the run, as the optimizer gets it."""
    found = []
    before_step = FiniteGuard.before_step

    def noted(self: FiniteGuard, loss: Tensor, network: nn.Module, number: float | Tensor) -> None:
        gradients = [each.grad for each in network.parameters() if each.grad is not None]
        found.append(torch.cat([each.flatten() for each in gradients]).tolist())
        before_step(self, loss, network, number)

    FiniteGuard.before_step = noted  # type: ignore[method-assign]
    train(recipe, SOURCE, out, group=group)
    return found


class NumberNetwork(nn.Module):
    """Says of an image which number its pixels hold, and counts how often it was asked for each."""

    def __init__(self) -> None:
        super().__init__()
        self.unused = nn.Linear(1, 1)
        self.asked: list[int] = []

    def forward(self, images: Tensor) -> Tensor:
        numbers = images[:, 0, 0, 0]
        self.asked += numbers.int().tolist()
        return torch.stack([numbers, -numbers], dim=1)


class AsIs(Normalize):
    """Pixels as they are."""

    def apply(self, images: Tensor) -> Tensor:
        return images.float()


def evaluated_in(group: Group, lengths: list[int], batch_size: int) -> list[tuple[list[float], list[int]]]:
    """For sets of these lengths: the rows that come out, and which images this process was asked for."""
    found = []
    for length in lengths:
        pixels = torch.arange(length, dtype=torch.uint8)[:, None, None, None].expand(-1, 3, 1, 1)
        split = Split(pixels, torch.zeros(length, dtype=torch.int64), ("a", "b"))
        network = NumberNetwork()
        logits = logits_of(network, whole(split, CPU), AsIs(), batch_size=batch_size, group=group)
        found.append((logits[:, 0].tolist(), network.asked))
    return found


class CornerNetwork(nn.Module):
    """Answers with the pixel in the first corner, which is another one in a mirror image."""

    def forward(self, images: Tensor) -> Tensor:
        corner = images[:, 0, 0, 0]
        return torch.stack([corner, -corner], dim=1)


def viewed_in(group: Group, lengths: list[int]) -> list[tuple[list[list[float]], list[list[float]]]]:
    """For sets of these lengths: the logits after all views, by ``group`` and by this process alone."""
    views, found = TestTimeViews(shift=0, unsure=0.999), []
    for length in lengths:
        pixels = torch.arange(length * 12, dtype=torch.uint8).view(length, 3, 2, 2) % 7
        data = whole(Split(pixels, torch.zeros(length, dtype=torch.int64), ("a", "b")), CPU)
        first = logits_of(CornerNetwork(), data, AsIs())
        shared, alone = (
            with_views(views, first, CornerNetwork(), data, AsIs(), batch_size=2, group=each)
            for each in (group, Group())
        )
        found.append((shared.tolist(), alone.tolist()))
    return found


def signal_in(group: Group, recipe: Recipe, out: Path, rank: int, step: int, number: int) -> Any:
    """Train; process ``rank`` sends itself a signal after ``step`` steps."""

    class Signaling(Recorder):
        def step(self, epoch: int, steps_done: int, lr: float, loss: Tensor, speed: float) -> None:
            if group.rank == rank and steps_done == step:
                os.kill(os.getpid(), signal.Signals(number))

    train(recipe, SOURCE, out, resume=True, group=group, display=Signaling())


def diverge_in(group: Group, recipe: Recipe, out: Path, rank: int) -> Any:
    """Train; in process ``rank`` the loss of the third step is not a number, its gradient is as before."""
    mean, calls = CrossEntropy.mean, [0]

    def poisoned(
        self: CrossEntropy, logits: Tensor, targets: Tensor, weights: Tensor | None = None
    ) -> Tensor:
        calls[0] += 1
        loss = mean(self, logits, targets, weights)
        return loss + (loss * float("nan")).detach() if (group.rank, calls[0]) == (rank, 3) else loss

    CrossEntropy.mean = poisoned  # type: ignore[method-assign]
    train(recipe, SOURCE, out, group=group)


def disagree_in(group: Group, recipe: Recipe, out: Path) -> Any:
    """Train, each process with a seed of its own."""
    train(recipe, SOURCE, out, seed=group.rank, group=group)


def fail_in(group: Group, recipe: Recipe, out: Path, rank: int) -> Any:
    """Train; process ``rank`` meets a full disk after the first epoch."""

    class Failing(Recorder):
        def epoch(self, line: dict[str, Any]) -> None:
            if group.rank == rank:
                raise UserError("the disk is full")

    train(recipe, SOURCE, out, group=group, display=Failing())


def weights_in(group: Group, recipe: Recipe, out: Path) -> str:
    """Train; a hash over the weights before every step."""
    digest = hashlib.sha256()
    before_step = FiniteGuard.before_step

    def hashed(self: FiniteGuard, loss: Tensor, network: nn.Module, number: float | Tensor) -> None:
        for parameter in network.parameters():
            digest.update(parameter.detach().contiguous().numpy().tobytes())
        before_step(self, loss, network, number)

    FiniteGuard.before_step = hashed  # type: ignore[method-assign]
    train(recipe, SOURCE, out, group=group)
    return digest.hexdigest()
