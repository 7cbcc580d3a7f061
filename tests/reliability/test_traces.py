"""Learning rates, order and augmentation are functions of progress, whatever interrupts a run."""

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from cifarlab import feed
from cifarlab.augment import HorizontalFlip, RandomCrop, Rotation, apply_all, draw_epoch
from cifarlab.data.batches import DeviceSplit
from cifarlab.errors import Stopped
from cifarlab.optim import Sgd
from cifarlab.recipe import Recipe
from cifarlab.schedules import (
    Constant,
    CosineRestarts,
    Exponential,
    Linear,
    MultiStep,
    OneCycle,
    Piecewise,
    Plateau,
    Schedule,
    Step,
    WarmupCosine,
)
from cifarlab.train import train
from support import Recorder, save_never, small_recipe, stop_at, synthetic_source

SOURCE = synthetic_source()
QUESTIONS_PER_EPOCH = 8
IMAGES = 48
AUGMENT = (RandomCrop(padding=2), HorizontalFlip(), Rotation())
Trace = list[tuple[list[int], list[list[Any]]]]


@pytest.mark.parametrize(
    "schedule",
    [Constant(), MultiStep((2, 4), 0.5), MultiStep((0, 1, 5), 0.1), MultiStep((9,), 0.1)],
    ids=["constant", "two milestones", "at the beginning", "never reached"],
)
def test_learning_rates(schedule: Schedule, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = small_recipe(optimizer=Sgd(lr=0.07), schedule=schedule, epochs=6)
    whole, parts = Recorder(), Recorder()
    train(recipe, SOURCE, tmp_path / "whole", display=whole)
    for part in range(7):
        stop_at(monkeypatch, *([QUESTIONS_PER_EPOCH + 1] if part < 6 else []))
        try:
            train(recipe, SOURCE, tmp_path / "parts", resume=part > 0, display=parts)
        except Stopped:
            assert len(parts.lines) == part + 1
    expected = _torch_rates(schedule)
    for display in (whole, parts):
        assert [step for step, _ in display.rates] == list(range(1, 31))
        assert [rate for _, rate in display.rates] == pytest.approx(expected, rel=1e-12)
        assert [line["lr"] for line in display.lines] == [rate for _, rate in display.rates][4::5]
    assert parts.rates == whole.rates


def _torch_rates(schedule: Schedule) -> list[float]:
    """The rates of 6 epochs of 5 steps by torch's own schedulers."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.07)
    milestones, factor = (
        (schedule.milestones, schedule.gamma) if isinstance(schedule, MultiStep) else ((), 1.0)
    )
    scheduler = torch.optim.lr_scheduler.MultiStepLR(optimizer, milestones, factor)
    rates = []
    for _ in range(6):
        for _ in range(5):
            optimizer.step()
            rates.append(optimizer.param_groups[0]["lr"])
        scheduler.step()
    return rates


@pytest.mark.parametrize(
    "schedule",
    [
        Step(every=2, gamma=0.5),
        Piecewise((1, 4), (0.5, 0.1)),
        Exponential(0.9),
        CosineRestarts(period=2),
        WarmupCosine(warmup=0.3),
        Linear(warmup=0.3),
        OneCycle(),
        Plateau(patience=0, gamma=0.5, threshold=0.3),
    ],
    ids=lambda schedule: type(schedule).__name__,
)
def test_no_schedule_notices_a_resume(
    schedule: Schedule, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped in the middle of epochs; the plateau's history is in the saved state, all else is progress."""
    recipe = small_recipe(optimizer=Sgd(lr=0.07), schedule=schedule, epochs=6)
    whole, parts = Recorder(), Recorder()
    train(recipe, SOURCE, tmp_path / "whole", display=whole)
    save_never(monkeypatch)
    for part in range(7):
        stop_at(monkeypatch, *([4 + (part > 0) * 4] if part < 6 else []))
        try:
            train(recipe, SOURCE, tmp_path / "parts", resume=part > 0, display=parts)
        except Stopped:
            assert 0 < len(parts.rates) < 30
    assert parts.rates == whole.rates
    assert len(dict(whole.rates)) == 30
    assert len(set(dict(whole.rates).values())) > 1


@pytest.fixture
def trace(monkeypatch: pytest.MonkeyPatch) -> Trace:
    """Filled with (image ids, draws) of every training batch; ids are indices into the training set."""
    steps: Trace = []
    last: list[Tensor] = []
    batch = DeviceSplit.batch

    def noted_batch(self: DeviceSplit, positions: Tensor) -> tuple[Tensor, Tensor]:
        last.append(self.indices[positions])
        return batch(self, positions)

    def noted_augmentation(augmentations: Any, images: Tensor, draws: list[Tensor]) -> Tensor:
        steps.append((last[-1].tolist(), [drawn.tolist() for drawn in draws]))
        return apply_all(augmentations, images, draws)

    monkeypatch.setattr(DeviceSplit, "batch", noted_batch)
    monkeypatch.setattr(feed, "apply_all", noted_augmentation)
    return steps


def _recipe(batch_size: int = 10) -> Recipe:
    return small_recipe(augment=AUGMENT, epochs=3, batch_size=batch_size)


def _trace_resumed_at_every_batch(folder: Path, trace: Trace, patch: pytest.MonkeyPatch) -> Trace:
    """Each segment takes one step more; global random states are stirred in between."""
    save_never(patch)
    noise = random.Random(5)
    for segment in range(30):
        torch.manual_seed(noise.randrange(2**32))
        np.random.seed(noise.randrange(2**32))
        random.seed(noise.randrange(2**32))
        at_the_end_of_an_epoch = len(trace) % 5 == 0 and segment > 0
        # The first question after the last step of an epoch is asked in its evaluation (3 questions).
        stop_at(patch, *([] if len(trace) == 15 else [5] if at_the_end_of_an_epoch else [2]))
        try:
            train(_recipe(), SOURCE, folder, resume=segment > 0)
        except Stopped:
            continue
        break
    assert segment == 15
    return trace


def test_order_and_draws_with_a_resume_at_every_batch(
    tmp_path: Path, trace: Trace, monkeypatch: pytest.MonkeyPatch
) -> None:
    train(_recipe(), SOURCE, tmp_path / "whole")
    whole = list(trace)
    trace.clear()
    assert _trace_resumed_at_every_batch(tmp_path / "parts", trace, monkeypatch) == whole
    epochs = [[image for ids, _ in whole[first : first + 5] for image in ids] for first in (0, 5, 10)]
    assert all(len(epoch) == len(set(epoch)) == IMAGES for epoch in epochs), "each image once"
    assert sorted(epochs[0]) == sorted(epochs[1]) == sorted(epochs[2])
    assert epochs[0] != epochs[1] != epochs[2]
    drawn = _by_epoch_and_image(whole)
    images = sorted(epochs[0])
    per_epoch = [[drawn[epoch, image] for image in images] for epoch in range(3)]
    assert per_epoch[0] != per_epoch[1] != per_epoch[2], "new draws in every epoch"


def test_a_draw_belongs_to_an_image(tmp_path: Path, trace: Trace) -> None:
    """Row ``i`` of an epoch's draws is used for the training part's image ``i``, wherever it comes."""
    train(_recipe(), SOURCE, tmp_path / "run", seed=3)
    labels = SOURCE.read_train().labels
    part = small_recipe().judging.holdout.divide(labels, 3)[0].tolist()
    for epoch in range(3):
        expected = [drawn.tolist() for drawn in draw_epoch(AUGMENT, IMAGES, 3, epoch)]
        for ids, draws in trace[5 * epoch : 5 * epoch + 5]:
            rows = [part.index(image) for image in ids]
            assert draws == [[drawn[row] for row in rows] for drawn in expected]


def test_every_step_has_random_numbers_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Dropout draws from torch's global generator, which is seeded anew for every step."""
    seeds: list[int] = []

    def noted_augmentation(augmentations: Any, images: Tensor, draws: list[Tensor]) -> Tensor:
        seeds.append(torch.initial_seed())
        return images

    monkeypatch.setattr(feed, "apply_all", noted_augmentation)
    train(_recipe(), SOURCE, tmp_path / "a")
    train(_recipe(), SOURCE, tmp_path / "b")
    assert len(set(seeds[:15])) == 15
    assert seeds[:15] == seeds[15:]


def test_an_order_from_the_global_state_is_noticed(
    tmp_path: Path, trace: Trace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Control: the test above fails for an order that is drawn as torch's DataLoader draws it."""
    monkeypatch.setattr(feed, "epoch_order", lambda count, seed, epoch: torch.randperm(count))
    train(_recipe(), SOURCE, tmp_path / "whole")
    whole = list(trace)
    trace.clear()
    assert _trace_resumed_at_every_batch(tmp_path / "parts", trace, monkeypatch) != whole


def test_a_run_does_not_read_the_global_state(tmp_path: Path, trace: Trace) -> None:
    torch.manual_seed(1)
    train(_recipe(), SOURCE, tmp_path / "a")
    first = list(trace)
    trace.clear()
    torch.manual_seed(2)
    train(_recipe(), SOURCE, tmp_path / "b")
    assert trace == first


@pytest.mark.parametrize("batch_size", [1, 7, 16, 48, 100])
def test_the_same_draws_for_any_batch_size(batch_size: int, tmp_path: Path, trace: Trace) -> None:
    train(_recipe(), SOURCE, tmp_path / "ten")
    expected = _by_epoch_and_image(trace)
    assert len(expected) == 3 * IMAGES
    trace.clear()
    train(_recipe(batch_size), SOURCE, tmp_path / "other")
    assert _by_epoch_and_image(trace) == expected


def _by_epoch_and_image(trace: Trace) -> dict[tuple[int, int], tuple[Any, ...]]:
    rows = [
        (ids[i], tuple(map(str, (drawn[i] for drawn in draws))))
        for ids, draws in trace
        for i in range(len(ids))
    ]
    return {(place // IMAGES, image): drawn for place, (image, drawn) in enumerate(rows)}
