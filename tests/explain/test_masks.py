"""Attention masks are what the networks' own modules compute."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cifarlab.explain.masks import attention_masks
from cifarlab.models.attention_module import SoftMask
from cifarlab.models.cbam import SpatialAttention
from models.narrow import NARROW

IMAGES = torch.randn(4, 3, 32, 32, generator=torch.Generator().manual_seed(1))
NAMES = {
    "narrow tiny-attention": ["stage 1, block 1", "stage 2, block 1", "stage 3, block 1"],
    "narrow slim-attention-paper": ["stage 1, block 1", "stage 2, block 1", "stage 2, block 2"],
    "narrow resnet-cbam": ["stage 1, block 1", "stage 2, block 1", "stage 2, block 2"],
    "narrow resnet-cbam-aspp": ["stage 1, block 1", "stage 2, block 1", "stage 2, block 2"],
}


@pytest.mark.parametrize("name", NAMES)
def test_masks_are_what_the_modules_compute(name: str) -> None:
    torch.manual_seed(0)
    network = NARROW[name].build(5, 32).eval()
    expected: list[Tensor] = []

    def look(module: nn.Module, inputs: tuple[Tensor], output: Tensor) -> None:
        """From what goes in and what comes out, without the module's own sigmoid."""
        ratio = output if isinstance(module, SoftMask) else output / inputs[0]
        shown = ratio.nanmean(1, keepdim=True)  # CBAM multiplies every channel by the same
        expected.append(F.interpolate(shown, (32, 32), mode="bilinear")[:, 0])

    for module in network.modules():
        if isinstance(module, SoftMask | SpatialAttention):
            module.register_forward_hook(look)
    with torch.no_grad():
        network(IMAGES)
    found = attention_masks(network, IMAGES)
    assert list(found) == NAMES[name]
    expected = expected[: len(found)]  # attention_masks runs the network, and so the hooks above, again
    for mask, other in zip(found.values(), expected, strict=True):
        assert mask.shape == (4, 32, 32)
        assert mask.min() > 0 and mask.max() < 1
        assert torch.allclose(mask, other, atol=1e-5)


def test_networks_without_attention_have_none() -> None:
    assert attention_masks(NARROW["narrow plain-cnn"].build(5, 32), IMAGES) == {}


def test_the_network_is_left_as_it_was() -> None:
    network = NARROW["narrow resnet-cbam"].build(5, 32).train()
    state = {key: value.clone() for key, value in network.state_dict().items()}
    attention_masks(network, IMAGES)
    assert all(module.training for module in network.modules())
    assert all(torch.equal(value, state[key]) for key, value in network.state_dict().items())
    assert not any(module._forward_hooks for module in network.modules())
