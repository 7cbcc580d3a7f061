"""The tape on which recorded steps are tested without a GPU."""

from typing import Any

import pytest
import torch
from torch import nn

from tape import Tape


@pytest.mark.parametrize(
    "waits",
    [
        lambda x: float(x.sum()),
        lambda x: x[x > 0],
        lambda x: x.nonzero(),
        lambda x: x + torch.tensor([1.0, 2.0, 3.0]),
    ],
)
def test_a_tape_refuses_what_waits_for_the_device(waits: Any) -> None:
    ones = torch.ones(3)
    with Tape(), pytest.raises(AssertionError, match=r"waits for the device|copies a number"):
        waits(ones)


def test_a_tape_plays_views_and_changes_in_place() -> None:
    layer, inputs = nn.Linear(3, 2), torch.ones(4, 3)
    with Tape() as tape:
        outputs = layer(inputs).relu()
        outputs = outputs.clone()
        outputs[1:].mul_(2)
        outputs.sum().backward()
    inputs.fill_(-2.0)
    tape.play()
    expected = layer(inputs).relu().detach()
    expected[1:] *= 2
    torch.testing.assert_close(outputs.detach(), expected)
    scale = torch.tensor([[1.0], [2.0], [2.0], [2.0]])
    gradient = ((expected > 0) * scale).T @ inputs
    torch.testing.assert_close(layer.weight.grad, gradient)
