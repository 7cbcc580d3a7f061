"""The stand-in for torchvision."""

import sys

import torch

from cifarlab.race.peers.torchvision_stand_in import Normalize, torchvision_stand_in


def test_the_stand_in_is_there_only_while_a_script_loads() -> None:
    before = sys.modules.get("torchvision")
    with torchvision_stand_in():
        from torchvision import transforms  # type: ignore[import-not-found, unused-ignore]

        assert transforms.Normalize is Normalize
    assert sys.modules.get("torchvision") is before


def test_normalize_keeps_the_dtype_and_the_images() -> None:
    images = torch.rand(2, 3, 4, 5, dtype=torch.float16)
    before = images.clone()
    mean, deviation = torch.tensor((0.5, 0.4, 0.3)), torch.tensor((0.2, 0.25, 0.3))
    found = Normalize(mean, deviation)(images)
    expected = (images - mean.half().view(3, 1, 1)) / deviation.half().view(3, 1, 1)
    assert found.dtype is torch.float16
    assert torch.equal(found, expected) and torch.equal(images, before)
