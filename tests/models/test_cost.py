"""Parameters and operations, against sums done by hand."""

import pytest
import torch
from torch import nn

from cifarlab.models import CATALOG, PlainCnn
from cifarlab.models.cost import ParameterCount, count_parameters, forward_flops


def plain_cnn_flops(widths: tuple[int, int, int], classes: int, size: int) -> int:
    """Two operations per weight, for each output position of a convolution, once for the linear layer."""
    total, channels, side = 0, 3, size
    for width in widths:
        for _ in range(2):
            total += 2 * 3 * 3 * channels * width * side * side
            channels = width
        side //= 2
    return total + 2 * channels * side * side * classes


@pytest.mark.parametrize("name", ["plain-cnn", "plain-cnn-regularized"])
def test_both_networks_of_report_003_cost_77_million(name: str) -> None:
    assert plain_cnn_flops((32, 64, 128), 10, 32) == 77_307_904
    assert forward_flops(CATALOG[name][1].build(10, 32), 32) == 77_307_904


@pytest.mark.parametrize(
    ("widths", "classes", "size"), [((4, 4, 8), 10, 32), ((5, 6, 7), 3, 16), ((1, 1, 1), 100, 8)]
)
def test_flops_are_the_formula_s(widths: tuple[int, int, int], classes: int, size: int) -> None:
    network = PlainCnn(widths).build(classes, size)
    assert forward_flops(network, size) == plain_cnn_flops(widths, classes, size)


def test_counting_flops_leaves_the_network_and_the_randomness_alone() -> None:
    network = PlainCnn((4, 4, 8), batch_norm=True, dropout=(0.1, 0.1, 0.1)).build(10, 32).train()
    before = {key: value.clone() for key, value in network.state_dict().items()}
    random = torch.get_rng_state()
    forward_flops(network, 32)
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())
    assert all(module.training for module in network.modules())
    assert torch.equal(torch.get_rng_state(), random)


def test_parameters_are_counted_by_kind() -> None:
    network = nn.Sequential(nn.Conv2d(3, 5, 3), nn.BatchNorm2d(5), nn.Linear(7, 2))
    assert count_parameters(network) == ParameterCount(3 * 5 * 9 + 5 + 2 * 5 + 7 * 2 + 2, 2 * 5)
    network[0].requires_grad_(False)
    count = count_parameters(network)
    assert (count.trainable, count.statistics, count.total) == (26, 10, 36)
