"""Shake-Shake, the second network of report 003.

Source: Gastaldi 2017, "Shake-Shake regularization" (arXiv 1705.07485); the layers are those of the public
implementation that the report names, owruby/shake-shake_pytorch.
"""

from dataclasses import dataclass
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cifarlab.errors import UserError

Forward = Literal["shake", "even"]
Backward = Literal["shake", "even", "keep"]
Level = Literal["image", "batch"]


class _Mix(torch.autograd.Function):
    """The autograd function behind ``mix``. It keeps β for the backward pass, and no feature map."""

    generate_vmap_rule = True

    @staticmethod
    def forward(first: Tensor, second: Tensor, alpha: Tensor, beta: Tensor) -> Tensor:
        return torch.lerp(second, first, alpha)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor, Tensor, Tensor], output: Tensor) -> None:
        ctx.save_for_backward(inputs[3])

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, None, None]:
        (beta,) = ctx.saved_tensors
        share = beta * gradient
        return share, gradient - share, None, None


def mix(first: Tensor, second: Tensor, alpha: Tensor, beta: Tensor) -> Tensor:
    """``α · first + (1 − α) · second``, with the gradient of ``β · first + (1 − β) · second``.

    Args:
        first: ``[N, C, H, W]``.
        second: of the same shape and dtype; so is the result.
        alpha: coefficients in 0 … 1 that broadcast against ``first``, of any dtype. They get no gradient.
        beta: likewise.
    """
    mixed: Tensor = _Mix.apply(first, second, alpha.to(first.dtype), beta.to(first.dtype))
    return mixed


class Shake(nn.Module):
    """The mean of two branches in evaluation, in training a random mixture (Gastaldi 2017, section 2).

    Coefficients are uniform over 0 … 1, from torch's global generator on the branches' device. Those for the
    backward pass are drawn in the forward pass already: going backward uses no randomness.

    Args:
        forward_mode: ``shake`` draws the coefficient α of the forward pass, ``even`` takes 0.5.
        backward_mode: ``shake`` draws another for the gradient, ``even`` takes 0.5, ``keep`` takes α.
        level: one coefficient per ``image``, or one for the ``batch`` (that of one process).
    """

    def __init__(self, forward_mode: Forward, backward_mode: Backward, level: Level) -> None:
        super().__init__()
        self.forward_mode = forward_mode
        self.backward_mode = backward_mode
        self.level = level

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """Two tensors ``[N, C, H, W]`` to one."""
        if not self.training:
            return (first + second) / 2
        shape = (len(first) if self.level == "image" else 1, 1, 1, 1)
        even = torch.full(shape, 0.5, device=first.device)
        alpha = torch.rand(shape, device=first.device) if self.forward_mode == "shake" else even
        if self.backward_mode == "keep":
            return mix(first, second, alpha, alpha)
        beta = torch.rand(shape, device=first.device) if self.backward_mode == "shake" else even
        return mix(first, second, alpha, beta)


class TwoPathShortcut(nn.Module):
    """ReLU, then two paths to half the channels each, the second from one pixel further right and down.

    A path takes every ``stride``-th pixel and a 1×1 convolution without bias. Both are concatenated and
    normalized (Gastaldi 2017, section 2.1). Pixels from outside the map are 0.
    """

    def __init__(self, channels: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.stride = stride
        self.straight = nn.Conv2d(channels, outputs // 2, kernel_size=1, bias=False)
        self.shifted = nn.Conv2d(channels, outputs // 2, kernel_size=1, bias=False)
        self.norm = nn.BatchNorm2d(outputs)

    def forward(self, features: Tensor) -> Tensor:
        """``[N, C, H, W]`` to ``[N, O, H/stride, W/stride]``."""
        features = F.relu(features)
        moved = F.pad(features[:, :, 1:, 1:], (0, 1, 0, 1))
        paths = [
            self.straight(features[:, :, :: self.stride, :: self.stride]),
            self.shifted(moved[:, :, :: self.stride, :: self.stride]),
        ]
        return self.norm(torch.cat(paths, dim=1))  # type: ignore[no-any-return]


class ShakeBlock(nn.Module):
    """``shortcut(x) + shake(first(x), second(x))`` with two branches ReLU-3×3-BN-ReLU-3×3-BN."""

    def __init__(self, channels: int, outputs: int, stride: int, shake: Shake) -> None:
        super().__init__()
        self.first = _branch(channels, outputs, stride)
        self.second = _branch(channels, outputs, stride)
        self.shake = shake
        self.shortcut = nn.Identity() if channels == outputs else TwoPathShortcut(channels, outputs, stride)

    def forward(self, features: Tensor) -> Tensor:
        """``[N, C, H, W]`` to ``[N, O, H/stride, W/stride]``."""
        mixed = self.shake(self.first(features), self.second(features))
        return self.shortcut(features) + mixed  # type: ignore[no-any-return]


def _branch(channels: int, outputs: int, stride: int) -> nn.Sequential:
    return nn.Sequential(
        nn.ReLU(),  # not in place: the other branch and the shortcut read the same input
        nn.Conv2d(channels, outputs, kernel_size=3, stride=stride, padding=1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
        nn.Conv2d(outputs, outputs, kernel_size=3, padding=1, bias=False),
        nn.BatchNorm2d(outputs),
    )


class ShakeShakeNetwork(nn.Module):
    """A 3×3 convolution, three stages of blocks, ReLU, the global average, one dense layer.

    Args:
        width: channels of the first stage; the others have twice and four times as many.
        blocks: blocks per stage.
        forward_mode: see ``Shake``, as are the next two.
        backward_mode: how gradients are mixed.
        level: one coefficient per image or for the batch.
        classes: outputs.
    """

    def __init__(
        self,
        width: int,
        blocks: int,
        forward_mode: Forward,
        backward_mode: Backward,
        level: Level,
        classes: int,
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Conv2d(3, 16, kernel_size=3, padding=1)]
        channels = 16
        for stage in range(3):
            outputs = width * 2**stage
            for block in range(blocks):
                stride = 2 if stage > 0 and block == 0 else 1
                shake = Shake(forward_mode, backward_mode, level)
                layers.append(ShakeBlock(channels, outputs, stride, shake))
                channels = outputs
        self.features = nn.Sequential(*layers, nn.ReLU(inplace=True))
        self.classifier = nn.Linear(channels, classes)

    def forward(self, images: Tensor) -> Tensor:
        """Normalized float images ``[N, 3, H, W]`` to logits ``[N, classes]``."""
        return self.classifier(self.features(images).mean((2, 3)))  # type: ignore[no-any-return]


@dataclass(frozen=True)
class ShakeShake:
    """Shake-Shake ``depth`` 2×``width``d: 26 2×64d has 11,653,962 parameters, report 003's network.

    26 2×32d has 2,923,146 and 26 2×96d 26,192,906; the defaults are "Shake-Shake-Image". Deviation from the
    public code: torch's initial weights.
    """

    width: int = 64
    """Channels of the first stage."""
    depth: int = 26
    """Layers on the way through: the first convolution, six per block of each stage, the dense layer."""
    forward: Forward = "shake"
    """The mixture of the two branches in training: random, or even."""
    backward: Backward = "shake"
    """The mixture of their gradients: random once more, even, or the one of the forward pass."""
    level: Level = "image"
    """A random coefficient for each image, or one for the whole batch."""

    def __post_init__(self) -> None:
        if self.width < 2 or self.width % 2:
            raise UserError(f"ShakeShake: width must be an even number, from 2, found {self.width}")
        if self.depth < 8 or self.depth % 6 != 2:
            raise UserError(f"ShakeShake: depth must be 8, 14, 20, 26 and so on, found {self.depth}")
        for name, kind in (("forward", Forward), ("backward", Backward), ("level", Level)):
            if getattr(self, name) not in get_args(kind):
                names = ", ".join(get_args(kind))
                raise UserError(f"ShakeShake: {name} must be one of {names}, found {getattr(self, name)}")

    def build(self, classes: int, image_size: int) -> nn.Module:
        """The network for ``classes`` outputs and square images of ``image_size`` pixels."""
        if image_size < 4 or image_size % 4:
            raise UserError(f"ShakeShake takes images whose size is a multiple of 4, not {image_size} pixels")
        return ShakeShakeNetwork(
            self.width, (self.depth - 2) // 6, self.forward, self.backward, self.level, classes
        )
