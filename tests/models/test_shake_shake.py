"""Shake-Shake against its layers written out by hand. The mixture itself: ``test_shake``."""

import copy
from typing import Any, get_args

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cifarlab.errors import UserError
from cifarlab.models import ShakeShake
from cifarlab.models.modes import inference_mode
from cifarlab.models.shake_shake import Backward, Shake, ShakeBlock, TwoPathShortcut
from models.by_hand import ByHand, by_hand, scrambled

SMALL = ShakeShake(width=4, depth=14)


def branch(x: Tensor, w: ByHand, stride: int) -> Tensor:
    x = w.norm_relu(w.conv(x.relu(), "1", stride, padding=1, bias=False), "2")
    return w.norm(w.conv(x, "4", padding=1, bias=False), "5")


def two_paths(x: Tensor, w: ByHand, stride: int) -> Tensor:
    """Pixel by pixel: (r, c) of the first path sees (s·r, s·c), of the second one further, 0 outside."""
    _, _, height, width = x.shape
    x = x.relu()
    straight, shifted = w["straight.weight"][:, :, 0, 0], w["shifted.weight"][:, :, 0, 0]
    out = torch.zeros(len(x), 2 * len(straight), height // stride, width // stride, dtype=x.dtype)
    for row in range(height // stride):
        for column in range(width // stride):
            y, z = stride * row, stride * column
            inside = y + 1 < height and z + 1 < width
            further = x[:, :, y + 1, z + 1] if inside else torch.zeros_like(x[:, :, 0, 0])
            out[:, :, row, column] = torch.cat([x[:, :, y, z] @ straight.T, further @ shifted.T], 1)
    return w.norm(out, "norm")


def block(x: Tensor, w: ByHand, stride: int, alpha: Tensor) -> Tensor:
    first, second = branch(x, w.at("first"), stride), branch(x, w.at("second"), stride)
    around = two_paths(x, w.at("shortcut"), stride) if w.has("shortcut") else x
    return around + alpha * first + (1 - alpha) * second


@pytest.mark.parametrize("stride", [1, 2])
def test_the_shortcut_s_second_path_is_one_pixel_further(stride: int) -> None:
    torch.manual_seed(0)
    for training in (False, True):
        shortcut = scrambled(TwoPathShortcut(3, 8, stride)).train(training)
        features = torch.randn(4, 3, 6, 8, dtype=torch.float64)
        expected = two_paths(features, by_hand(shortcut), stride)
        torch.testing.assert_close(shortcut(features), expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize(("channels", "outputs", "stride"), [(6, 6, 1), (6, 8, 1), (6, 8, 2)])
@pytest.mark.parametrize("training", [False, True], ids=["evaluation", "training"])
def test_a_block_adds_a_mixture_of_two_branches(
    channels: int, outputs: int, stride: int, training: bool
) -> None:
    torch.manual_seed(0)
    made = ShakeBlock(channels, outputs, stride, Shake("shake", "shake", "image"))
    network = scrambled(made).train(training)
    features = torch.randn(4, channels, 6, 6, dtype=torch.float64)
    before, layers = features.clone(), by_hand(network)
    torch.manual_seed(2)
    alpha = torch.rand(4, 1, 1, 1) if training else torch.full((4, 1, 1, 1), 0.5)
    torch.manual_seed(2)
    found = network(features)
    torch.testing.assert_close(found, block(features, layers, stride, alpha), rtol=1e-6, atol=1e-6)
    assert torch.equal(features, before), "the input was changed in place"


def test_the_network_is_its_layer_list() -> None:
    torch.manual_seed(0)
    network = scrambled(SMALL.build(10, 16)).eval()
    images = torch.randn(2, 3, 16, 16, dtype=torch.float64)
    w, half = by_hand(network), torch.tensor(0.5)
    x = w.conv(images, "features.0", padding=1)
    for index, stride in enumerate((1, 1, 2, 1, 2, 1), start=1):
        assert w.has(f"features.{index}.shortcut") == (index in {1, 3, 5})
        x = block(x, w.at(f"features.{index}"), stride, half)
    assert x.shape == (2, 16, 4, 4)
    expected = w.dense(x.relu().mean((2, 3)), "classifier")
    torch.testing.assert_close(network(images), expected, rtol=1e-9, atol=1e-9)


def test_training_shakes_without_gradients_too() -> None:
    """An evaluation that never leaves training mode, as report 003's, must see the noise."""
    torch.manual_seed(0)
    network = SMALL.build(10, 16).train()
    images = torch.randn(4, 3, 16, 16)
    with torch.no_grad():
        assert not torch.equal(network(images), network(images))
    with inference_mode(network):
        assert torch.equal(network(images), network(images))


def test_weights_of_a_network_learn_from_the_backward_mixture() -> None:
    """Forward passes are equal; a branch's gradient is its share of the backward mixture, times the same."""
    torch.manual_seed(3)
    alpha, beta = torch.rand(1), torch.rand(1)
    gradients: dict[str, list[Tensor]] = {}
    for backward in get_args(Backward):
        torch.manual_seed(0)
        network: Any = ShakeShake(width=4, depth=8, backward=backward, level="batch").build(10, 16)
        images = torch.randn(4, 3, 16, 16)
        for later in network.features[2:]:
            later.eval()  # so that the first block alone shakes
        torch.manual_seed(3)
        F.cross_entropy(network(images), torch.arange(4)).backward()
        parts = (network.features[1].first, network.features[1].second, network.classifier)
        gradients[backward] = [
            torch.cat([parameter.grad.flatten() for parameter in part.parameters()]) for part in parts
        ]
    first, second, dense = gradients["even"]
    for backward, share in (("keep", alpha), ("shake", beta)):
        found = gradients[backward]
        torch.testing.assert_close(found[0], 2 * share * first, rtol=1e-4, atol=1e-6)
        torch.testing.assert_close(found[1], 2 * (1 - share) * second, rtol=1e-4, atol=1e-6)
        assert torch.equal(found[2], dense)
    assert first.abs().max() > 1e-3 and abs(alpha - beta) > 0.05


def test_autocast_keeps_the_features_in_bf16() -> None:
    torch.manual_seed(0)
    made = ShakeBlock(16, 8, 1, Shake("shake", "shake", "image"))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = made(torch.randn(4, 16, 8, 8))
    assert mixed.dtype is torch.bfloat16
    mixed.float().sum().backward()
    for name, parameter in made.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all(), name


def test_a_copy_of_a_network_in_use_works() -> None:
    torch.manual_seed(0)
    network = SMALL.build(10, 16)
    network(torch.randn(2, 3, 16, 16)).sum().backward()
    twin = copy.deepcopy(network)
    images = torch.randn(2, 3, 16, 16)
    torch.manual_seed(1)
    expected = network(images)
    torch.manual_seed(1)
    assert torch.equal(twin(images), expected)


@pytest.mark.parametrize("size", [-8, 0, 1, 2, 6, 31, 33])
def test_a_size_that_is_no_multiple_of_4_is_refused(size: int) -> None:
    with pytest.raises(UserError, match=f"a multiple of 4, not {size} pixels"):
        SMALL.build(10, size)


@pytest.mark.parametrize(("depth", "blocks"), [(8, 1), (26, 4), (32, 5)])
def test_depth_counts_the_layers_on_the_way_through(depth: int, blocks: int) -> None:
    with torch.device("meta"):
        network: Any = ShakeShake(width=2, depth=depth).build(10, 32)
    found = [module for module in network.modules() if isinstance(module, ShakeBlock)]
    assert len(found) == 3 * blocks
    on_the_way = sum(isinstance(layer, nn.Conv2d) for made in found for layer in made.first)
    assert 1 + on_the_way + 1 == depth


@pytest.mark.parametrize(
    "values",
    [
        {"width": 0},
        {"width": -2},
        {"width": 33},
        {"depth": 2},
        {"depth": 25},
        {"depth": -4},
        {"forward": "keep"},
        {"backward": "odd"},
        {"level": "pixel"},
    ],
    ids=str,
)
def test_values_that_make_no_sense_are_refused(values: Any) -> None:
    with pytest.raises(UserError, match=f"ShakeShake: {next(iter(values))} must be"):
        ShakeShake(**values)
