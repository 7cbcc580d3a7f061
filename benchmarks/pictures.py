"""A recipe's augmentation picture by picture, as the reports' authors have it.

torchvision's transforms where it can be imported and has the same, Pillow's calls otherwise. There random
numbers come from Python's ``random``, which is faster than torch's one at a time.
"""

import importlib
import math
import random
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from PIL import Image, ImageOps

from cifarlab.augment import (
    Augmentation,
    AutoAugment,
    Cutout,
    GaussianNoise,
    HorizontalFlip,
    RandomAffine,
    RandomCrop,
    RandomErasing,
    Rotation,
    RotationTable,
    Translate,
    TrivialAugment,
    VerticalFlip,
    Zoom,
)
from cifarlab.augment.erasing import TRIES

Picture = Image.Image
OnPicture = Callable[[Picture], Picture]
"""Can be pickled, for worker processes that are not forked."""


def transforms_for(augmentations: tuple[Augmentation, ...]) -> tuple[list[OnPicture], list[str]]:
    """What changes a picture, in order, and how it differs from the recipe, in words.

    What has no twin is left out, which can only make the author's loop faster.
    """
    torchvision = _torchvision_transforms()
    changes, differences = [], []
    for augmentation in augmentations:
        name = type(augmentation).__name__
        change = (torchvision and _of_torchvision(augmentation, torchvision)) or _of_pillow(augmentation)
        if change is None:
            differences.append(f"{name} is left out")
            continue
        if getattr(augmentation, "border", "black") == "edge":
            differences.append(f"{name} leaves black corners, which is less work than repeating edge pixels")
        changes.append(change)
    return changes, differences


def transform_library() -> str:
    """Which library the transforms are from."""
    return "Pillow" if _torchvision_transforms() is None else "torchvision, Pillow where it has no twin"


def _torchvision_transforms() -> Any:
    try:
        return importlib.import_module("torchvision.transforms")
    except (ImportError, RuntimeError):  # RuntimeError: built for another torch
        return None


def _of_torchvision(augmentation: Augmentation, transforms: Any) -> OnPicture | None:
    """torchvision's transform with the same settings, or None."""
    change: OnPicture | None = None
    match augmentation:
        case RandomCrop(padding=padding):
            change = transforms.RandomCrop(32, padding=padding)
        case HorizontalFlip(probability=probability):
            change = transforms.RandomHorizontalFlip(probability)
        case VerticalFlip(probability=probability):
            change = transforms.RandomVerticalFlip(probability)
        case Rotation(degrees=degrees, interpolation=interpolation):
            change = transforms.RandomRotation(degrees, transforms.InterpolationMode(interpolation))
        case Translate(fraction=fraction, interpolation=interpolation):
            mode = transforms.InterpolationMode(interpolation)
            change = transforms.RandomAffine(0, translate=(fraction, fraction), interpolation=mode)
        case AutoAugment():
            change = transforms.AutoAugment(transforms.AutoAugmentPolicy.CIFAR10)
        case TrivialAugment():
            change = transforms.TrivialAugmentWide()
    return change


def _of_pillow(augmentation: Augmentation) -> OnPicture | None:
    """The same by Pillow and numpy, or None."""
    change: OnPicture | None = None
    match augmentation:
        case RandomCrop(padding=padding):
            change = partial(_cropped, padding=padding)
        case HorizontalFlip(probability=probability):
            change = partial(_flipped, method=Image.Transpose.FLIP_LEFT_RIGHT, probability=probability)
        case VerticalFlip(probability=probability):
            change = partial(_flipped, method=Image.Transpose.FLIP_TOP_BOTTOM, probability=probability)
        case Rotation(degrees=degrees, interpolation=interpolation):
            change = partial(_rotated, degrees=degrees, resampling=_resampling(interpolation))
        case RotationTable(angles=angles, interpolation=interpolation):
            limits = [*augmentation.limits(), 1.0]
            resampling = _resampling(interpolation)
            change = partial(_turned, angles=angles, limits=limits, resampling=resampling)
        case Translate(fraction=fraction, interpolation=interpolation):
            change = partial(_shifted, fraction=fraction, resampling=_resampling(interpolation))
        case Zoom(fraction=fraction, interpolation=interpolation):
            change = partial(_zoomed, fraction=fraction, resampling=_resampling(interpolation))
        case RandomAffine(degrees=degrees, shift=shift, zoom=zoom, interpolation=interpolation):
            resampling = _resampling(interpolation)
            change = partial(_moved, degrees=degrees, shift=shift, zoom=zoom, resampling=resampling)
        case GaussianNoise():
            change = partial(_noisy, config=augmentation, randomness=np.random.default_rng())
        case RandomErasing():
            change = partial(_erased, config=augmentation, randomness=np.random.default_rng())
        case Cutout(size=size, holes=1):
            change = partial(_with_hole, size=size)
    return change


def _resampling(interpolation: str) -> Image.Resampling:
    return Image.Resampling.NEAREST if interpolation == "nearest" else Image.Resampling.BILINEAR


def _cropped(picture: Picture, padding: int) -> Picture:
    left, top = random.randint(0, 2 * padding), random.randint(0, 2 * padding)
    width, height = picture.size
    return ImageOps.expand(picture, border=padding).crop((left, top, left + width, top + height))


def _flipped(picture: Picture, method: Image.Transpose, probability: float) -> Picture:
    return picture.transpose(method) if random.random() < probability else picture


def _rotated(picture: Picture, degrees: float, resampling: Image.Resampling) -> Picture:
    return picture.rotate(random.uniform(-degrees, degrees), resampling)


def _turned(
    picture: Picture, angles: tuple[float, ...], limits: list[float], resampling: Image.Resampling
) -> Picture:
    uniform = random.random()
    angle = next(angle for angle, limit in zip(angles, limits, strict=True) if uniform < limit)
    return picture.rotate(angle, resampling) if angle else picture


def _shifted(picture: Picture, fraction: float, resampling: Image.Resampling) -> Picture:
    width, height = picture.size
    right, down = (random.uniform(-fraction, fraction) * length for length in (width, height))
    return _warped(picture, (1, 0, -right, 0, 1, -down), resampling)


def _zoomed(picture: Picture, fraction: float, resampling: Image.Resampling) -> Picture:
    x, y = (length / 2 for length in picture.size)
    across, down = (1 + random.uniform(-fraction, fraction) for _ in range(2))
    return _warped(picture, (across, 0, x - across * x, 0, down, y - down * y), resampling)


def _moved(
    picture: Picture, degrees: float, shift: float, zoom: float, resampling: Image.Resampling
) -> Picture:
    x, y = (length / 2 for length in picture.size)
    angle = math.radians(random.uniform(-degrees, degrees))
    across, down = (1 + random.uniform(-zoom, zoom) for _ in range(2))
    right, below = (random.uniform(-shift, shift) * length for length in picture.size)
    a, b = math.cos(angle) * across, -math.sin(angle) * down
    d, e = math.sin(angle) * across, math.cos(angle) * down
    matrix = (a, b, x - a * x - b * y - right, d, e, y - d * x - e * y - below)
    return _warped(picture, matrix, resampling)


def _warped(picture: Picture, matrix: tuple[float, ...], resampling: Image.Resampling) -> Picture:
    return picture.transform(picture.size, Image.Transform.AFFINE, matrix, resampling)


def _noisy(picture: Picture, config: GaussianNoise, randomness: np.random.Generator) -> Picture:
    pixels = np.asarray(picture)
    noise = randomness.standard_normal(pixels.shape, dtype=np.float32) * config.variance**0.5 + config.mean
    return Image.fromarray(np.rint(pixels + noise).clip(0, 255).astype(np.uint8))


def _erased(picture: Picture, config: RandomErasing, randomness: np.random.Generator) -> Picture:
    if random.random() >= config.probability:
        return picture
    width, height = picture.size
    for _ in range(TRIES):
        area = random.uniform(*config.area) * width * height
        aspect = random.uniform(config.aspect, 1 / config.aspect)
        tall, wide = round((area * aspect) ** 0.5), round((area / aspect) ** 0.5)
        if tall < height and wide < width:
            pixels = np.array(picture)
            top, left = random.randint(0, height - tall), random.randint(0, width - wide)
            noise = randomness.integers(0, 256, (tall, wide, 3), dtype=np.uint8)
            pixels[top : top + tall, left : left + wide] = noise
            return Image.fromarray(pixels)
    return picture


def _with_hole(picture: Picture, size: int) -> Picture:
    pixels = np.array(picture)
    row, column = (random.randrange(length) - size // 2 for length in pixels.shape[:2])
    pixels[max(row, 0) : row + size, max(column, 0) : column + size] = 0
    return Image.fromarray(pixels)
