"""RandAugment (Cubuk et al. 2019, arXiv:1909.13719)."""

from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from cifarlab.augment.magnitudes import NARROW, WITHOUT_INVERT, drawn, signed, strengths
from cifarlab.augment.operations import operate
from cifarlab.augment.pixels import BLACK, Color, is_color
from cifarlab.errors import UserError


@dataclass(frozen=True)
class RandAugment:
    """Some operations of 14 in turn, all at one strength, as in torchvision (defaults, ranges, 31 bins)."""

    operations: int = 2
    """Per image; N in the paper."""
    magnitude: int = 9
    """The bin of every strength, 0 … 30; M in the paper."""
    fill: Color = BLACK
    """What moving brings in."""

    def __post_init__(self) -> None:
        if not 0 <= self.operations <= 12:
            raise UserError(f"RandAugment: operations must lie in 0 … 12, found {self.operations}")
        if not 0 <= self.magnitude <= 30:
            raise UserError(f"RandAugment: magnitude must lie in 0 … 30, found {self.magnitude}")
        if not is_color(self.fill):
            raise UserError(f"RandAugment: fill must be three values in 0 … 255, found {self.fill}")

    def draw(self, count: int, randomness: Generator) -> Tensor:
        """Operations and strengths, float32 ``[count, operations, 2]``."""
        number = torch.randint(len(WITHOUT_INVERT), (count, self.operations), generator=randomness)
        chosen = torch.tensor(WITHOUT_INVERT)[number]
        magnitudes = strengths(NARROW, bins=31)[chosen, self.magnitude]
        return drawn(chosen, signed(chosen, magnitudes, randomness))

    def apply(self, images: Tensor, draws: Tensor) -> Tensor:
        """All operations in turn."""
        for operations, magnitudes in (place.unbind(1) for place in draws.unbind(1)):
            images = operate(images, operations, magnitudes, self.fill)
        return images
