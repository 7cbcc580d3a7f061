"""CBAM: attention over channels, then over places (Woo et al. 2018, 1807.06521)."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from cifarlab.errors import UserError


class ChannelAttention(nn.Module):
    """Each channel times a weight in 0 … 1 (section 3.1).

    The weight is the sigmoid of the sum of what one two-layer perceptron, without biases, makes of the
    channels' averages and of their maxima.

    Args:
        channels: of the input.
        hidden: width of the perceptron's first layer.
    """

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.perceptron = nn.Sequential(
            nn.Conv2d(channels, hidden, kernel_size=1, bias=False),
            nn.ReLU(),
            nn.Conv2d(hidden, channels, kernel_size=1, bias=False),
        )

    def weights(self, features: Tensor) -> Tensor:
        """``[N, C, H, W]`` to ``[N, C, 1, 1]``."""
        average = features.mean((2, 3), keepdim=True)
        maximum = features.amax((2, 3), keepdim=True)
        return (self.perceptron(average) + self.perceptron(maximum)).sigmoid()  # type: ignore[no-any-return]

    def forward(self, features: Tensor) -> Tensor:
        """``[N, C, H, W]`` to the same shape."""
        return features * self.weights(features)


class SpatialAttention(nn.Module):
    """Each place times a weight in 0 … 1 (section 3.1).

    The weight is the sigmoid of a convolution, without bias, over the average and the maximum of the
    channels, in this order.

    Args:
        kernel: side of the convolution, odd.
    """

    def __init__(self, kernel: int) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(2, 1, kernel_size=kernel, padding=kernel // 2, bias=False)

    def weights(self, features: Tensor) -> Tensor:
        """``[N, C, H, W]`` to ``[N, 1, H, W]``."""
        maps = torch.cat([features.mean(1, keepdim=True), features.amax(1, keepdim=True)], dim=1)
        return self.convolution(maps).sigmoid()  # type: ignore[no-any-return]

    def forward(self, features: Tensor) -> Tensor:
        """``[N, C, H, W]`` to the same shape."""
        return features * self.weights(features)


@dataclass(frozen=True)
class Cbam:
    """Channel attention, then spatial attention, as in report 004, figures 8 and 9.

    Woo et al. prefer a spatial kernel of 7; the report's maps are small, and it takes 3.
    """

    ratio: int = 16
    """The perceptron is narrower than the channels by this factor, rounded down."""
    kernel: int = 3
    """Side of the spatial convolution, odd."""

    def __post_init__(self) -> None:
        if self.ratio < 1:
            raise UserError(f"Cbam: ratio must be at least 1, found {self.ratio}")
        if self.kernel < 1 or self.kernel % 2 == 0:
            raise UserError(f"Cbam: kernel must be odd, such as 3 or 7, found {self.kernel}")

    def build(self, channels: int) -> nn.Module:
        """The two modules for maps ``[N, channels, H, W]``.

        Raises:
            UserError: ratio is larger than ``channels``.
        """
        if self.ratio > channels:
            raise UserError(
                f"Cbam: ratio must not be larger than the channels it reduces, {channels}, found {self.ratio}"
            )
        return nn.Sequential(
            ChannelAttention(channels, channels // self.ratio), SpatialAttention(self.kernel)
        )
