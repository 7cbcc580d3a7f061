"""Learning rates against torch's own schedulers, and against their formulas where torch has none."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
from torch.optim import lr_scheduler

from cifarlab.errors import UserError
from cifarlab.schedules import (
    Constant,
    CosineRestarts,
    Exponential,
    Linear,
    Moment,
    MultiStep,
    OneCycle,
    Piecewise,
    Plateau,
    Schedule,
    Step,
    WarmupCosine,
)

BASE = 0.07
LOSSES = (3.0, 2.0, 2.0, 2.1, 1.99999, 2.0, 2.2, 2.3, 1.5, 1.6, 1.6, 1.6, 1.6, 1.6, 1.6, 1.7, 1.0, 1.0, 1.0)
"""Of the epochs of a run: some better, some worse, one better by less than the threshold."""


def sgd(lr: float = BASE) -> torch.optim.Optimizer:
    return torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=lr)


def torch_trace(make: Callable[[torch.optim.Optimizer], Any], count: int) -> list[float]:
    """The rates of ``count`` epochs, or steps, under a scheduler of torch's that is stepped after each."""
    optimizer = sgd()
    scheduler = make(optimizer)
    trace = []
    for place in range(count):
        trace.append(float(optimizer.param_groups[0]["lr"]))
        optimizer.step()
        if place < count - 1:  # OneCycleLR refuses a step too many
            scheduler.step()
    return trace


def our_trace(schedule: Schedule, epochs: int, steps: int, losses: Sequence[float] = ()) -> list[float]:
    """The rate of every step of a run."""
    return [
        BASE * schedule.factor(Moment(step, steps, epochs, losses[: step // steps]))
        for step in range(epochs * steps)
    ]


PER_EPOCH: dict[str, tuple[Schedule, Callable[[torch.optim.Optimizer], Any]]] = {
    "constant": (Constant(), lambda o: lr_scheduler.ConstantLR(o, factor=1.0)),
    "step": (Step(every=3, gamma=0.1), lambda o: lr_scheduler.StepLR(o, 3, 0.1)),
    "step of one epoch": (Step(every=1, gamma=0.5), lambda o: lr_scheduler.StepLR(o, 1, 0.5)),
    "multi-step": (MultiStep((3, 4, 9), 0.2), lambda o: lr_scheduler.MultiStepLR(o, [3, 4, 9], 0.2)),
    "multi-step from 0": (MultiStep((0, 2), 0.1), lambda o: lr_scheduler.MultiStepLR(o, [0, 2], 0.1)),
    "multi-step up": (MultiStep((2,), 1.5), lambda o: lr_scheduler.MultiStepLR(o, [2], 1.5)),
    "no milestones": (MultiStep(()), lambda o: lr_scheduler.MultiStepLR(o, [])),
    "exponential": (Exponential(0.9), lambda o: lr_scheduler.ExponentialLR(o, 0.9)),
    "cosine": (CosineRestarts(5), lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, 5)),
    "growing cosine": (
        CosineRestarts(2, growth=3, final=0.1),
        lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, 2, 3, eta_min=0.1 * BASE),
    ),
    "piecewise": (
        Piecewise((2, 5), (0.5, 0.1)),
        lambda o: lr_scheduler.LambdaLR(o, lambda e: 1.0 if e < 2 else 0.5 if e < 5 else 0.1),
    ),
}


@pytest.mark.parametrize("name", PER_EPOCH)
def test_rates_that_change_with_the_epoch_are_torch_s(name: str) -> None:
    schedule, make = PER_EPOCH[name]
    expected = [rate for rate in torch_trace(make, 13) for _ in range(7)]
    assert our_trace(schedule, epochs=13, steps=7) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(("epochs", "steps"), [(10, 7), (1, 5), (3, 1), (2, 50)])
def test_rates_that_change_with_the_step_are_torch_s(epochs: int, steps: int) -> None:
    count = epochs * steps
    linear = torch_trace(lambda o: lr_scheduler.LinearLR(o, 1.0, 0.25, count), count)
    assert our_trace(Linear(final=0.25), epochs, steps) == pytest.approx(linear, rel=1e-9)
    cosine = torch_trace(lambda o: lr_scheduler.CosineAnnealingLR(o, count, eta_min=0.1 * BASE), count)
    assert our_trace(WarmupCosine(warmup=0.0, final=0.1), epochs, steps) == pytest.approx(cosine, rel=1e-6)


@pytest.mark.parametrize("peak", [0.3, 0.5, 0.05])
@pytest.mark.parametrize(("epochs", "steps"), [(10, 7), (2, 50)])
def test_one_cycle_is_torch_s(epochs: int, steps: int, peak: float) -> None:
    count = epochs * steps
    expected = torch_trace(
        lambda o: lr_scheduler.OneCycleLR(o, BASE, total_steps=count, pct_start=peak, cycle_momentum=False),
        count,
    )
    assert our_trace(OneCycle(peak), epochs, steps) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(
    "schedule", [Plateau(), Plateau(patience=0, gamma=0.3), Plateau(1, 0.5, threshold=0.3)], ids=repr
)
def test_plateau_is_torch_s(schedule: Plateau) -> None:
    optimizer = sgd()
    scheduler = lr_scheduler.ReduceLROnPlateau(
        optimizer, factor=schedule.gamma, patience=schedule.patience, threshold=schedule.threshold, eps=0
    )
    expected = []
    for loss in LOSSES:
        expected += [float(optimizer.param_groups[0]["lr"])] * 4
        scheduler.step(loss)
    assert our_trace(schedule, len(LOSSES), 4, LOSSES) == pytest.approx(expected, rel=1e-9)
    assert len(set(expected)) > 2


def test_report_000_s_warm_up() -> None:
    """25 of 250 epochs up from 0, step by step, then a cosine to 0 at the end."""
    steps = 782
    trace = our_trace(WarmupCosine(warmup=0.1), 250, steps)
    warmup, count = 25 * steps, 250 * steps
    for step in (0, 1, 500, warmup - 1):
        assert trace[step] == pytest.approx(BASE * step / warmup)
    for step in (warmup, warmup + 1, 100 * steps, count - 1):
        part = (step - warmup) / (count - warmup)
        assert trace[step] == pytest.approx(BASE * (1 + math.cos(math.pi * part)) / 2)
    assert max(trace) == trace[warmup] == BASE
    assert trace[-1] < 1e-9


def test_a_triangle_goes_up_and_down_in_straight_lines() -> None:
    trace = our_trace(Linear(warmup=0.2, final=0.1), epochs=10, steps=5)
    assert trace[:10] == pytest.approx([BASE * step / 10 for step in range(10)])
    assert trace[10:] == pytest.approx([BASE * (1 - 0.9 * step / 40) for step in range(40)])


def test_a_schedule_in_parts_follows_the_length_of_the_run() -> None:
    """``--recipe.epochs 2`` shortens a warm-up as well."""
    for schedule in (WarmupCosine(0.1), Linear(0.25), OneCycle()):
        long, short = our_trace(schedule, 100, 8), our_trace(schedule, 25, 8)
        assert short == pytest.approx(long[::4], rel=0.05, abs=0.03 * BASE)


def test_the_rate_falls_with_the_first_step_after_the_milestone() -> None:
    steps = 1250
    trace = our_trace(MultiStep((75, 100), 0.5), 125, steps)
    assert trace[75 * steps - 1 : 75 * steps + 1] == [BASE, BASE / 2]
    assert trace[100 * steps - 1 : 100 * steps + 1] == [BASE / 2, BASE / 4]


@pytest.mark.parametrize(
    "make",
    [
        lambda: MultiStep((3, 2)),
        lambda: MultiStep((2, 2)),
        lambda: MultiStep((-1, 2)),
        lambda: MultiStep((2,), -0.1),
        lambda: MultiStep((2,), math.nan),
        lambda: MultiStep((2,), math.inf),
        lambda: Piecewise((3, 2), (1.0, 1.0)),
        lambda: Piecewise((2,), ()),
        lambda: Piecewise((2,), (-1.0,)),
        lambda: Step(every=0),
        lambda: Step(gamma=math.nan),
        lambda: Exponential(-0.1),
        lambda: CosineRestarts(period=0),
        lambda: CosineRestarts(growth=0),
        lambda: CosineRestarts(final=math.inf),
        lambda: WarmupCosine(warmup=1.0),
        lambda: WarmupCosine(final=-1.0),
        lambda: Linear(warmup=-0.1),
        lambda: Linear(final=math.nan),
        lambda: OneCycle(peak=0.0),
        lambda: OneCycle(start=0.0),
        lambda: OneCycle(end=math.inf),
        lambda: Plateau(patience=-1),
        lambda: Plateau(gamma=-1.0),
        lambda: Plateau(threshold=1.0),
    ],
)
def test_bad_values_are_refused_in_one_line(make: Callable[[], Schedule]) -> None:
    with pytest.raises(UserError) as caught:
        make()
    assert str(caught.value).partition(": ")[0] in {kind.__name__ for kind in Schedule.__args__}
    assert str(caught.value).isprintable()
