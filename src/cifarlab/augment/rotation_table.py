"""Report 004's rotation: one of a few angles, each with its probability."""

import math
from dataclasses import dataclass
from itertools import accumulate
from typing import Literal

import torch
from torch import Generator, Tensor

from cifarlab.augment.affine import Interpolation
from cifarlab.augment.pixels import change_chosen
from cifarlab.augment.warps import rotate
from cifarlab.errors import UserError


@dataclass(frozen=True)
class RotationTable:
    """A rotation by one of ``angles`` (report 004, section 2.2 and table 1); corners are black.

    The defaults are model 2's. Models 3 and 4 take (0.89, 0.03, 0.03, 0.02, 0.02, 0.01, 0.01), which sum to
    1.01. The report's code compares one uniform number with sums of probabilities and gives the last angle
    what is left, so as published 270° never comes.
    """

    angles: tuple[float, ...] = (0.0, 30.0, 330.0, 60.0, 300.0, 90.0, 270.0)
    """Degrees, counter-clockwise."""
    probabilities: tuple[float, ...] = (0.7, 0.08, 0.08, 0.05, 0.05, 0.02, 0.02)
    """One per angle."""
    reading: Literal["as-published", "normalized"] = "as-published"
    """As published the last angle gets what the others leave; normalized, all are divided by their sum."""
    interpolation: Interpolation = "bilinear"
    """Bilinear in the report."""

    def __post_init__(self) -> None:
        if not self.angles or len(self.angles) != len(self.probabilities):
            raise UserError(
                f"RotationTable: give one probability per angle, "
                f"found {len(self.angles)} angles and {len(self.probabilities)} probabilities"
            )
        if not all(math.isfinite(angle) for angle in self.angles):
            raise UserError(f"RotationTable: every angle must be finite, found {self.angles}")
        if not all(0 <= p <= 1 for p in self.probabilities) or sum(self.probabilities) == 0:
            raise UserError(
                f"RotationTable: probabilities must lie in 0 … 1, not all 0, found {self.probabilities}"
            )

    def limits(self) -> list[float]:
        """Below which uniform number each angle but the last is taken, in order."""
        total = math.fsum(self.probabilities) if self.reading == "normalized" else 1.0
        # Rounded, so that decimals that sum to 1 on paper do so here.
        return [round(limit / total, 12) for limit in accumulate(self.probabilities[:-1])]

    def draw(self, count: int, randomness: Generator) -> Tensor:
        """Angles in degrees, float32 ``[count]``."""
        uniform = torch.rand(count, generator=randomness, dtype=torch.float64)
        limits = torch.tensor(self.limits(), dtype=torch.float64)
        return torch.tensor(self.angles)[torch.bucketize(uniform, limits, right=True)]

    def apply(self, images: Tensor, draws: Tensor) -> Tensor:
        """The images turned by the drawn angles; those turned by 0° stay as they are."""
        return change_chosen(draws != 0, images, self._turned, images, draws)

    def _turned(self, images: Tensor, degrees: Tensor) -> Tensor:
        return rotate(images, degrees, "black", self.interpolation)
