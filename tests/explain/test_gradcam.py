"""Grad-CAM against captum on every family, and what it must leave alone."""

from typing import Any

import captum.attr
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cifarlab.errors import UserError
from cifarlab.explain.gradcam import evidence, grad_cam, layers_of
from cifarlab.models import FastCnn, Model, PlainCnn, ResNet
from cifarlab.models.centered import CenteredNetwork
from models.narrow import NARROW

IMAGES = torch.randn(7, 3, 32, 32, generator=torch.Generator().manual_seed(1))
CLASSES = torch.tensor([0, 1, 2, 3, 4, 0, 2])


def _network(name: str) -> nn.Module:
    torch.manual_seed(0)
    network = NARROW[name].build(5, 32)
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):  # as after some training: neither 0 nor 1
                assert module.running_mean is not None and module.running_var is not None
                module.running_mean.normal_(std=0.2)
                module.running_var.uniform_(0.5, 2)
                module.weight.uniform_(0.5, 1.5)
                module.bias.normal_(std=0.2)
    return network


@pytest.mark.parametrize("name", NARROW)
def test_every_layer_is_captum_s(name: str) -> None:
    network = _network(name).eval()
    layers = layers_of(network)
    assert layers, "a network without a layer to show"
    ours = evidence(network, IMAGES[:3], CLASSES[:3], layers)
    assert tuple(ours) == layers
    images = IMAGES[:3].clone().requires_grad_()
    for layer in dict.fromkeys((*layers[::3], layers[-1])):
        oracle = captum.attr.LayerGradCam(network, network.get_submodule(layer))
        expected = oracle.attribute(images, CLASSES[:3], relu_attributions=True)[:, 0]
        assert torch.allclose(ours[layer], expected, rtol=1e-5, atol=1e-5 * float(expected.detach().max())), (
            layer
        )
    assert any(bool((each > 0).any()) for each in ours.values()), "nothing was compared"


@pytest.mark.parametrize(
    ("name", "layer"), [("narrow plain-cnn", "features.0"), ("narrow fast-cnn", "stages.3")]
)
def test_a_layer_in_front_of_a_change_in_place(name: str, layer: str) -> None:
    """What it has put out counts, not what the activation behind it makes of the same memory."""
    network = _network(name).eval()
    found = evidence(network, IMAGES, CLASSES, [layer])[layer]
    for module in network.modules():
        if isinstance(module, nn.ReLU | nn.SiLU):
            module.inplace = False
    images = IMAGES.clone().requires_grad_()
    oracle = captum.attr.LayerGradCam(network, network.get_submodule(layer))
    expected = oracle.attribute(images, CLASSES, relu_attributions=True)[:, 0]
    assert torch.allclose(found, expected, rtol=1e-5, atol=1e-5 * float(expected.detach().max()))


def test_maps_are_scaled_and_as_large_as_the_images() -> None:
    network = _network("narrow resnet original")
    layers = layers_of(network)
    maps = grad_cam(network, IMAGES, CLASSES, layers)
    raw = evidence(network, IMAGES, CLASSES, layers)
    for layer in layers:
        assert maps[layer].shape == (7, 32, 32) and maps[layer].dtype is torch.float32
        enlarged = F.interpolate(raw[layer][:, None], (32, 32), mode="bilinear")[:, 0]
        for found, expected in zip(maps[layer], enlarged, strict=True):
            if expected.max() == 0:
                assert bool((found == 0).all())
            else:
                assert found.max() == 1
                assert torch.allclose(found * expected.max(), expected, atol=1e-6)


def test_no_evidence_is_zero_and_not_nan() -> None:
    network = _network("narrow plain-cnn")
    nn.init.zeros_(network.get_submodule("classifier").weight)  # type: ignore[arg-type]
    for each in grad_cam(network, IMAGES, CLASSES, layers_of(network)).values():
        assert bool((each == 0).all())


@pytest.mark.parametrize("name", ["narrow resnet-cbam", "narrow tiny-attention", "narrow fast-cnn"])
def test_the_network_is_left_as_it_was(name: str) -> None:
    network = _network(name).train()
    network.get_submodule("classifier").eval()
    network.get_submodule("classifier").requires_grad_(False)
    state = {key: value.clone() for key, value in network.state_dict().items()}
    modes = [module.training for module in network.modules()]
    wanted = [each.requires_grad for each in network.parameters()]
    first = grad_cam(network, IMAGES, CLASSES, layers_of(network))
    assert [module.training for module in network.modules()] == modes
    assert [each.requires_grad for each in network.parameters()] == wanted
    assert all(each.grad is None for each in network.parameters())
    assert all(torch.equal(value, state[key]) for key, value in network.state_dict().items())
    assert not any(module._forward_hooks for module in network.modules())
    again = grad_cam(network.eval(), IMAGES, CLASSES, layers_of(network))
    assert all(torch.equal(first[layer], again[layer]) for layer in first), "not in evaluation mode"


def test_frozen_weights_and_no_gradients_outside_change_nothing() -> None:
    network = _network("narrow plain-cnn")
    expected = grad_cam(network, IMAGES, CLASSES, layers_of(network))
    network.requires_grad_(False)
    with torch.no_grad():
        found = grad_cam(network, IMAGES, CLASSES, layers_of(network))
    assert all(torch.equal(found[layer], expected[layer]) for layer in expected)


@pytest.mark.parametrize("name", ["narrow resnet-cbam", "narrow slim-attention", "narrow fast-cnn"])
def test_a_batch_is_its_images_one_by_one(name: str) -> None:
    network = _network(name)
    layers = layers_of(network)
    together = grad_cam(network, IMAGES, CLASSES, layers)
    for place in range(7):
        alone = grad_cam(network, IMAGES[place : place + 1], CLASSES[place : place + 1], layers)
        for layer in layers:
            assert torch.allclose(alone[layer][0], together[layer][place], atol=1e-4), (place, layer)


def test_another_class_is_seen_elsewhere() -> None:
    network = _network("narrow plain-cnn")
    last = layers_of(network)[-1]
    one, other = (evidence(network, IMAGES, torch.full((7,), each), [last])[last] for each in (0, 1))
    assert not torch.allclose(one, other)


def test_evidence_lies_where_the_class_is() -> None:
    """A network of one convolution that sums a bright square: its map is bright there and nowhere else."""
    network = nn.Sequential(nn.Conv2d(3, 1, 1, bias=False), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    nn.init.ones_(network[0].weight)  # type: ignore[arg-type]
    image = torch.zeros(1, 3, 8, 8)
    image[..., 5:7, 1:3] = 1.0
    found = grad_cam(network, image, torch.tensor([0]), layers_of(network))["1"][0]
    assert torch.equal(found, image[0, 0])


EXPECTED: dict[str, tuple[Model, tuple[str, ...]]] = {
    "plain": (PlainCnn(), tuple(f"features.{place}" for place in (1, 3, 6, 8, 11, 13))),
    "resnet18": (
        ResNet(),
        ("stem.2", *(f"layers.{layer}.{block}" for layer in range(4) for block in range(2))),
    ),
    "fast": (FastCnn(), ("stages.0", *(f"stages.{place}" for place in (4, 7, 11, 14, 18, 21)))),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_layers_are_blocks_and_activated_convolutions(name: str) -> None:
    model, expected = EXPECTED[name]
    assert layers_of(model.build(10, 32)) == expected


def test_centered_networks_have_the_same_layers() -> None:
    network = PlainCnn().build(10, 32)
    assert layers_of(CenteredNetwork(network, 32)) == tuple(f"network.{each}" for each in layers_of(network))


@pytest.mark.parametrize("name", NARROW)
def test_layers_are_maps_in_forward_order(name: str) -> None:
    network = _network(name).eval()
    order: list[str] = []
    for layer in layers_of(network):
        network.get_submodule(layer).register_forward_hook(_appending(order, layer))
    network(IMAGES[:1])
    assert order == list(layers_of(network))


def _appending(order: list[str], layer: str) -> Any:
    def append(module: nn.Module, inputs: Any, output: Tensor) -> None:
        assert output.ndim == 4 and output.shape[-1] > 1
        order.append(layer)

    return append


WRONG = {
    "feature.1": "did you mean features.1",
    "classifier": "classifier has no map with height and width",
}


@pytest.mark.parametrize("layer", WRONG)
def test_a_wrong_layer_is_named(layer: str) -> None:
    network = PlainCnn((4, 4, 4)).build(5, 32)
    with pytest.raises(UserError, match=WRONG[layer]):
        evidence(network, IMAGES, CLASSES, [layer])
    assert not any(module._forward_hooks for module in network.modules())
