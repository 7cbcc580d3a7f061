"""A small convolutional network for short trainings, after airbench94 (Jordan 2024).

What makes it learn fast: a first layer that whitens patches and is computed from the training images, not
learned; convolutions that begin as the identity; BatchNorm with a short memory; a scaled-down last layer.
"""

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from cifarlab.errors import UserError

_PATCH = 2
_WHITENING_IMAGES = 5000
_WHITENING_EPSILON = 5e-4
_STATISTICS_MOMENTUM = 0.4
"""Of BatchNorm's running statistics: short runs have no time for torch's 0.1."""


def whitening_filters(batches: Iterable[Tensor]) -> Tensor:
    """Filters whose answers to the 2×2 patches of images are uncorrelated and of variance 1.

    The eigenvectors of the patches' covariance, divided by the roots of their eigenvalues; no mean is
    subtracted, and the eigenvalues are raised a little (Page 2018; Jordan 2024).

    Args:
        batches: images, float ``[N, 3, H, W]`` each.

    Returns:
        ``[12, 3, 2, 2]``, the largest eigenvalue first.
    """
    products, count = [], 0
    for images in batches:
        for some in images.float().split(100):  # patches take much more memory than their image
            patches = _patches(some)
            products.append(patches.T @ patches)
            count += len(patches)
    moments = torch.zeros(12, 12, dtype=torch.float64)
    for product in torch.stack(products).cpu().double():
        moments += product
    values, vectors = torch.linalg.eigh(moments / count)
    filters = vectors / (values + _WHITENING_EPSILON).sqrt()
    whitening: Tensor = filters.T.flip(0).reshape(-1, 3, _PATCH, _PATCH)
    return whitening.float()


def _patches(images: Tensor) -> Tensor:
    """All 2×2 patches of float images ``[N, 3, H, W]``, one a row: ``[N · (H - 1) · (W - 1), 12]``."""
    return images.unfold(2, _PATCH, 1).unfold(3, _PATCH, 1).permute(0, 2, 3, 1, 4, 5).reshape(-1, 12)


class FastCnnNetwork(nn.Module):
    """A whitening layer, three stages of two 3×3 convolutions, a global maximum and one dense layer.

    A stage is convolution, 2×2 max-pool, BatchNorm, SiLU, convolution, BatchNorm, SiLU.

    Args:
        widths: output channels of the three stages.
        logit_scale: factor of the logits.
        classes: outputs.
    """

    def __init__(self, widths: tuple[int, int, int], logit_scale: float, classes: int) -> None:
        super().__init__()
        whitened = 2 * 3 * _PATCH**2
        self.whitening = nn.Conv2d(3, whitened, _PATCH)
        self.whitening.weight.requires_grad_(False)
        stages: list[nn.Module] = []
        channels = whitened
        for width in widths:
            stages += [_convolution(channels, width), nn.MaxPool2d(2), *_normalized(width)]
            stages += [_convolution(width, width), *_normalized(width)]
            channels = width
        self.stages = nn.Sequential(nn.SiLU(), *stages)
        self.classifier = nn.Linear(channels, classes)
        self.logit_scale = logit_scale

    def fit(self, read: Callable[[], Iterator[Tensor]]) -> None:
        """Set the whitening filters, each with both signs, by the first few thousand images."""
        filters = whitening_filters(_first(read(), _WHITENING_IMAGES)).to(self.whitening.weight)
        self.whitening.weight.copy_(torch.cat((filters, -filters)))

    def parts(self) -> tuple[nn.Module, ...]:
        """The whitening layer and the three stages, the first with the activation before it."""
        return self.whitening, self.stages[:8], self.stages[8:15], self.stages[15:]

    def forward(self, images: Tensor) -> Tensor:
        """Normalized float images ``[N, 3, H, W]`` to logits ``[N, classes]``."""
        features = self.stages(self.whitening(images)).amax((2, 3))
        logits: Tensor = self.classifier(features) * self.logit_scale
        return logits


def _first(batches: Iterator[Tensor], count: int) -> Iterator[Tensor]:
    """The first ``count`` images."""
    while count > 0 and (images := next(batches, None)) is not None:
        yield images[:count]
        count -= len(images)


def _convolution(channels: int, width: int) -> nn.Conv2d:
    """3×3 without bias; the first ``channels`` filters hand their channel through."""
    layer = nn.Conv2d(channels, width, kernel_size=3, padding=1, bias=False)
    with torch.no_grad():
        # As nn.init.dirac_ does it, which writes weight after weight.
        passed = torch.arange(min(channels, width))
        layer.weight[:channels] = 0
        layer.weight[passed, passed, 1, 1] = 1
    return layer


def _normalized(width: int) -> list[nn.Module]:
    return [nn.BatchNorm2d(width, momentum=_STATISTICS_MOMENTUM), nn.SiLU(inplace=True)]


@dataclass(frozen=True)
class FastCnn:
    """Our own small network; with widths 64, 256, 256 about airbench94's.

    Deviations from airbench94: SiLU instead of GELU, BatchNorm's factors are trained (which may be switched
    off), the dense layer has a bias. The whitening filters are computed (288 fixed numbers), their biases are
    trained.
    """

    widths: tuple[int, int, int] = (32, 128, 256)
    logit_scale: float = 1 / 9
    learned_factors: bool = True
    """Whether BatchNorm's factors are trained, at the rate of biases; else they stay 1, as in airbench94."""

    def __post_init__(self) -> None:
        if min(self.widths) < 1:
            raise UserError(f"FastCnn: every width must be at least 1, found {self.widths}")
        if not (self.logit_scale > 0 and math.isfinite(self.logit_scale)):
            raise UserError(f"FastCnn: logit_scale must be finite and above 0, found {self.logit_scale}")

    def build(self, classes: int, image_size: int) -> nn.Module:
        """The network for ``classes`` outputs and square images of ``image_size`` pixels."""
        if image_size < 9:
            raise UserError(f"FastCnn takes images from 9 pixels, not {image_size} pixels")
        network = FastCnnNetwork(self.widths, self.logit_scale, classes)
        for layer in network.modules():
            if isinstance(layer, nn.BatchNorm2d):
                layer.weight.requires_grad_(self.learned_factors)
        return network
