"""Residual and plain networks against the papers' layers, written out by hand."""

import math
from collections.abc import Callable
from typing import Any, get_args

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cifarlab.errors import UserError
from cifarlab.models import CATALOG, Activation, Order, ResNet
from cifarlab.models.blocks import activation_layer
from cifarlab.models.cost import count_parameters, forward_flops

FORMULAS: dict[Activation, Callable[[float], float]] = {
    "relu": lambda x: max(x, 0.0),
    "relu6": lambda x: min(max(x, 0.0), 6.0),
    "leaky-relu": lambda x: x if x > 0 else 0.01 * x,
    "elu": lambda x: x if x > 0 else math.exp(x) - 1,
    "swish": lambda x: x / (1 + math.exp(-x)),
    "gelu": lambda x: x * (1 + math.erf(x / math.sqrt(2))) / 2,
}
every_order = pytest.mark.parametrize("order", get_args(Order))


def scrambled(network: nn.Module) -> Any:
    """``network`` with other values in everything that starts as zero or one."""
    randomness = torch.Generator().manual_seed(1)
    for name, value in network.state_dict().items():
        if value.is_floating_point() and value.dim() == 1:
            noise = torch.rand(value.shape, generator=randomness)
            value.copy_(noise + 0.5 if name.endswith(("weight", "running_var")) else noise - 0.5)
    return network


def by_hand(network: Any, config: ResNet, images: Tensor, training: bool) -> Tensor:
    """The forward pass of He et al. 2015 and 2016, figure 4, with the network's tensors one after another."""
    convolutions = iter([module.weight for module in network.modules() if isinstance(module, nn.Conv2d)])
    norms = iter([module for module in network.modules() if isinstance(module, nn.BatchNorm2d)])

    def conv(features: Tensor, stride: int = 1) -> Tensor:
        weight = next(convolutions)
        return F.conv2d(features, weight, stride=stride, padding=weight.shape[-1] // 2)

    def norm(features: Tensor) -> Tensor:
        m: Any = next(norms)
        mean, var = m.running_mean.clone(), m.running_var.clone()
        return F.batch_norm(features, mean, var, m.weight, m.bias, training)

    def skip(identity: Tensor, to_project: Tensor, stride: int, outputs: int) -> Tensor:
        if config.shortcut == "none":
            return torch.zeros(1)
        if stride == 1 and identity.shape[1] == outputs:
            return identity
        return norm(conv(to_project, stride))

    x = F.relu(norm(conv(images)))
    for layer, (blocks, outputs) in enumerate(zip(config.blocks, config.channels, strict=True)):
        for block in range(blocks):
            stride = 2 if layer > 0 and block == 0 else 1
            first = layer == block == 0
            if config.order == "original":
                y = norm(conv(F.relu(norm(conv(x, stride)))))
                x = F.relu(y + skip(x, x, stride, outputs))
            elif config.order == "bn-after-addition":
                y = conv(F.relu(norm(conv(x, stride))))
                x = F.relu(norm(y + skip(x, x, stride, outputs)))
            elif config.order == "relu-before-addition":
                y = F.relu(norm(conv(F.relu(norm(conv(x, stride))))))
                x = y + skip(x, x, stride, outputs)
            elif config.order == "relu-only-pre-activation":
                p = x if first else F.relu(x)
                y = norm(conv(F.relu(norm(conv(p, stride)))))
                x = y + skip(x, p, stride, outputs)
            else:
                p = x if first else F.relu(norm(x))
                y = conv(F.relu(norm(conv(p, stride))))
                x = y + skip(x, p, stride, outputs)
    if config.order == "relu-only-pre-activation":
        x = F.relu(x)
    elif config.order == "full-pre-activation":
        x = F.relu(norm(x))
    assert next(convolutions, None) is None and next(norms, None) is None, "every tensor has its place"
    return F.linear(x.mean((2, 3)), network.classifier.weight, network.classifier.bias)


@every_order
@pytest.mark.parametrize("shortcut", ["projection", "none"])
@pytest.mark.parametrize("training", [False, True], ids=["evaluation", "training"])
def test_every_order_is_the_paper_s(order: Order, shortcut: Any, training: bool) -> None:
    config = ResNet((2, 1, 2), (6, 8, 8), order=order, shortcut=shortcut)
    torch.manual_seed(0)
    network = scrambled(config.build(5, 16)).train(training)
    images = torch.randn(4, 3, 16, 16)
    expected = by_hand(network, config, images, training)
    torch.testing.assert_close(network(images), expected, rtol=1e-4, atol=1e-5)


def test_the_first_layer_projects_when_its_channels_differ_only() -> None:
    """At stride 1 with equal channels the identity is added; layers 2 to 4 always halve, so they project."""
    network: Any = ResNet((2, 2, 2, 2), (8, 8, 8, 16)).build(10, 32)
    projections = [[block.projection is not None for block in layer] for layer in network.layers]
    assert projections == [[False, False], [True, False], [True, False], [True, False]]


def test_the_plain_networks_of_the_five_orders_are_one_network() -> None:
    outputs = []
    for order in get_args(Order):
        torch.manual_seed(0)
        network = ResNet((2, 2), (6, 8), order=order, shortcut="none").build(5, 16)
        outputs.append(network(torch.randn(4, 3, 16, 16, generator=torch.Generator().manual_seed(1))))
    for output in outputs[1:]:
        torch.testing.assert_close(output, outputs[0])


@pytest.mark.parametrize("name", get_args(Activation))
def test_activations_are_their_formulas_and_leave_their_input_alone(name: Activation) -> None:
    values = torch.linspace(-9, 9, 181)
    given = values.clone()
    expected = torch.tensor([FORMULAS[name](x) for x in values.tolist()])
    torch.testing.assert_close(activation_layer(name)(given), expected, rtol=1e-5, atol=1e-6)
    assert torch.equal(given, values)


@pytest.mark.parametrize("name", get_args(Activation))
@every_order
def test_all_activations_of_a_network_are_the_chosen_one(name: Activation, order: Order) -> None:
    network = ResNet((1, 1), (4, 8), activation=name, order=order).build(10, 8)
    kinds = [type(m) for m in network.modules() if type(m).__module__ == "torch.nn.modules.activation"]
    assert kinds == [type(activation_layer(name))] * 5


def count_by_hand(blocks: tuple[int, ...], channels: tuple[int, ...], projections: bool) -> int:
    total = 3 * 9 * channels[0] + 2 * channels[0]
    inputs = channels[0]
    for layer, (count, outputs) in enumerate(zip(blocks, channels, strict=True)):
        total += 9 * inputs * outputs + (2 * count - 1) * 9 * outputs**2 + 2 * count * 2 * outputs
        if projections and (layer > 0 or inputs != outputs):
            total += inputs * outputs + 2 * outputs
        inputs = outputs
    return total + 10 * inputs + 10


@pytest.mark.parametrize(
    ("blocks", "channels", "shortcut", "trainable"),
    [
        ((1, 1, 1, 1), (64, 128, 256, 512), "projection", 4_903_242),
        ((2, 1, 2, 2), (64, 128, 256, 256), "projection", 4_909_642),
        ((3, 3, 2, 3), (64, 128, 128, 256), "projection", 4_935_242),
        ((8, 5, 5, 5), (64, 128, 128, 128), "projection", 4_994_378),
        ((2, 2, 2, 2), (64, 128, 256, 512), "projection", 11_173_962),
        ((3, 3, 3), (16, 32, 64), "none", 269_722),
        ((9, 9, 9), (16, 32, 64), "none", 853_018),
        ((3, 3, 3), (16, 32, 64), "projection", 272_474),
    ],
    ids=["resnet10", "resnet16", "resnet24", "resnet48", "resnet18", "plain-20", "plain-56", "resnet20"],
)
@every_order
def test_all_orders_have_the_published_count(
    blocks: tuple[int, ...], channels: tuple[int, ...], shortcut: Any, trainable: int, order: Order
) -> None:
    assert count_by_hand(blocks, channels, shortcut == "projection") == trainable
    with torch.device("meta"):
        network = ResNet(blocks, channels, order=order, shortcut=shortcut).build(10, 32)
    assert count_parameters(network).trainable == trainable


@pytest.mark.parametrize("layers", [20, 56])
def test_plain_networks_have_as_many_layers_as_their_name_says(layers: int) -> None:
    with torch.device("meta"):
        network = CATALOG[f"plain-{layers}"][1].build(10, 32)
    kinds = (nn.Conv2d, nn.Linear)
    assert sum(isinstance(module, kinds) for module in network.modules()) == layers


def test_resnet18_costs_twice_555_million_multiplications() -> None:
    with torch.device("meta"):
        network = CATALOG["resnet18"][1].build(10, 32)
    by_hand = 3 * 9 * 64 * 32**2 + 5_120
    for channels, side in ((64, 32), (128, 16), (256, 8), (512, 4)):
        inputs = 64 if channels == 64 else channels // 2
        by_hand += (9 * inputs * channels + 3 * 9 * channels**2) * side**2
        by_hand += inputs * channels * side**2 if inputs != channels else 0
    assert forward_flops(network, 32) == 2 * by_hand == 1_110_845_440


@pytest.mark.parametrize("size", [1, 2, 3, 7, 8, 9, 28, 33, 48])
@every_order
def test_maps_are_halved_and_rounded_up(size: int, order: Order) -> None:
    network: Any = ResNet((1, 1, 1, 1), (4, 4, 4, 4), order=order).build(10, size)
    features, side = network.stem(torch.randn(2, 3, size, size)), size
    for layer in network.layers:
        features = layer(features)
        assert features.shape[2:] == (side, side)
        side = math.ceil(side / 2)
    assert network(torch.randn(2, 3, size, size)).shape == (2, 10)


@pytest.mark.parametrize("size", [0, -1, -32])
def test_no_image_has_no_pixels(size: int) -> None:
    with pytest.raises(UserError, match=f"ResNet takes images from 1 pixel, not {size} pixels"):
        ResNet().build(10, size)


def test_dropout_drops_what_the_classifier_gets_in_training_only() -> None:
    torch.manual_seed(0)
    network: Any = ResNet((1,), (64,), dropout=0.25).build(10, 8)
    seen: list[Tensor] = []
    network.classifier.register_forward_pre_hook(lambda module, given: seen.append(given[0]))
    images = torch.randn(64, 3, 8, 8)
    network(images)
    network.eval()(images)
    assert 0.2 < (seen[0] == 0).float().mean() < 0.3
    assert (seen[1] == 0).float().mean() < 0.05


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"blocks": (1, 1)}, r"blocks and channels need one number per layer each, found \(1, 1\) and"),
        ({"blocks": (), "channels": ()}, r"blocks must be one or more numbers from 1, found \(\)"),
        ({"blocks": (1, 0), "channels": (4, 4)}, r"blocks must be one or more numbers from 1"),
        ({"blocks": (1, 1), "channels": (4, 0)}, r"channels must be one or more numbers from 1"),
        ({"blocks": (1,), "channels": (-4,)}, r"channels must be one or more numbers from 1"),
        ({"dropout": 1.0}, "dropout must lie in 0 … 1, below 1, found 1.0"),
        ({"dropout": -0.1}, "dropout must lie in 0 … 1, below 1"),
        ({"dropout": math.nan}, "dropout must lie in 0 … 1, below 1"),
        ({"order": "orignal"}, r"order cannot be 'orignal'; did you mean original\?"),
        ({"activation": "leaky_relu"}, r"activation cannot be 'leaky_relu'; did you mean leaky-relu\?"),
        ({"shortcut": "identity"}, r"shortcut cannot be 'identity'; there are: none, projection"),
    ],
    ids=str,
)
def test_values_that_make_no_sense_are_refused(values: Any, message: str) -> None:
    with pytest.raises(UserError, match=f"^ResNet: {message}"):
        ResNet(**values)
