"""Heads that turn a network's last map into one vector: an average, or a look at several scales first."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cifarlab.errors import UserError


def global_average(features: Tensor) -> Tensor:
    """``[N, C, H, W]`` to ``[N, C]``."""
    return features.mean((2, 3))


class AveragePooling(nn.Module):
    """``global_average`` as a module."""

    def forward(self, features: Tensor) -> Tensor:
        """``[N, C, H, W]`` to ``[N, C]``."""
        return global_average(features)


class AtrousPyramid(nn.Module):
    """One image-wide, one 1×1 and several dilated 3×3 views of a map, joined by a 1×1 convolution.

    Every convolution has a bias and a ReLU, without which the head would be a linear map.

    Args:
        channels: of the input.
        width: of every view and of the output.
        dilations: one 3×3 convolution each.
    """

    def __init__(self, channels: int, width: int, dilations: tuple[int, ...]) -> None:
        super().__init__()
        self.image = nn.Conv2d(channels, width, kernel_size=1)
        self.point = nn.Conv2d(channels, width, kernel_size=1)
        self.dilated = nn.ModuleList(
            nn.Conv2d(channels, width, kernel_size=3, padding=dilation, dilation=dilation)
            for dilation in dilations
        )
        self.projection = nn.Conv2d((2 + len(dilations)) * width, width, kernel_size=1)

    def forward(self, features: Tensor) -> Tensor:
        """``[N, channels, H, W]`` to ``[N, width]``."""
        image = self.image(features.mean((2, 3), keepdim=True)).expand(-1, -1, *features.shape[2:])
        views = [image, self.point(features), *[dilated(features) for dilated in self.dilated]]
        return global_average(F.relu(self.projection(F.relu(torch.cat(views, dim=1)))))


class PoolingPyramid(nn.Module):
    """Averages over grids of several sizes, brought back to the map's size, joined by a 1×1 convolution.

    Every convolution is without bias and followed by BatchNorm and ReLU. A grid is brought back by nearest
    neighbor, so each place has the value of its cell. Only the grids are joined, not the map itself.

    Args:
        channels: of the input and the output.
        width: of every grid.
        grids: cells along each side, one grid each.
    """

    def __init__(self, channels: int, width: int, grids: tuple[int, ...]) -> None:
        super().__init__()
        self.grids = grids
        self.reductions = nn.ModuleList(_normalized_1x1(channels, width) for _ in grids)
        self.projection = _normalized_1x1(len(grids) * width, channels)

    def forward(self, features: Tensor) -> Tensor:
        """``[N, channels, H, W]`` to ``[N, channels]``."""
        views = []
        for cells, reduction in zip(self.grids, self.reductions, strict=True):
            grid = reduction(F.adaptive_avg_pool2d(features, cells))
            views.append(F.interpolate(grid, size=features.shape[2:], mode="nearest"))
        return global_average(self.projection(torch.cat(views, dim=1)))


def _normalized_1x1(inputs: int, outputs: int) -> nn.Sequential:
    convolution = nn.Conv2d(inputs, outputs, kernel_size=1, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs), nn.ReLU())


@dataclass(frozen=True)
class GlobalAverage:
    """The mean of each channel: He et al. 2015; report 002's "average pool 4" on its 4×4 maps."""

    def build(self, channels: int) -> nn.Module:
        """A module from ``[N, channels, H, W]`` to ``[N, features(channels)]``."""
        return AveragePooling()

    def features(self, channels: int) -> int:
        """Length of the vector that the head makes of ``channels``."""
        return channels


@dataclass(frozen=True)
class Aspp:
    """Atrous spatial pyramid pooling (Chen et al. 2017, 1706.05587, section 3.3), then the global average.

    Report 004 gives no layer list and has it "slightly changed" for small images; this is our reading.
    Dilations are smaller than the paper's 6, 12 and 18, which would reach beyond its 4×4 maps, there is no
    BatchNorm, and the up-sampled 1×1 map of the image-wide view is the same value everywhere.
    """

    width: int = 256
    """Channels of every view and of the output."""
    dilations: tuple[int, ...] = (1, 2, 3)

    def __post_init__(self) -> None:
        if self.width < 1:
            raise UserError(f"Aspp: width must be at least 1, found {self.width}")
        if not self.dilations or min(self.dilations) < 1:
            raise UserError(f"Aspp: dilations must be one or more numbers from 1, found {self.dilations}")

    def build(self, channels: int) -> nn.Module:
        """A module from ``[N, channels, H, W]`` to ``[N, features(channels)]``."""
        return AtrousPyramid(channels, self.width, self.dilations)

    def features(self, channels: int) -> int:
        """Length of the vector that the head makes of ``channels``."""
        return self.width


@dataclass(frozen=True)
class Spp:
    """Spatial pyramid pooling, then the global average: another reading of report 004.

    The report says that its ASPP "is more like SPP". The pyramid is that of He et al. 2014 (1406.4729), its
    use inside a network, with 1×1 convolutions, that of Zhao et al. 2017 (PSPNet, 1612.01105) except that
    the map itself is not joined to the grids, and that up-sampling is by nearest neighbor.
    """

    width: int = 128
    """Channels of every grid."""
    grids: tuple[int, ...] = (1, 2, 4)
    """Cells along each side."""

    def __post_init__(self) -> None:
        if self.width < 1:
            raise UserError(f"Spp: width must be at least 1, found {self.width}")
        if not self.grids or min(self.grids) < 1:
            raise UserError(f"Spp: grids must be one or more numbers from 1, found {self.grids}")

    def build(self, channels: int) -> nn.Module:
        """A module from ``[N, channels, H, W]`` to ``[N, features(channels)]``."""
        return PoolingPyramid(channels, self.width, self.grids)

    def features(self, channels: int) -> int:
        """Length of the vector that the head makes of ``channels``."""
        return channels


Head = GlobalAverage | Aspp | Spp
