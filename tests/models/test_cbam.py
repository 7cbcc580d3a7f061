"""CBAM against the formulas of Woo et al. 2018, written out by hand."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cifarlab.errors import UserError
from cifarlab.models import CATALOG, Cbam, ResNet
from cifarlab.models.blocks import ResidualBlock
from cifarlab.models.cbam import ChannelAttention, SpatialAttention
from cifarlab.models.cost import count_parameters


def channel_weights(features: Tensor, first: Tensor, second: Tensor) -> Tensor:
    """σ(W1(W0(average)) + W1(W0(maximum))) with a ReLU behind W0: equation 2 of the paper."""
    vectors = [features.flatten(2).mean(2), features.flatten(2).max(2).values]
    hidden = [F.relu(vector @ first.T) for vector in vectors]
    return torch.sigmoid(hidden[0] @ second.T + hidden[1] @ second.T)


def spatial_weights(features: Tensor, kernel: Tensor) -> Tensor:
    """σ(f([average; maximum])), equation 3 of the paper, as a sum over shifted and zero-padded maps."""
    maps = [features.mean(1), features.max(1).values]
    side, reach = kernel.shape[-1], kernel.shape[-1] // 2
    height, width = features.shape[2:]
    total = torch.zeros_like(maps[0])
    for channel, values in enumerate(maps):
        padded = F.pad(values, (reach, reach, reach, reach))
        for row in range(side):
            for column in range(side):
                window = padded[:, row : row + height, column : column + width]
                total += kernel[0, channel, row, column] * window
    return torch.sigmoid(total)


def features_of(channels: int, seed: int = 0) -> Tensor:
    return torch.randn(3, channels, 6, 7, generator=torch.Generator().manual_seed(seed))


def test_channel_attention_is_the_paper_s() -> None:
    torch.manual_seed(0)
    module = ChannelAttention(channels=12, hidden=3)
    first, second = (parameter.flatten(1) for parameter in module.parameters())
    assert (first.shape, second.shape) == ((3, 12), (12, 3))
    features = features_of(12)
    weights = channel_weights(features, first, second)[:, :, None, None]
    torch.testing.assert_close(module.weights(features), weights)
    torch.testing.assert_close(module(features), features * weights)


@pytest.mark.parametrize("side", [1, 3, 7])
def test_spatial_attention_is_the_paper_s(side: int) -> None:
    torch.manual_seed(0)
    module = SpatialAttention(kernel=side)
    (kernel,) = module.parameters()
    assert kernel.shape == (1, 2, side, side)
    features = features_of(5)
    weights = spatial_weights(features, kernel)[:, None]
    torch.testing.assert_close(module.weights(features), weights)
    torch.testing.assert_close(module(features), features * weights)


def test_channels_come_first() -> None:
    torch.manual_seed(0)
    module: Any = Cbam(ratio=4, kernel=3).build(12)
    first, second, kernel = module.parameters()
    features = features_of(12)
    middle = features * channel_weights(features, first.flatten(1), second.flatten(1))[:, :, None, None]
    torch.testing.assert_close(module(features), middle * spatial_weights(middle, kernel)[:, None])


@pytest.mark.parametrize("channels", [16, 64, 100, 512])
def test_the_perceptron_is_narrower_by_the_ratio_rounded_down(channels: int) -> None:
    count = count_parameters(Cbam(ratio=16, kernel=3).build(channels))
    assert count.trainable == 2 * channels * (channels // 16) + 2 * 9


def test_resnet18_pays_87_184_parameters_for_it() -> None:
    by_hand = sum(2 * (2 * channels * channels // 16 + 18) for channels in (64, 128, 256, 512))
    with torch.device("meta"):
        plain, attentive = (CATALOG[name][1].build(12, 32) for name in ("resnet18", "resnet18-cbam"))
    difference = count_parameters(attentive).trainable - count_parameters(plain).trainable
    assert difference == by_hand == 87_184


@pytest.mark.parametrize("order", ["original", "full-pre-activation"])
def test_every_block_has_one_as_the_last_thing_before_the_addition(order: Any) -> None:
    network: Any = ResNet((1, 2), (8, 16), order=order, attention=Cbam(ratio=4)).build(10, 32)
    blocks = [block for layer in network.layers for block in layer]
    assert len(blocks) == 3
    for block in blocks:
        assert isinstance(block, ResidualBlock)
        last: Any = list(block.residual.children())[-1]
        assert [type(part) for part in last] == [ChannelAttention, SpatialAttention]
    attentions = [module for module in network.modules() if isinstance(module, ChannelAttention)]
    assert len(attentions) == len(blocks)


def test_every_attention_of_a_full_size_network_learns() -> None:
    torch.manual_seed(0)
    network = CATALOG["resnet18-cbam"][1].build(12, 16)
    F.cross_entropy(network(torch.randn(8, 3, 16, 16)), torch.arange(8)).backward()
    modules = [m for m in network.modules() if isinstance(m, ChannelAttention | SpatialAttention)]
    assert len(modules) == 16
    for module in modules:
        for parameter in module.parameters():
            assert parameter.grad is not None
            assert parameter.grad.isfinite().all()
            assert parameter.grad.abs().sum() > 0


def test_weights_lie_between_0_and_1_and_the_shape_stays() -> None:
    module = nn.Sequential(ChannelAttention(6, 2), SpatialAttention(3))
    features = features_of(6) * 100
    assert module(features).shape == features.shape
    for part in (ChannelAttention(6, 2), SpatialAttention(3)):
        weights = part.weights(features)
        assert ((weights >= 0) & (weights <= 1)).all()


@pytest.mark.parametrize("ratio", [0, -1])
def test_a_ratio_below_1_is_refused(ratio: int) -> None:
    with pytest.raises(UserError, match=f"Cbam: ratio must be at least 1, found {ratio}"):
        Cbam(ratio=ratio)


@pytest.mark.parametrize("kernel", [0, 2, 4, -1, -3])
def test_an_even_kernel_is_refused(kernel: int) -> None:
    with pytest.raises(UserError, match=f"Cbam: kernel must be odd, such as 3 or 7, found {kernel}"):
        Cbam(kernel=kernel)


def test_a_ratio_larger_than_the_channels_is_refused() -> None:
    assert Cbam(ratio=8).build(8)
    with pytest.raises(UserError, match="Cbam: ratio must not be larger than the channels it reduces, 8"):
        ResNet((1, 1), (16, 8), attention=Cbam(ratio=9)).build(10, 32)
