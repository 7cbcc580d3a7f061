"""The attention module of Residual Attention Networks, as reports 000 and 001 build it.

Source: Wang 2017, "Residual Attention Network for Image Classification" (arXiv 1704.06904).
"""

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor, nn


class SoftMask(nn.Module):
    """What to look at: a value in 0 … 1 for every position and channel.

    Down ``depth`` times (max-pool 2, a unit) and up again as often (a unit, up-sampling ×2). After each step
    down but the last, a joining unit hands its output to the step up that starts from the same size.

    Its output is the mask M itself, so a forward hook on this module sees M, for instance to draw it.

    Args:
        unit: makes one residual unit that keeps channels and size.
        depth: steps down, at least 1; there are ``depth − 1`` joining units.
        upsampling: how a step up doubles the size.
        tail: layers between the last step up and the sigmoid.
    """

    def __init__(
        self,
        unit: Callable[[], nn.Module],
        depth: int,
        upsampling: Literal["bilinear", "nearest"],
        tail: nn.Module,
    ) -> None:
        super().__init__()
        self.down = nn.ModuleList(nn.Sequential(nn.MaxPool2d(2), unit()) for _ in range(depth))
        self.joining = nn.ModuleList(unit() for _ in range(depth - 1))
        self.up = nn.ModuleList(
            nn.Sequential(unit(), nn.Upsample(scale_factor=2, mode=upsampling)) for _ in range(depth)
        )
        self.tail = tail

    def forward(self, features: Tensor) -> Tensor:
        """``[N, C, H, W]`` to M of the same shape; H and W are multiples of 2 to the power ``depth``."""
        *all_but_last, last = self.down
        joined = []
        for down, joining in zip(all_but_last, self.joining, strict=True):
            features = down(features)
            joined.append(joining(features))
        first, *others = self.up
        features = first(last(features))
        for up in others:
            features = up(features + joined.pop())
        return torch.sigmoid(self.tail(features))


class AttentionModule(nn.Module):
    """``after((1 + M) · T)`` with T = ``trunk(y)``, M = ``mask(y)`` and y = ``before(x)``.

    The 1 keeps what the trunk has found where the mask is near 0.

    Args:
        before: the unit in front of both branches.
        trunk: the branch that computes features.
        mask: the branch that weighs them, to the same shape.
        after: the unit behind.
    """

    def __init__(self, before: nn.Module, trunk: nn.Module, mask: nn.Module, after: nn.Module) -> None:
        super().__init__()
        self.before = before
        self.trunk = trunk
        self.mask = mask
        self.after = after

    def forward(self, features: Tensor) -> Tensor:
        """``[N, C, H, W]`` to the same shape."""
        features = self.before(features)
        return self.after((1 + self.mask(features)) * self.trunk(features))  # type: ignore[no-any-return]
