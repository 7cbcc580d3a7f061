"""From bytes to numbers, against the plain formula."""

import math

import pytest
import torch

from cifarlab.augment import Normalize
from cifarlab.errors import UserError

EVERY_BYTE = torch.arange(256, dtype=torch.uint8).reshape(1, 1, 16, 16).repeat(2, 3, 1, 1)
CIFAR = Normalize((0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616))


@pytest.mark.parametrize("normalize", [Normalize(), CIFAR], ids=["default", "CIFAR"])
def test_every_byte_is_the_plain_formula_s(normalize: Normalize) -> None:
    found = normalize.apply(EVERY_BYTE)
    mean = torch.tensor(normalize.mean, dtype=torch.float64)[:, None, None]
    deviation = torch.tensor(normalize.deviation, dtype=torch.float64)[:, None, None]
    expected = (EVERY_BYTE.double() / 255 - mean) / deviation
    assert found.dtype is torch.float32
    assert found.shape == EVERY_BYTE.shape
    assert (found.double() - expected).abs().max() < 1e-6


def test_the_default_maps_bytes_to_minus_one_and_one() -> None:
    found = Normalize().apply(EVERY_BYTE)
    assert float(found.min()) == pytest.approx(-1, abs=1e-6)
    assert float(found.max()) == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("shape", [(2, 3, 16, 16), (1, 3, 5, 9), (0, 3, 32, 32)])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_channels_lie_last_in_memory(shape: tuple[int, ...], layout: torch.memory_format) -> None:
    images = torch.zeros(shape, dtype=torch.uint8).to(memory_format=layout)
    found = Normalize().apply(images)
    assert found.shape == shape
    assert found.is_contiguous(memory_format=torch.channels_last)


def test_the_input_is_left_alone() -> None:
    images = EVERY_BYTE.clone()
    CIFAR.apply(images)
    assert torch.equal(images, EVERY_BYTE)


@pytest.mark.parametrize("deviation", [0.0, -0.5, math.nan, math.inf])
def test_a_deviation_must_be_positive(deviation: float) -> None:
    with pytest.raises(UserError, match="every deviation must be finite and above 0"):
        Normalize(deviation=(0.5, deviation, 0.5))


@pytest.mark.parametrize("mean", [math.nan, math.inf])
def test_a_mean_must_be_a_number(mean: float) -> None:
    with pytest.raises(UserError, match="every mean must be finite"):
        Normalize(mean=(0.5, mean, 0.5))


def test_each_config_has_its_own_constants() -> None:
    """They are kept from batch to batch."""
    for normalize in (Normalize(), CIFAR, Normalize()):
        black = normalize.apply(torch.zeros(1, 3, 1, 1, dtype=torch.uint8)).flatten().tolist()
        expected = [-m / d for m, d in zip(normalize.mean, normalize.deviation, strict=True)]
        assert black == pytest.approx(expected, abs=1e-6)
