"""The average of the weights, against sums done by hand."""

import math

import pytest
import torch
from torch import nn

from cifarlab.averaging import MovingAverage, average_of
from cifarlab.errors import UserError


def network_of(value: float) -> nn.Module:
    """BatchNorm: two parameters, two float buffers and a count."""
    network = nn.BatchNorm2d(2)
    with torch.no_grad():
        for tensor in network.state_dict().values():
            tensor.fill_(value)
    return network


def value_of(network: nn.Module) -> float:
    tensors = network.state_dict()
    values = {float(tensor.flatten()[0]) for name, tensor in tensors.items() if tensor.is_floating_point()}
    assert max(values) - min(values) < 1e-6, "parameters and statistics are averaged alike"
    return values.pop()


@pytest.mark.parametrize(("decay", "every"), [(0.999, 1), (0.5, 1), (0.0, 1), (0.9, 3)])
def test_the_average_is_the_formula_s(decay: float, every: int) -> None:
    average, expected = average_of(network_of(0.0)), 0.0
    for step in range(1, 30):
        MovingAverage(decay, every).update(average, network_of(float(step)), step)
        if step % every == 0:
            updates = step // every
            kept = min(decay, (1 + updates) / (10 + updates))
            expected = kept * expected + (1 - kept) * step
        assert value_of(average) == pytest.approx(expected, rel=1e-5)
        assert int(average.state_dict()["num_batches_tracked"]) == step - step % every


def test_the_average_is_a_copy_without_gradients() -> None:
    network = network_of(1.0)
    average = average_of(network)
    MovingAverage(0.5).update(average, network_of(3.0), 1000)
    assert value_of(network) == 1.0
    assert value_of(average) == pytest.approx(2.0)
    assert not any(parameter.requires_grad for parameter in average.parameters())
    assert all(parameter.requires_grad for parameter in network.parameters())


@pytest.mark.parametrize("values", [{"decay": 1.0}, {"decay": -0.1}, {"decay": math.nan}, {"every": 0}])
def test_bad_values_are_refused_in_one_line(values: dict[str, float]) -> None:
    with pytest.raises(UserError, match=r"^MovingAverage: ") as caught:
        MovingAverage(**values)  # type: ignore[arg-type]
    assert str(caught.value).isprintable()
