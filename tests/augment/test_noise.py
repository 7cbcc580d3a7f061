"""Gaussian noise and the hash behind it: its law, and that every value has noise of its own."""

import math

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor

from augment.pillow import random_images
from cifarlab.augment import GaussianNoise
from cifarlab.augment.hashing import draw_seeds, random_bits, random_bytes
from cifarlab.runtime import generator


def noise(mean: float, variance: float, shape: tuple[int, ...] = (200, 3, 32, 32)) -> Tensor:
    """On gray 128, where nothing is clamped."""
    augmentation = GaussianNoise(mean, variance)
    images = torch.full(shape, 128, dtype=torch.uint8)
    return augmentation.apply(images, augmentation.draw(shape[0], generator(4))).double() - 128


@pytest.mark.parametrize(("mean", "variance"), [(0.0, 1.0), (0.0, 100.0), (3.3, 25.0), (-7.0, 0.3)])
def test_mean_and_variance_are_those_of_rounded_normal_noise(mean: float, variance: float) -> None:
    found = noise(mean, variance).flatten()
    levels = np.arange(-128, 128)
    upper, lower = ((levels + half - mean) / math.sqrt(variance) for half in (0.5, -0.5))
    shares = stats.norm.cdf(upper) - stats.norm.cdf(lower)
    expected_mean = float((levels * shares).sum())
    expected_variance = float((levels**2 * shares).sum()) - expected_mean**2
    count = len(found)
    assert abs(float(found.mean()) - expected_mean) < 6 * math.sqrt(expected_variance / count)
    assert abs(float(found.var()) / expected_variance - 1) < 6 * math.sqrt(2 / count) + 1e-3


@pytest.mark.parametrize("variance", [1.0, 400.0])
def test_every_level_comes_as_often_as_the_normal_law_says(variance: float) -> None:
    """Kolmogorov and Smirnov's distance at the half levels, where rounding keeps the law."""
    found = noise(0.0, variance).flatten()
    edges = torch.arange(-60, 60) + 0.5
    below = torch.searchsorted(found.sort().values, edges.double()) / len(found)
    expected = torch.from_numpy(stats.norm.cdf(edges.numpy() / math.sqrt(variance)))
    assert (below - expected).abs().max() < 2.2 / math.sqrt(len(found)) + 1 / 65536


def correlation(first: Tensor, second: Tensor) -> float:
    return abs(float(torch.corrcoef(torch.stack([first.flatten(), second.flatten()]))[0, 1]))


def test_values_are_independent_of_their_neighbors() -> None:
    found = noise(0.0, 50.0)
    limit = 6 / math.sqrt(found.numel() / 2)
    for shift in (1, 2, 3, 4, 16):
        assert correlation(found[..., shift:], found[..., :-shift]) < limit
        assert correlation(found[:, :, shift:], found[:, :, :-shift]) < limit
        assert correlation(found[shift:], found[:-shift]) < limit
    assert correlation(found[:, :2], found[:, 1:]) < limit
    assert correlation(found[:, 0], found[:, 2]) < limit
    assert correlation(found[:100].abs(), found[100:].abs()) < limit


def test_pixels_of_all_images_together_are_unbiased() -> None:
    """A place must not be brighter than another one over many images."""
    means = noise(0.0, 100.0, (2000, 3, 8, 8)).mean(0)
    assert means.abs().max() < 6 * math.sqrt(100.1 / 2000)


def test_near_seeds_give_unlike_noise() -> None:
    bits = random_bits(torch.arange(64, dtype=torch.int32), 2000)
    flips = torch.stack([(bits[1:] ^ bits[:-1]) >> shift & 1 for shift in range(32)]).double()
    assert (flips.mean((1, 2)) - 0.5).abs().max() < 6 * 0.5 / math.sqrt(63 * 2000)


def test_bits_and_bytes_are_uniform() -> None:
    seeds = draw_seeds(100, generator(0))
    bits = random_bits(seeds, 3000)
    assert bits.dtype is torch.int32
    for shift in range(32):
        assert abs(float((bits >> shift & 1).double().mean()) - 0.5) < 6 * 0.5 / math.sqrt(bits.numel())
    counts = torch.bincount(random_bytes(seeds, 4001).flatten().long(), minlength=256)
    statistic = float(((counts - counts.double().mean()) ** 2 / counts.double().mean()).sum())
    assert stats.chi2.sf(statistic, 255) > 1e-6


def test_the_hash_is_lowbias32() -> None:
    """Values of the published function in plain integers; they must never change."""

    def plain(x: int) -> int:
        for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B)):
            x = (x ^ x >> shift) * factor % 2**32
        return x ^ x >> 16

    seeds = torch.tensor([0, 1, -1, 123456789, -(2**31)], dtype=torch.int32)
    expected = [[plain(plain(i) ^ seed % 2**32) for i in range(50)] for seed in seeds.tolist()]
    assert [[value % 2**32 for value in row] for row in random_bits(seeds, 50).tolist()] == expected


def test_no_seed_is_more_likely_and_both_signs_come() -> None:
    seeds = draw_seeds(100_000, generator(0)).double()
    assert stats.kstest(seeds.numpy() / 2**32 + 0.5, "uniform").pvalue > 1e-6


def test_sums_are_clamped() -> None:
    augmentation = GaussianNoise(0.0, 10_000.0)
    images = torch.tensor([0, 255], dtype=torch.uint8)[:, None, None, None].repeat(1, 3, 32, 32)
    dark, light = augmentation.apply(images, augmentation.draw(2, generator(0)))
    for found, limit in ((dark, 0), (light, 255)):
        assert 0.4 < float((found == limit).double().mean()) < 0.6
        assert len(found.unique()) > 100


def test_a_mean_alone_shifts_every_value() -> None:
    images = random_images(2, 3, 5, 7)
    shifted = GaussianNoise(20.0, 0.0).apply(images, torch.zeros(2, dtype=torch.int32))
    assert torch.equal(shifted, (images.int() + 20).clamp(max=255).to(torch.uint8))
