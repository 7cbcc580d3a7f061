"""LeNet-5 against its layers written out by hand."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cifarlab.errors import UserError
from cifarlab.models import CATALOG, LeNet
from cifarlab.models.cost import count_parameters
from models.by_hand import ByHand, by_hand, scrambled


def classical(images: Tensor, w: ByHand) -> Tensor:
    f = w.at("features")
    x = F.avg_pool2d(f.conv(images, "0").tanh(), 2)
    x = F.avg_pool2d(f.conv(x, "3").tanh(), 2).flatten(1)
    return w.dense(f.dense(f.dense(x, "7").tanh(), "9").tanh(), "classifier")


def modern(images: Tensor, w: ByHand) -> Tensor:
    f = w.at("features")
    x = F.max_pool2d(f.conv(images, "0").relu(), 2)
    x = F.max_pool2d(f.conv(x, "3").relu(), 2).flatten(1)
    return w.dense(f.dense(f.dense(x, "7").relu(), "9").relu(), "classifier")


@pytest.mark.parametrize("size", [16, 32, 36])
@pytest.mark.parametrize(
    ("config", "expected"), [(LeNet(), classical), (LeNet("relu", "max"), modern)], ids=["1998", "today"]
)
def test_the_network_is_its_layer_list(config: LeNet, expected: Any, size: int) -> None:
    torch.manual_seed(0)
    network = scrambled(config.build(10, size))
    images = torch.randn(3, 3, size, size, dtype=torch.float64)
    torch.testing.assert_close(network(images), expected(images, by_hand(network)), rtol=1e-10, atol=1e-10)


def test_every_row_of_its_table_has_its_parameters() -> None:
    network = CATALOG["lenet-5"][1].build(10, 32)
    layers = [module for module in network.modules() if isinstance(module, nn.Conv2d | nn.Linear)]
    counts = [count_parameters(layer).trainable for layer in layers]
    assert counts == [456, 2_416, 48_120, 10_164, 850]
    assert count_parameters(network).total == sum(counts) == 62_006


@pytest.mark.parametrize("size", [-16, 0, 1, 12, 14, 30, 33])
def test_sizes_that_do_not_halve_twice_are_refused(size: int) -> None:
    with pytest.raises(UserError, match=f"a multiple of 4, from 16, not {size} pixels"):
        LeNet().build(10, size)


@pytest.mark.parametrize("values", [{"activation": "gelu"}, {"pooling": "min"}], ids=str)
def test_values_that_make_no_sense_are_refused(values: Any) -> None:
    with pytest.raises(UserError, match=f"LeNet: {next(iter(values))} must be"):
        LeNet(**values)
