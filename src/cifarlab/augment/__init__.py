"""Augmentation of batches on the device: pure functions, and the small configs that compose them."""

from torch import Tensor

from cifarlab.augment.auto_augment import AutoAugment
from cifarlab.augment.cutout import Cutout
from cifarlab.augment.erasing import RandomErasing
from cifarlab.augment.geometry import AlternatingFlip, HorizontalFlip, RandomCrop, VerticalFlip
from cifarlab.augment.mixing import CutMix, Mixing, Mixup, mixed_labels
from cifarlab.augment.noise import GaussianNoise
from cifarlab.augment.normalize import MeanImage, Normalization, Normalize
from cifarlab.augment.rand_augment import RandAugment
from cifarlab.augment.random_affine import RandomAffine
from cifarlab.augment.rotation_table import RotationTable
from cifarlab.augment.trivial_augment import TrivialAugment
from cifarlab.augment.warps import Rotation, Translate, Zoom
from cifarlab.runtime import generator

Augmentation = (
    RandomCrop
    | HorizontalFlip
    | AlternatingFlip
    | VerticalFlip
    | Rotation
    | RotationTable
    | Translate
    | Zoom
    | RandomAffine
    | GaussianNoise
    | RandomErasing
    | Cutout
    | AutoAugment
    | RandAugment
    | TrivialAugment
)
"""The union is the registry: a recipe holds a tuple of these, applied in order."""


def draw_epoch(augmentations: tuple[Augmentation, ...], count: int, seed: int, epoch: int) -> list[Tensor]:
    """The draws of one epoch: per augmentation a tensor whose row ``i`` belongs to training image ``i``."""
    return [
        _drawn(augmentation, count, seed, epoch, place) for place, augmentation in enumerate(augmentations)
    ]


def _drawn(augmentation: Augmentation, count: int, seed: int, epoch: int, place: int) -> Tensor:
    if isinstance(augmentation, AlternatingFlip):
        first = augmentation.draw(count, generator(seed, "augment", "first epoch", place))
        return ~first if epoch % 2 else first
    return augmentation.draw(count, generator(seed, "augment", epoch, place))


def apply_all(augmentations: tuple[Augmentation, ...], images: Tensor, draws: list[Tensor]) -> Tensor:
    """A batch ``[N, 3, H, W]`` with every augmentation applied in order; ``draws`` hold this batch's rows."""
    for augmentation, drawn in zip(augmentations, draws, strict=True):
        images = augmentation.apply(images, drawn)
    return images


__all__ = [
    "AlternatingFlip",
    "Augmentation",
    "AutoAugment",
    "CutMix",
    "Cutout",
    "GaussianNoise",
    "HorizontalFlip",
    "MeanImage",
    "Mixing",
    "Mixup",
    "Normalization",
    "Normalize",
    "RandAugment",
    "RandomAffine",
    "RandomCrop",
    "RandomErasing",
    "Rotation",
    "RotationTable",
    "Translate",
    "TrivialAugment",
    "VerticalFlip",
    "Zoom",
    "apply_all",
    "draw_epoch",
    "mixed_labels",
]
