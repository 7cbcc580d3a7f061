"""Augmentation of batches on the device: pure functions, and the small configs that compose them."""

from torch import Tensor

from cifarlab.augment.geometry import HorizontalFlip, RandomCrop, Rotation
from cifarlab.augment.normalize import Normalize
from cifarlab.runtime import generator

Augmentation = RandomCrop | HorizontalFlip | Rotation
"""The union is the registry: a recipe holds a tuple of these, applied in order."""


def draw_epoch(augmentations: tuple[Augmentation, ...], count: int, seed: int, epoch: int) -> list[Tensor]:
    """The draws of one epoch: per augmentation a tensor whose row ``i`` belongs to training image ``i``."""
    return [
        augmentation.draw(count, generator(seed, "augment", epoch, place))
        for place, augmentation in enumerate(augmentations)
    ]


def apply_all(augmentations: tuple[Augmentation, ...], images: Tensor, draws: list[Tensor]) -> Tensor:
    """A batch ``[N, 3, H, W]`` with every augmentation applied in order; ``draws`` hold this batch's rows."""
    for augmentation, drawn in zip(augmentations, draws, strict=True):
        images = augmentation.apply(images, drawn)
    return images


__all__ = [
    "Augmentation",
    "HorizontalFlip",
    "Normalize",
    "RandomCrop",
    "Rotation",
    "apply_all",
    "draw_epoch",
]
