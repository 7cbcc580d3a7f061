"""The residual units of reports 000 and 001, and the two blocks that report 000 compares them with.

A unit adds a shortcut to a residual path. The paths are functions that return plain sequences of layers; a
network chooses the path, the number of middle channels and the shortcut.
"""

from torch import Tensor, nn


class ResidualUnit(nn.Module):
    """``activation(residual(x) + shortcut(x))``.

    Args:
        residual: the path with the weights, ``[N, C, H, W]`` to ``[N, O, H/s, W/s]``.
        shortcut: the way around it, to the same shape.
        activation: what follows the addition; none in a pre-activation unit.
    """

    def __init__(self, residual: nn.Module, shortcut: nn.Module, activation: nn.Module | None = None) -> None:
        super().__init__()
        self.residual = residual
        self.shortcut = shortcut
        self.activation = nn.Identity() if activation is None else activation

    def forward(self, features: Tensor) -> Tensor:
        """``[N, C, H, W]`` to ``[N, O, H/s, W/s]``, s the stride of both ways."""
        return self.activation(self.residual(features) + self.shortcut(features))  # type: ignore[no-any-return]


def batch_norm_relu(channels: int) -> nn.Sequential:
    """BatchNorm and ReLU."""
    return nn.Sequential(nn.BatchNorm2d(channels), nn.ReLU(inplace=True))


def preactivation_bottleneck(channels: int, middle: int, outputs: int, stride: int) -> nn.Sequential:
    """BN-ReLU-1×1, BN-ReLU-3×3, BN-ReLU-1×1 (He 2016, "Identity Mappings in Deep Residual Networks").

    Report 000's Fig. 1(c). Every convolution has a bias, Keras' default; the 3×3 carries the stride.
    """
    return nn.Sequential(
        *batch_norm_relu(channels),
        nn.Conv2d(channels, middle, kernel_size=1),
        *batch_norm_relu(middle),
        nn.Conv2d(middle, middle, kernel_size=3, stride=stride, padding=1),
        *batch_norm_relu(middle),
        nn.Conv2d(middle, outputs, kernel_size=1),
    )


def bottleneck(channels: int, middle: int, outputs: int, stride: int) -> nn.Sequential:
    """1×1-BN-ReLU, 3×3-BN-ReLU, 1×1-BN; ReLU follows the addition (He 2015; report 000's Fig. 1(b)).

    No biases: BatchNorm behind each convolution would take them away again.
    """
    return nn.Sequential(
        nn.Conv2d(channels, middle, kernel_size=1, bias=False),
        *batch_norm_relu(middle),
        nn.Conv2d(middle, middle, kernel_size=3, stride=stride, padding=1, bias=False),
        *batch_norm_relu(middle),
        nn.Conv2d(middle, outputs, kernel_size=1, bias=False),
        nn.BatchNorm2d(outputs),
    )


def basic(channels: int, outputs: int, stride: int) -> nn.Sequential:
    """3×3-BN-ReLU, 3×3-BN; ReLU follows the addition (He 2015; report 000's Fig. 1(a)). No biases."""
    return nn.Sequential(
        nn.Conv2d(channels, outputs, kernel_size=3, stride=stride, padding=1, bias=False),
        *batch_norm_relu(outputs),
        nn.Conv2d(outputs, outputs, kernel_size=3, padding=1, bias=False),
        nn.BatchNorm2d(outputs),
    )
