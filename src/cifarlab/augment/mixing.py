"""Mixup and CutMix: each image joined with another one, on normalized batches, drawn per image.

What is drawn belongs to the first image of a pair. The loop chooses the pairs; the labels are joined by the
share that ``apply`` returns.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from scipy.special import betaincinv
from torch import Generator, Tensor

from cifarlab.augment.erasing import inside
from cifarlab.errors import UserError


def mixed_labels(labels: Tensor, others: Tensor, share: Tensor, classes: int) -> Tensor:
    """Label distributions: ``share`` on the own label, the rest on the other one.

    Args:
        labels: int64 ``[N]``.
        others: int64 ``[N]``.
        share: float32 ``[N]`` in 0 … 1.
        classes: how many there are.

    Returns:
        float32 ``[N, classes]``, each row of sum 1.
    """
    every = torch.arange(classes, device=labels.device)
    own, other = (every == labels[:, None]).float(), (every == others[:, None]).float()
    return torch.lerp(other, own, share[:, None])


def blended(images: Tensor, others: Tensor, share: Tensor) -> Tensor:
    """``share·images + (1 − share)·others``, exact at 0 and 1; float ``[N, C, H, W]``, share ``[N]``."""
    return torch.lerp(others, images, share.to(images.dtype)[:, None, None, None])


def pasted(images: Tensor, others: Tensor, boxes: Tensor) -> Tensor:
    """``others`` inside the boxes (top, left, height, width; int64 ``[N, 4]``), else ``images``."""
    return torch.where(inside(boxes, *images.shape[2:])[:, None], others, images)


def boxes_of(shares: Tensor, centers: Tensor, height: int, width: int) -> Tensor:
    """CutMix's boxes: top, left, height and width, int64 ``[N, 4]``, clipped at the border.

    Args:
        shares: float ``[N]``, what should stay of the own image.
        centers: float ``[N, 2]`` in 0 … 1, shares of height and width.
        height: of the images.
        width: of the images.
    """
    firsts, lengths = [], []
    sides = torch.sqrt(1 - shares)
    for length, center in zip((height, width), centers.unbind(1), strict=True):
        side = (length * sides).long()
        first = (center * length).long() - side // 2
        last = (first + 2 * (side // 2)).clamp(max=length)
        first = first.clamp(min=0)
        firsts.append(first)
        lengths.append(last - first)
    return torch.stack(firsts + lengths, 1)


def _draw_shares(count: int, alpha: float, probability: float, randomness: Generator) -> Tensor:
    """λ ~ Beta(α, α) by its inverse, 1 where an image is not mixed: float32 ``[count]``."""
    uniform = torch.rand(count, generator=randomness, dtype=torch.float64)
    chosen = torch.rand(count, generator=randomness) < probability
    shares = torch.from_numpy(np.asarray(betaincinv(alpha, alpha, uniform.numpy()))).float()
    return torch.where(chosen, shares, 1.0)


def _check(name: str, alpha: float, probability: float) -> None:
    if not (math.isfinite(alpha) and alpha > 0):
        raise UserError(f"{name}: alpha must be a finite number above 0, found {alpha}")
    if not 0 <= probability <= 1:
        raise UserError(f"{name}: probability must lie in 0 … 1, found {probability}")


@dataclass(frozen=True)
class Mixup:
    """Weighted means of two images (Zhang et al. 2017, arXiv:1710.09412), λ per image; report 002.

    The authors draw one λ per batch; one per image makes it independent of how batches are cut.
    """

    alpha: float = 1.0
    """λ ~ Beta(α, α)."""
    probability: float = 1.0
    """Share of images that are mixed."""

    def __post_init__(self) -> None:
        _check("Mixup", self.alpha, self.probability)

    def draw(self, count: int, randomness: Generator) -> Tensor:
        """λ, float32 ``[count, 1]``."""
        return _draw_shares(count, self.alpha, self.probability, randomness)[:, None]

    def apply(self, images: Tensor, others: Tensor, draws: Tensor) -> tuple[Tensor, Tensor]:
        """Mixed images and the share of the own label, float32 ``[N]``."""
        return blended(images, others, draws[:, 0]), draws[:, 0]


@dataclass(frozen=True)
class CutMix:
    """A rectangle out of another image (Yun et al. 2019, arXiv:1905.04899), λ and place per image.

    As in the authors' code sides are rounded down, centers are uniform, and boxes are clipped at the border.
    """

    alpha: float = 1.0
    """λ ~ Beta(α, α)."""
    probability: float = 0.5
    """Share of images that are mixed; the authors take 0.5 on CIFAR."""

    def __post_init__(self) -> None:
        _check("CutMix", self.alpha, self.probability)

    def draw(self, count: int, randomness: Generator) -> Tensor:
        """λ and the box's center as shares of height and width, float32 ``[count, 3]``."""
        shares = _draw_shares(count, self.alpha, self.probability, randomness)
        return torch.cat([shares[:, None], torch.rand(count, 2, generator=randomness)], 1)

    def apply(self, images: Tensor, others: Tensor, draws: Tensor) -> tuple[Tensor, Tensor]:
        """Mixed images and the share of the own pixels, float32 ``[N]``."""
        height, width = images.shape[2:]
        boxes = boxes_of(draws[:, 0], draws[:, 1:], height, width)
        share = 1 - (boxes[:, 2] * boxes[:, 3]).float() / (height * width)
        return pasted(images, others, boxes), share


Mixing = Mixup | CutMix
"""The union is the registry: a recipe holds one of these, or none."""
