"""AutoAugment's policy for CIFAR-10 (Cubuk et al. 2018, arXiv:1805.09501, appendix, table 7)."""

from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from cifarlab.augment.magnitudes import NARROW, drawn, signed, strengths
from cifarlab.augment.operations import Operation, operate
from cifarlab.augment.pixels import Color, is_color
from cifarlab.errors import UserError

# One sub-policy per line: operation, probability and bin (0 … 9), twice.
CIFAR10_POLICY = """
    INVERT         0.1  7    CONTRAST       0.2  6
    ROTATE         0.7  2    TRANSLATE_X    0.3  9
    SHARPNESS      0.8  1    SHARPNESS      0.9  3
    SHEAR_Y        0.5  8    TRANSLATE_Y    0.7  9
    AUTO_CONTRAST  0.5  8    EQUALIZE       0.9  2
    SHEAR_Y        0.2  7    POSTERIZE      0.3  7
    COLOR          0.4  3    BRIGHTNESS     0.6  7
    SHARPNESS      0.3  9    BRIGHTNESS     0.7  9
    EQUALIZE       0.6  5    EQUALIZE       0.5  1
    CONTRAST       0.6  7    SHARPNESS      0.6  5
    COLOR          0.7  7    TRANSLATE_X    0.5  8
    EQUALIZE       0.3  7    AUTO_CONTRAST  0.4  8
    TRANSLATE_Y    0.4  3    SHARPNESS      0.2  6
    BRIGHTNESS     0.9  6    COLOR          0.2  8
    SOLARIZE       0.5  2    INVERT         0.0  3
    EQUALIZE       0.2  0    AUTO_CONTRAST  0.6  0
    EQUALIZE       0.2  8    EQUALIZE       0.6  4
    COLOR          0.9  9    EQUALIZE       0.6  6
    AUTO_CONTRAST  0.8  4    SOLARIZE       0.2  8
    BRIGHTNESS     0.1  3    COLOR          0.7  0
    SOLARIZE       0.4  5    AUTO_CONTRAST  0.9  3
    TRANSLATE_Y    0.9  9    TRANSLATE_Y    0.7  9
    AUTO_CONTRAST  0.9  2    SOLARIZE       0.8  3
    EQUALIZE       0.8  8    INVERT         0.1  3
    TRANSLATE_Y    0.7  9    AUTO_CONTRAST  0.9  1
"""


def sub_policies() -> list[list[tuple[Operation, float, int]]]:
    """The 25 sub-policies, each two operations with their probability and bin."""
    rows = [line.split() for line in CIFAR10_POLICY.split("\n") if line]
    return [
        [(Operation[name], float(probability), int(place)) for name, probability, place in (row[:3], row[3:])]
        for row in rows
        if row
    ]


@dataclass(frozen=True)
class AutoAugment:
    """One of 25 sub-policies per image: two operations in turn, each with its own probability.

    Strengths are torchvision's, which are those of the code that report 003 used: the factors of color,
    contrast, brightness and sharpness are 1 ± the strength (the authors' own code goes from 0.1 to 1.9 in one
    direction), and translations reach 150/331 of the size (there: 10 pixels), in whole pixels.
    """

    fill: Color = (128, 128, 128)
    """What moving brings in: gray in the code that report 003 used, near the authors' mean color.
    torchvision: black."""

    def __post_init__(self) -> None:
        if not is_color(self.fill):
            raise UserError(f"AutoAugment: fill must be three values in 0 … 255, found {self.fill}")

    def draw(self, count: int, randomness: Generator) -> Tensor:
        """Operations and strengths, float32 ``[count, 2, 2]``."""
        table = sub_policies()
        operations = torch.tensor([[operation for operation, _, _ in pair] for pair in table])
        probabilities = torch.tensor([[probability for _, probability, _ in pair] for pair in table])
        places = torch.tensor([[place for _, _, place in pair] for pair in table])
        sub_policy = torch.randint(len(table), (count,), generator=randomness)
        applied = torch.rand(count, 2, generator=randomness) < probabilities[sub_policy]
        chosen = operations[sub_policy] * applied  # the identity is 0
        magnitudes = strengths(NARROW, bins=10)[chosen, places[sub_policy]]
        return drawn(chosen, signed(chosen, magnitudes, randomness))

    def apply(self, images: Tensor, draws: Tensor) -> Tensor:
        """Both operations in turn."""
        for operations, magnitudes in (place.unbind(1) for place in draws.unbind(1)):
            images = operate(images, operations, magnitudes, self.fill)
        return images
