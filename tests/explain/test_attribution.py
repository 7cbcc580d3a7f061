"""Integrated gradients are complete, occlusion is what covering by hand gives."""

import builtins
from typing import Any

import pytest
import torch
from torch import nn

from cifarlab.errors import UserError
from cifarlab.explain.attribution import baseline, heat, integrated_gradients, occlusion
from cifarlab.models.centered import CenteredNetwork
from models.narrow import NARROW

IMAGES = torch.randn(3, 3, 16, 16, generator=torch.Generator().manual_seed(1))
CLASSES = torch.tensor([0, 3, 4])


def _network(name: str = "narrow plain-cnn") -> nn.Module:
    torch.manual_seed(0)
    return NARROW[name].build(5, 16).train()


def _logit(network: nn.Module, images: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        logits: torch.Tensor = network.eval()(images)
    return logits.gather(1, CLASSES[:, None])[:, 0]


@pytest.mark.parametrize(
    "name", ["narrow plain-cnn", "narrow fast-cnn", "narrow resnet-cbam", "narrow lenet"]
)
def test_integrated_gradients_are_complete(name: str) -> None:
    network = _network(name)
    found = integrated_gradients(network, IMAGES, CLASSES, steps=200)
    assert found.shape == IMAGES.shape and network.training
    assert all(each.grad is None for each in network.parameters())
    expected = _logit(network, IMAGES) - _logit(network, torch.zeros_like(IMAGES))
    assert expected.abs().max() > 1e-3
    assert torch.allclose(found.sum((1, 2, 3)), expected, atol=0.02 * float(expected.abs().max()))


def test_the_baseline_of_a_centered_network_is_its_mean_image() -> None:
    network = CenteredNetwork(_network("narrow lenet"), 16)
    network.mean_image.copy_(IMAGES.mean(0))
    found = integrated_gradients(network, IMAGES, CLASSES, steps=200)
    expected = _logit(network, IMAGES) - _logit(network, IMAGES.mean(0).expand_as(IMAGES))
    assert torch.allclose(found.sum((1, 2, 3)), expected, atol=0.02 * float(expected.abs().max()))
    assert torch.equal(baseline(network, IMAGES) - network.mean_image, torch.zeros_like(IMAGES))


def test_occlusion_is_what_covering_by_hand_gives() -> None:
    network = _network("narrow resnet original")
    found = occlusion(network, IMAGES, CLASSES)
    assert found.shape == (3, 16, 16) and network.training
    whole = _logit(network, IMAGES)
    total, times = torch.zeros(3, 16, 16), torch.zeros(16, 16)
    for row in range(0, 13, 2):
        for column in range(0, 13, 2):
            covered = IMAGES.clone()
            covered[:, :, row : row + 4, column : column + 4] = 0
            total[:, row : row + 4, column : column + 4] += (whole - _logit(network, covered))[:, None, None]
            times[row : row + 4, column : column + 4] += 1
    assert torch.allclose(found, total / times, atol=1e-5)


@pytest.mark.parametrize("size", [1, 2, 5])
def test_tiny_images_can_be_occluded(size: int) -> None:
    found = occlusion(_network("narrow resnet original"), IMAGES[:, :, :size, :size], CLASSES)
    assert found.shape == (3, size, size) and bool(found.isfinite().all())


def test_heat_is_what_speaks_for_the_class() -> None:
    red, green = [[-1.0, 1.0], [2.0, -5.0]], [[-1.0, 1.0], [2.0, 4.0]]
    found = heat(torch.tensor([[red, green]]))[0]  # sums −2, 2, 4, −1
    assert torch.allclose(found, torch.tensor([[0.0, 0.5], [1.0, 0.0]]), atol=1e-4)
    assert bool((heat(-torch.ones(2, 3, 4, 4)) == 0).all())
    bright = torch.arange(1000.0).reshape(1, 25, 40)
    bright[0, -1, -1] = 1e6  # one pixel of a thousand does not darken all others
    assert float(heat(bright)[0, 12, 0]) == pytest.approx(480 / 989)
    single = torch.zeros(1, 40, 40)
    single[0, 3, 5] = 0.1  # fewer pixels than one in a hundred still show
    assert torch.equal(heat(single), (single > 0).float())


def test_without_captum_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    found = builtins.__import__

    def absent(name: str, *arguments: Any) -> Any:
        if name.startswith("captum"):
            raise ImportError(name)
        return found(name, *arguments)

    monkeypatch.setattr(builtins, "__import__", absent)
    for method in (integrated_gradients, occlusion):
        with pytest.raises(
            UserError, match=r"captum is not installed; run: pip install 'cifarlab\[explain\]'"
        ):
            method(_network(), IMAGES, CLASSES)
