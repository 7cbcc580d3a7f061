"""Test-time views: a network is asked about a picture, its mirror image and moved copies of both.

The mean of the answers is more often right than the first one, for a few forward passes more (Krizhevsky et
al. 2012, section 4.1). The views and their weights are those of airbench94's ``tta_level`` 1 and 2 (Jordan
2024).
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from cifarlab.errors import UserError

MOST_SHIFT = 8
"""In pixels."""


def moved(images: Tensor, shift: int) -> tuple[Tensor, Tensor]:
    """The images moved by ``shift`` pixels up and to the left, and down and to the right.

    What comes in at the border is the image reflected there.

    Args:
        images: float ``[N, C, S, S]``.
        shift: from 1 to S − 1.
    """
    size = images.shape[-1]
    padded = F.pad(images, (shift, shift, shift, shift), mode="reflect")
    return padded[..., 2 * shift :, 2 * shift :], padded[..., :size, :size]


@dataclass(frozen=True)
class TestTimeViews:
    """Judge the picture together with its mirror image and, where ``shift`` is above 0, moved copies of both.

    The picture and its mirror image weigh as much as the four moved ones together. All final judgements are
    made so: at a run's end, by ``evaluate``, ``predict``, ``serve`` and exported graphs. A training's epochs
    are judged without, which saves their time.
    """

    __test__ = False  # pytest takes a class of this name for a test

    shift: int = 1
    """Pixels to which two copies are moved; 0 leaves them out."""
    unsure: float = 1.0
    """Ask again only where the first answer's highest probability lies below this; 1 asks for all."""

    def __post_init__(self) -> None:
        if not 0 <= self.shift <= MOST_SHIFT:
            raise UserError(f"TestTimeViews: shift must lie in 0 … {MOST_SHIFT} pixels, found {self.shift}")
        if not 0 < self.unsure <= 1:
            raise UserError(f"TestTimeViews: unsure must lie in 0 … 1, above 0, found {self.unsure}")

    def asks_again(self, first: Tensor) -> Tensor:
        """Which pictures have more than one view, bool ``[N]``, by their first logits ``[N, K]``."""
        highest = first.softmax(1).amax(1)
        return torch.ones_like(highest, dtype=torch.bool) if self.unsure == 1 else highest < self.unsure

    def average(self, first: Tensor, network: Callable[[Tensor], Tensor], images: Tensor) -> Tensor:
        """The mean of the logits of all views, float32 ``[N, K]``.

        Args:
            first: what ``network`` says of the images as they are, float32 ``[N, K]``.
            network: in evaluation mode, images to logits.
            images: normalized, float ``[N, 3, S, S]``.
        """
        mirrored = network(images.flip(3)).float()
        if self.shift == 0:
            return (first + mirrored) / 2
        copies = [view for each in moved(images, self.shift) for view in (each, each.flip(3))]
        total = sum((network(view).float() for view in copies), torch.zeros_like(first))
        return (first + mirrored) / 4 + total / 8
