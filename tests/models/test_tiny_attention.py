"""Report 000's network against its table and against its layers written out by hand."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cifarlab.errors import UserError
from cifarlab.models import CATALOG, TinyAttention
from cifarlab.models.cost import count_parameters
from cifarlab.models.tiny_attention import UNITS, UnitKind
from models.by_hand import ByHand, by_hand, scrambled

TABLE = [
    ("conv 3×3, 3→32, no bias", 1, 864, 0),
    ("BN, ReLU", 1, 64, 64),
    ("unit 32→32", 1, 1_232, 96),
    ("attention 32, depth 3", 1, 15_072, 1_152),
    ("unit 32→64, stride 2", 1, 3_632, 96),
    ("attention 64, depth 2", 1, 42_848, 1_728),
    ("unit 64→128, stride 2", 1, 14_048, 192),
    ("attention 128, depth 1", 1, 112_128, 2_304),
    ("unit 128→256, stride 2", 1, 55_232, 384),
    ("unit 256→256, twice", 2, 141_568, 1_536),
]
"""Layer, modules in a row, trainable parameters, BatchNorm statistics."""

NARROW = TinyAttention(width=8, dropout=0.5)


def pool(x: Tensor) -> Tensor:
    return F.max_pool2d(x, 2)


def up(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)


def mask(x: Tensor, w: ByHand, depth: int) -> Tensor:
    """The soft mask of each depth, every step spelled out."""
    one = w.preactivation(pool(x), "down.0.1")
    if depth == 1:
        out = up(w.preactivation(one, "up.0.0"))
    elif depth == 2:
        two = w.preactivation(pool(one), "down.1.1")
        out = up(w.preactivation(two, "up.0.0"))
        out = up(w.preactivation(out + w.preactivation(one, "joining.0"), "up.1.0"))
    else:
        two = w.preactivation(pool(one), "down.1.1")
        three = w.preactivation(pool(two), "down.2.1")
        out = up(w.preactivation(three, "up.0.0"))
        out = up(w.preactivation(out + w.preactivation(two, "joining.1"), "up.1.0"))
        out = up(w.preactivation(out + w.preactivation(one, "joining.0"), "up.2.0"))
    return w.conv(w.conv(out, "tail.0", bias=False), "tail.1").sigmoid()


def attention(x: Tensor, w: ByHand, depth: int) -> Tensor:
    x = w.preactivation(x, "before")
    trunk = w.preactivation(w.preactivation(x, "trunk.0"), "trunk.1")
    return w.preactivation((1 + mask(x, w.at("mask"), depth)) * trunk, "after")


def network_by_hand(images: Tensor, w: ByHand, dropout: float) -> Tensor:
    features = w.at("features")
    x = features.norm_relu(features.conv(images, "0", padding=1, bias=False), "1.0")
    x = attention(features.preactivation(x, "2"), features.at("3"), 3)
    x = attention(features.preactivation(x, "4", stride=2), features.at("5"), 2)
    x = attention(features.preactivation(x, "6", stride=2), features.at("7"), 1)
    x = features.preactivation(x, "8", stride=2)
    x = features.preactivation(features.preactivation(x, "9"), "10")
    return w.dense(w.dropout(x.mean((2, 3)), dropout), "classifier")


@pytest.mark.parametrize("training", [False, True], ids=["evaluation", "training"])
def test_the_network_is_its_layer_list(training: bool) -> None:
    torch.manual_seed(0)
    network = scrambled(NARROW.build(10, 16)).train(training)
    images = torch.randn(3, 3, 16, 16, dtype=torch.float64)
    layers = by_hand(network)
    torch.manual_seed(2)
    found = network(images)
    torch.manual_seed(2)
    torch.testing.assert_close(found, network_by_hand(images, layers, 0.5), rtol=1e-9, atol=1e-9)


def test_every_row_of_the_table_has_its_parameters() -> None:
    network: Any = TinyAttention().build(10, 32)
    layers = iter(network.features)
    for name, modules, trainable, statistics in TABLE:
        count = count_parameters(nn.ModuleList(next(layers) for _ in range(modules)))
        assert (count.trainable, count.statistics) == (trainable, statistics), name
    assert list(layers) == []
    assert count_parameters(network.classifier).trainable == 2_570
    assert sum(row[2] for row in TABLE) + 2_570 == 389_258


@pytest.mark.parametrize(
    ("name", "total"),
    [
        ("tiny-attention", 396_810),
        ("tiny-attention-wide", 6_070_794),
        ("tiny-attention-wide-7m", 7_192_586),
    ],
)
def test_the_totals_are_the_published_ones(name: str, total: int) -> None:
    with torch.device("meta"):
        assert count_parameters(CATALOG[name][1].build(10, 32)).total == total


def unit_by_hand(x: Tensor, w: ByHand, kind: str, stride: int) -> Tensor:
    if kind == "pre-activation":
        return w.preactivation(x, "unit", stride)
    w = w.at("unit")
    if kind == "bottleneck":
        out = w.norm_relu(w.conv(x, "residual.0", bias=False), "residual.1")
        out = w.norm_relu(w.conv(out, "residual.3", stride, padding=1, bias=False), "residual.4")
        out = w.norm(w.conv(out, "residual.6", bias=False), "residual.7")
    else:
        out = w.norm_relu(w.conv(x, "residual.0", stride, padding=1, bias=False), "residual.1")
        out = w.norm(w.conv(out, "residual.3", padding=1, bias=False), "residual.4")
    return (out + (w.conv(x, "shortcut", stride) if w.has("shortcut") else x)).relu()


@pytest.mark.parametrize("training", [False, True], ids=["evaluation", "training"])
@pytest.mark.parametrize(("channels", "outputs", "stride"), [(8, 8, 1), (8, 12, 1), (8, 16, 2), (8, 8, 2)])
@pytest.mark.parametrize("kind", UNITS)
def test_a_unit_is_its_figure(
    kind: UnitKind, channels: int, outputs: int, stride: int, training: bool
) -> None:
    torch.manual_seed(0)
    unit = UNITS[kind](channels, outputs, stride)
    assert isinstance(unit.shortcut, nn.Identity) == (channels == outputs and stride == 1)
    holder = scrambled(nn.ModuleDict({"unit": unit})).train(training)
    features = torch.randn(3, channels, 6, 6, dtype=torch.float64)
    expected = unit_by_hand(features, by_hand(holder), kind, stride)
    assert expected.shape == (3, outputs, 6 // stride, 6 // stride)
    before = features.clone()
    torch.testing.assert_close(unit(features), expected, rtol=1e-10, atol=1e-10)
    assert torch.equal(features, before), "the input was changed in place"


@pytest.mark.parametrize(("channels", "outputs"), [(32, 32), (32, 64)])
def test_units_have_the_parameters_of_their_figures(channels: int, outputs: int) -> None:
    middle = 8
    projection = 0 if channels == outputs else channels * outputs + outputs
    convolutions = channels * middle + 9 * middle**2 + middle * outputs
    expected = {
        "pre-activation": convolutions + middle + middle + outputs + 2 * (channels + 2 * middle),
        "bottleneck": convolutions + 2 * (2 * middle + outputs),
        "basic": 9 * outputs * (channels + outputs) + 2 * (2 * outputs),
    }
    for kind, make in UNITS.items():
        unit = make(channels, outputs, 1)
        assert count_parameters(unit).trainable == expected[kind] + projection, kind


@pytest.mark.parametrize("kind", UNITS)
def test_the_kind_of_unit_holds_everywhere(kind: UnitKind) -> None:
    """As many units as the layer list has, all of one kind, whichever it is."""
    with torch.device("meta"):
        network = TinyAttention(width=8, unit=kind).build(10, 32)
    units: list[Any] = [module for module in network.modules() if hasattr(module, "residual")]
    assert len(units) == (1 + 12) + (1 + 9) + (1 + 6) + 3
    assert {len(unit.residual) for unit in units} == {
        {"pre-activation": 9, "bottleneck": 8, "basic": 5}[kind]
    }


@pytest.mark.parametrize("kind", UNITS)
def test_every_kind_of_unit_learns(kind: UnitKind) -> None:
    torch.manual_seed(0)
    network = TinyAttention(width=8, unit=kind).build(10, 16)
    F.cross_entropy(network(torch.randn(8, 3, 16, 16)), torch.arange(8)).backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().sum() > 0, name


def test_a_hook_sees_the_mask_and_the_mask_weighs_the_trunk() -> None:
    torch.manual_seed(0)
    network: Any = NARROW.build(10, 32).eval()
    seen: dict[int, Tensor] = {}
    for index in (3, 5, 7):
        network.features[index].mask.register_forward_hook(
            lambda module, inputs, output, index=index: seen.update({index: output})
        )
    network(torch.randn(2, 3, 32, 32))
    assert {index: tuple(m.shape) for index, m in seen.items()} == {
        3: (2, 8, 32, 32),
        5: (2, 16, 16, 16),
        7: (2, 32, 8, 8),
    }
    for found in seen.values():
        assert found.min() > 0 and found.max() < 1
    module = network.features[3]
    features = torch.randn(2, 8, 32, 32)
    trunk = module.trunk(module.before(features))
    for bias, factor in ((-1e9, 1), (0.0, 1.5), (1e9, 2)):
        nn.init.zeros_(module.mask.tail[1].weight)
        nn.init.constant_(module.mask.tail[1].bias, bias)
        torch.testing.assert_close(module(features), module.after(factor * trunk))


@pytest.mark.parametrize(
    ("depths", "multiple"),
    [((3, 2, 1), 8), ((1, 1, 1), 8), ((4, 2, 1), 16), ((3, 2, 2), 16), ((1, 3, 1), 16)],
)
def test_sizes_that_do_not_halve_often_enough_are_refused(
    depths: tuple[int, int, int], multiple: int
) -> None:
    model = TinyAttention(width=8, depths=depths)
    for size in (-8, 0, 1, multiple // 2, multiple - 1, multiple + 1, multiple + multiple // 2):
        with pytest.raises(UserError, match=f"a multiple of {multiple}, not {size} pixels"):
            model.build(10, size)
    for size in (multiple, 3 * multiple):
        assert model.build(10, size)(torch.zeros(2, 3, size, size)).shape == (2, 10)


@pytest.mark.parametrize(
    "values",
    [
        {"width": 0},
        {"width": -8},
        {"width": 12},
        {"depths": (3, 2, 0)},
        {"depths": (-1, 2, 1)},
        {"last_units": -1},
        {"unit": "wide"},
        {"dropout": 1.0},
        {"dropout": -0.1},
        {"dropout": math.nan},
    ],
    ids=str,
)
def test_values_that_make_no_sense_are_refused(values: Any) -> None:
    with pytest.raises(UserError, match=f"TinyAttention: .*{next(iter(values))[:5]}"):
        TinyAttention(**values)
