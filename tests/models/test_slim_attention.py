"""Report 001's two networks against their layers written out by hand."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from cifarlab.errors import UserError
from cifarlab.models import CATALOG, SlimAttention
from cifarlab.models.cost import count_parameters
from models.by_hand import ByHand, by_hand, scrambled

OURS = SlimAttention(width=2)
PAPER = SlimAttention(width=2, depths=((2,), (1, 1)), batch_norm=False, dropout=0.0)


def attention(x: Tensor, w: ByHand, skips: int) -> Tensor:
    """The report's module; ``skips`` as its authors count them."""
    x = w.preactivation(x, "before")
    trunk = w.preactivation(x, "trunk")
    m = w.at("mask")
    half = m.preactivation(F.max_pool2d(x, 2), "down.0.1")
    if skips == 1:
        out = double(m.preactivation(half, "up.0.0"))
    else:
        quarter = m.preactivation(F.max_pool2d(half, 2), "down.1.1")
        out = double(m.preactivation(quarter, "up.0.0")) + m.preactivation(half, "joining.0")
        out = double(m.preactivation(out, "up.1.0"))
    mask = m.conv(m.conv(out, "tail.0"), "tail.1").sigmoid()
    return w.preactivation((1 + mask) * trunk, "after")


def double(x: Tensor) -> Tensor:
    """Every pixel four times: nearest neighbor."""
    return x.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)


def ours_by_hand(images: Tensor, w: ByHand) -> Tensor:
    f = w.at("features")
    x = F.max_pool2d(f.norm_relu(f.conv(images, "0", padding=2), "1.0"), 2)
    x = attention(f.preactivation(x, "3"), f.at("4"), 1)
    x = attention(f.preactivation(x, "5", stride=2), f.at("6"), 1)
    x = f.preactivation(f.preactivation(f.preactivation(x, "7"), "8"), "9")
    x = F.avg_pool2d(f.norm_relu(x, "10.0"), 4, stride=1)
    return w.dense(w.dropout(x.flatten(1), 0.4), "classifier")


def paper_by_hand(images: Tensor, w: ByHand) -> Tensor:
    f = w.at("features")
    x = F.max_pool2d(f.conv(images, "0", padding=2), 2)
    x = attention(f.preactivation(x, "3"), f.at("4"), 2)
    x = f.preactivation(x, "5", stride=2)
    x = attention(attention(x, f.at("6"), 1), f.at("7"), 1)
    x = f.preactivation(f.preactivation(f.preactivation(x, "8"), "9"), "10")
    return w.dense(F.avg_pool2d(x, 4, stride=1).flatten(1), "classifier")


@pytest.mark.parametrize("size", [16, 24])
@pytest.mark.parametrize("training", [False, True], ids=["evaluation", "training"])
@pytest.mark.parametrize(("config", "expected"), [(OURS, ours_by_hand), (PAPER, paper_by_hand)])
def test_the_network_is_its_layer_list(
    config: SlimAttention, expected: Any, training: bool, size: int
) -> None:
    torch.manual_seed(0)
    network = scrambled(config.build(10, size)).train(training)
    images = torch.randn(3, 3, size, size, dtype=torch.float64)
    layers = by_hand(network)
    torch.manual_seed(2)
    found = network(images)
    torch.manual_seed(2)
    torch.testing.assert_close(found, expected(images, layers), rtol=1e-9, atol=1e-9)


def unit(channels: int, middle: int, outputs: int) -> int:
    """Weights, biases and BatchNorms of a unit, and its projection."""
    norms = 2 * (channels + middle + middle)
    path = (channels + 1) * middle + (9 * middle + 1) * middle + (middle + 1) * outputs
    return norms + path + (channels + 1) * outputs


def module(channels: int, units: int) -> int:
    """Units without bottleneck, and the mask's two 1×1 convolutions."""
    return units * unit(channels, channels, channels) + 2 * (channels + 1) * channels


@pytest.mark.parametrize(
    ("name", "units", "trainable", "statistics"),
    [("slim-attention", [5, 5], 6_810_954, 17_408), ("slim-attention-paper", [8, 5, 5], 11_480_074, 26_304)],
)
def test_both_columns_of_the_table_have_their_parameters(
    name: str, units: list[int], trainable: int, statistics: int
) -> None:
    with torch.device("meta"):
        network: Any = CATALOG[name][1].build(10, 32)
    count = count_parameters(network)
    assert (count.trainable, count.statistics) == (trainable, statistics)
    stem, first, second = 32 * (5 * 5 * 3 + 1), unit(32, 32, 128), unit(128, 64, 256)
    last = unit(256, 128, 512) + 2 * unit(512, 128, 512)
    attentions = module(128, units[0]) + sum(module(256, number) for number in units[1:])
    norms = 2 * (32 + 512) if name == "slim-attention" else 0
    assert stem + first + second + last + attentions + norms + 128_010 == trainable
    assert network.classifier.in_features == 12_800


def test_the_shortcut_is_a_projection_even_at_equal_shapes() -> None:
    units: list[Any] = [module for module in OURS.build(10, 32).modules() if hasattr(module, "shortcut")]
    assert len(units) == 2 + 2 * 5 + 3
    for found in units:
        assert found.shortcut.kernel_size == (1, 1) and found.shortcut.bias is not None


def test_a_hook_sees_the_mask() -> None:
    network: Any = PAPER.build(10, 32).eval()
    seen: list[Tensor] = []
    for index in (4, 6, 7):
        network.features[index].mask.register_forward_hook(lambda module, x, output: seen.append(output))
    network(torch.randn(2, 3, 32, 32))
    assert [tuple(mask.shape) for mask in seen] == [(2, 8, 16, 16), (2, 16, 8, 8), (2, 16, 8, 8)]
    assert all(mask.min() > 0 and mask.max() < 1 for mask in seen)


@pytest.mark.parametrize(
    ("depths", "multiple"),
    [(((1,), (1,)), 8), (((2,), (1, 1)), 8), (((), ()), 4), (((3,), ()), 16), (((1,), (2,)), 16)],
)
def test_sizes_that_do_not_halve_often_enough_are_refused(depths: Any, multiple: int) -> None:
    model = SlimAttention(width=2, depths=depths)
    for size in (-16, 0, 1, 8, 12, 16 + multiple // 2, 33):
        with pytest.raises(UserError, match=f"a multiple of {multiple}, from 16, not {size} pixels"):
            model.build(10, size)
    for size in (16, 16 + multiple):
        assert model.build(10, size)(torch.zeros(2, 3, size, size)).shape == (2, 10)


@pytest.mark.parametrize(
    "values",
    [
        {"width": 0},
        {"width": -1},
        {"depths": ((0,), (1,))},
        {"depths": ((1,), (1, -1))},
        {"dropout": 1.0},
        {"dropout": -0.1},
        {"dropout": math.nan},
    ],
    ids=str,
)
def test_values_that_make_no_sense_are_refused(values: Any) -> None:
    with pytest.raises(UserError, match=f"SlimAttention: .*{next(iter(values))[:5]}"):
        SlimAttention(**values)
