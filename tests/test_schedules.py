"""Learning rates against torch's own schedulers."""

import math
from collections.abc import Callable

import pytest
import torch

from cifarlab.errors import UserError
from cifarlab.schedules import Constant, MultiStep, Schedule


def torch_trace(milestones: tuple[int, ...], factor: float, epochs: int) -> list[float]:
    """The rate of every epoch under torch's MultiStepLR, from a base rate of 1."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    scheduler = torch.optim.lr_scheduler.MultiStepLR(optimizer, list(milestones), factor)
    trace = []
    for _ in range(epochs):
        trace.append(float(optimizer.param_groups[0]["lr"]))
        optimizer.step()
        scheduler.step()
    return trace


@pytest.mark.parametrize(
    ("milestones", "factor", "epochs"),
    [
        ((), 0.1, 5),
        ((1,), 0.5, 4),
        ((75, 100), 0.5, 125),
        ((3, 4, 9), 0.2, 12),
        ((0, 2), 0.1, 4),
        ((2,), 1.5, 4),
    ],
)
def test_multi_step_is_torch_s(milestones: tuple[int, ...], factor: float, epochs: int) -> None:
    schedule = MultiStep(milestones, factor)
    expected = torch_trace(milestones, factor, epochs)
    for epoch, rate in enumerate(expected):
        for within in (0.0, 0.5, 0.999):
            assert schedule.factor(epoch + within) == pytest.approx(rate, rel=1e-12), (epoch, within)


def test_the_rate_falls_with_the_first_step_after_the_milestone() -> None:
    schedule = MultiStep((75, 100), 0.5)
    steps = 1250
    assert schedule.factor(74 + (steps - 1) / steps) == 1
    assert schedule.factor(75.0) == 0.5
    assert schedule.factor(99 + (steps - 1) / steps) == 0.5
    assert schedule.factor(100.0) == 0.25


def test_constant_is() -> None:
    assert {Constant().factor(epoch / 7) for epoch in range(1000)} == {1.0}


@pytest.mark.parametrize(
    "make",
    [
        lambda: MultiStep((3, 2)),
        lambda: MultiStep((2, 2)),
        lambda: MultiStep((-1, 2)),
        lambda: MultiStep((2,), -0.1),
        lambda: MultiStep((2,), math.nan),
        lambda: MultiStep((2,), math.inf),
    ],
    ids=["falling", "twice", "negative", "negative factor", "no number", "infinite"],
)
def test_bad_values_are_refused_in_one_line(make: Callable[[], Schedule]) -> None:
    with pytest.raises(UserError) as caught:
        make()
    assert str(caught.value).startswith("MultiStep: ")
    assert str(caught.value).isprintable()
