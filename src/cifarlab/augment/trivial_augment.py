"""TrivialAugment (Müller and Hutter 2021, arXiv:2103.10158) with the wide space."""

from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from cifarlab.augment.magnitudes import WIDE, WITHOUT_INVERT, drawn, signed, strengths
from cifarlab.augment.operations import operate
from cifarlab.augment.pixels import BLACK, Color, is_color
from cifarlab.errors import UserError


@dataclass(frozen=True)
class TrivialAugment:
    """One operation of 14 per image at a random one of 31 strengths, as in torchvision (TrivialAugmentWide).

    Translations reach the whole size, which is torchvision's 32 pixels on CIFAR.
    """

    fill: Color = BLACK
    """What moving brings in."""

    def __post_init__(self) -> None:
        if not is_color(self.fill):
            raise UserError(f"TrivialAugment: fill must be three values in 0 … 255, found {self.fill}")

    def draw(self, count: int, randomness: Generator) -> Tensor:
        """Operation and strength, float32 ``[count, 1, 2]``."""
        number = torch.randint(len(WITHOUT_INVERT), (count, 1), generator=randomness)
        chosen = torch.tensor(WITHOUT_INVERT)[number]
        place = torch.randint(31, (count, 1), generator=randomness)
        magnitudes = strengths(WIDE, bins=31)[chosen, place]
        return drawn(chosen, signed(chosen, magnitudes, randomness))

    def apply(self, images: Tensor, draws: Tensor) -> Tensor:
        """The drawn operation."""
        operations, magnitudes = draws[:, 0].unbind(1)
        return operate(images, operations, magnitudes, self.fill)
