"""Our batched augmentation against one Pillow picture at a time, in turn, as a ratio.

    OMP_NUM_THREADS=1 python -m benchmarks.augment [--out FILE] [--rounds 5] [--images 1024]

Ours: the draws of an epoch, then batch after batch on the CPU. Pillow's way, as training scripts do it: array
to picture, operations, array, tensor, and the stack of a batch; its random numbers are ready beforehand, so
the ratio is a low one. Where torchvision can be imported, its transforms on the same pictures are timed too.
"""

import argparse
import importlib
import json
import math
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageEnhance, ImageOps
from torch import Tensor

from cifarlab.augment import (
    Augmentation,
    AutoAugment,
    Cutout,
    GaussianNoise,
    HorizontalFlip,
    RandAugment,
    RandomAffine,
    RandomCrop,
    RandomErasing,
    Rotation,
    RotationTable,
    Translate,
    TrivialAugment,
    VerticalFlip,
    Zoom,
    apply_all,
    draw_epoch,
)
from cifarlab.augment.operations import Operation
from cifarlab.augment.pixels import Color
from cifarlab.runtime import hardware, versions

Picture = Image.Image
OnPicture = Callable[[Picture, Any], Picture]
AFFINE, NEAREST = Image.Transform.AFFINE, Image.Resampling.NEAREST

OPERATIONS: dict[int, Callable[[Picture, float, Color], Picture]] = {
    Operation.IDENTITY: lambda picture, _, fill: picture,
    Operation.SHEAR_X: lambda picture, how, fill: affine(picture, (1, how, 0, 0, 1, 0), fill),
    Operation.SHEAR_Y: lambda picture, how, fill: affine(picture, (1, 0, 0, how, 1, 0), fill),
    Operation.TRANSLATE_X: lambda picture, how, fill: affine(picture, (1, 0, -int(32 * how), 0, 1, 0), fill),
    Operation.TRANSLATE_Y: lambda picture, how, fill: affine(picture, (1, 0, 0, 0, 1, -int(32 * how)), fill),
    Operation.ROTATE: lambda picture, how, fill: picture.rotate(how, NEAREST, fillcolor=fill),
    Operation.COLOR: lambda picture, how, _: ImageEnhance.Color(picture).enhance(1 + how),
    Operation.SHARPNESS: lambda picture, how, _: ImageEnhance.Sharpness(picture).enhance(1 + how),
    Operation.BRIGHTNESS: lambda picture, how, _: ImageEnhance.Brightness(picture).enhance(1 + how),
    Operation.CONTRAST: lambda picture, how, _: ImageEnhance.Contrast(picture).enhance(1 + how),
    Operation.POSTERIZE: lambda picture, how, _: ImageOps.posterize(picture, int(how)),
    Operation.SOLARIZE: lambda picture, how, _: ImageOps.solarize(picture, int(how)),
    Operation.INVERT: lambda picture, _, fill: ImageOps.invert(picture),
    Operation.AUTO_CONTRAST: lambda picture, _, fill: ImageOps.autocontrast(picture),
    Operation.EQUALIZE: lambda picture, _, fill: ImageOps.equalize(picture),
}


def affine(picture: Picture, matrix: tuple[float, ...], fill: Color = (0, 0, 0)) -> Picture:
    """The picture warped by nearest neighbor."""
    return picture.transform(picture.size, AFFINE, matrix, NEAREST, fillcolor=fill)


def cropped(picture: Picture, corner: list[int]) -> Picture:
    """A window of the padded picture."""
    row, column = corner
    width, height = picture.size
    return ImageOps.expand(picture, border=4).crop((column, row, column + width, row + height))


def noisy(picture: Picture, _: Any) -> Picture:
    """Normal noise of variance 1 by numpy."""
    array = np.asarray(picture) + np.random.default_rng().normal(0, 1, (*picture.size[::-1], 3))
    return Image.fromarray(np.rint(array).clip(0, 255).astype(np.uint8))


def erased(picture: Picture, draws: list[float]) -> Picture:
    """Random Erasing by numpy: the first of the drawn rectangles that fits."""
    if draws[0]:
        pixels = np.array(picture)
        height, width = pixels.shape[:2]
        for area, aspect in zip(draws[4:14], draws[14:], strict=True):
            tall = round(math.sqrt(area * height * width * aspect))
            wide = round(math.sqrt(area * height * width / aspect))
            if tall < height and wide < width:
                top, left = int(draws[2] * (height - tall + 1)), int(draws[3] * (width - wide + 1))
                fill = np.random.default_rng().integers(0, 256, (tall, wide, 3), dtype=np.uint8)
                pixels[top : top + tall, left : left + wide] = fill
                return Image.fromarray(pixels)
    return picture


def with_hole(picture: Picture, centers: list[list[float]]) -> Picture:
    """Cutout of 16×16 pixels by numpy."""
    pixels = np.array(picture)
    row, column = (int(32 * share) for share in centers[0])
    pixels[max(row - 8, 0) : row + 8, max(column - 8, 0) : column + 8] = 0
    return Image.fromarray(pixels)


def zoomed(picture: Picture, factors: list[float]) -> Picture:
    """Stretched about the center."""
    down, across = factors
    return affine(picture, (across, 0, 16 - 16 * across, 0, down, 16 - 16 * down))


def moved(picture: Picture, draws: list[float]) -> Picture:
    """Turned, shifted and stretched in one bilinear warp."""
    degrees, below, right, down, across = draws
    cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    a, b, d, e = cosine * across, -sine * down, sine * across, cosine * down
    matrix = (a, b, 16 - 16 * (a + b) - 32 * right, d, e, 16 - 16 * (d + e) - 32 * below)
    return picture.transform(picture.size, AFFINE, matrix, Image.Resampling.BILINEAR)


def by_policy(fill: Color) -> OnPicture:
    """The operations of a policy's draws in turn."""

    def change(picture: Picture, draws: list[list[float]]) -> Picture:
        for operation, how in draws:
            picture = OPERATIONS[int(operation)](picture, how, fill)
        return picture

    return change


Ours = tuple[Augmentation, ...]
CASES: dict[str, tuple[Ours, tuple[OnPicture, ...], str]] = {
    "crop": ((RandomCrop(),), (cropped,), "RandomCrop(32, padding=4)"),
    "horizontal flip": (
        (HorizontalFlip(),),
        (lambda p, flip: ImageOps.mirror(p) if flip else p,),
        "RandomHorizontalFlip()",
    ),
    "crop and flip": (
        (RandomCrop(), HorizontalFlip()),
        (cropped, lambda p, flip: ImageOps.mirror(p) if flip else p),
        "Compose([RandomCrop(32, padding=4), RandomHorizontalFlip()])",
    ),
    "vertical flip": (
        (VerticalFlip(),),
        (lambda p, flip: ImageOps.flip(p) if flip else p,),
        "RandomVerticalFlip()",
    ),
    "rotation": ((Rotation(),), (lambda p, how: p.rotate(how, NEAREST),), "RandomRotation(15)"),
    "rotation, bilinear": (
        (Rotation(interpolation="bilinear"),),
        (lambda p, how: p.rotate(how, Image.Resampling.BILINEAR),),
        "",
    ),
    "rotation table": (
        (RotationTable(),),
        (lambda p, how: p.rotate(how, Image.Resampling.BILINEAR) if how else p,),
        "",
    ),
    "translate": (
        (Translate(),),
        (lambda p, by: affine(p, (1, 0, -32 * by[1], 0, 1, -32 * by[0])),),
        "RandomAffine(0, translate=(0.1, 0.1))",
    ),
    "zoom": ((Zoom(),), (zoomed,), ""),
    "random affine": ((RandomAffine(),), (moved,), ""),
    "Gaussian noise": ((GaussianNoise(),), (noisy,), ""),
    "random erasing": ((RandomErasing(),), (erased,), ""),
    "cutout": ((Cutout(),), (with_hole,), ""),
    "AutoAugment": (
        (AutoAugment(),),
        (by_policy((128, 128, 128)),),
        "AutoAugment(AutoAugmentPolicy.CIFAR10, fill=(128, 128, 128))",
    ),
    "RandAugment": ((RandAugment(),), (by_policy((0, 0, 0)),), "RandAugment()"),
    "TrivialAugment": ((TrivialAugment(),), (by_policy((0, 0, 0)),), "TrivialAugmentWide()"),
}
"""Ours, the same on a picture, and torchvision's transform as its author would write it."""


def our_rate(images: Tensor, ours: Ours, batch_size: int, epoch: int) -> float:
    """Images per second of an epoch's draws and all its batches."""
    began = time.perf_counter()
    draws = draw_epoch(ours, len(images), 0, epoch)
    for rows in torch.arange(len(images)).split(batch_size):
        apply_all(ours, images[rows], [drawn[rows] for drawn in draws])
    return len(images) / (time.perf_counter() - began)


def picture_rate(arrays: list[Any], change: Callable[[Picture, int], Picture], batch_size: int) -> float:
    """Images per second picture by picture; ``change`` gets the picture and its number."""
    began = time.perf_counter()
    for start in range(0, len(arrays), batch_size):
        tensors = []
        for i in range(start, min(start + batch_size, len(arrays))):
            picture = change(Image.fromarray(arrays[i]), i)
            tensors.append(torch.from_numpy(np.array(picture)).permute(2, 0, 1))
        torch.stack(tensors)
    return len(arrays) / (time.perf_counter() - began)


def torchvision_transform(name: str) -> Any:
    """torchvision's transform, or None where it has none or cannot be imported."""
    try:
        transforms = importlib.import_module("torchvision.transforms")
    except (ImportError, RuntimeError):  # RuntimeError: built for another torch
        return None
    return eval(name, vars(transforms)) if name else None


def compare(name: str, batch_size: int, images: Tensor, rounds: int) -> dict[str, Any]:
    """Rates of all ways in turn, and our ratio to each, round by round."""
    ours, theirs, transform_name = CASES[name]
    arrays = list(images.permute(0, 2, 3, 1).contiguous().numpy())
    transform = torchvision_transform(transform_name)
    ways = ["ours", "pillow", *(["torchvision"] if transform else [])]
    rates: dict[str, list[float]] = {way: [] for way in ways}
    for turn in range(rounds + 1):
        draws = [drawn.tolist() for drawn in draw_epoch(ours, len(images), 0, turn)]

        def by_pillow(picture: Picture, i: int, draws: list[Any] = draws) -> Picture:
            for change, rows in zip(theirs, draws, strict=True):
                picture = change(picture, rows[i])
            return picture

        measured = {
            "ours": our_rate(images, ours, batch_size, turn),
            "pillow": picture_rate(arrays, by_pillow, batch_size),
        }
        if transform:
            measured["torchvision"] = picture_rate(arrays, lambda p, _: transform(p), batch_size)
        if turn > 0:  # the first round warms up
            for way, rate in measured.items():
                rates[way].append(rate)
    others = {way: each for way, each in rates.items() if way != "ours"}
    return {
        "augmentation": name,
        "batch_size": batch_size,
        "images_per_second": {way: round(statistics.median(each)) for way, each in rates.items()},
        "ratio": {
            f"to_{way}": spread([mine / other for mine, other in zip(rates["ours"], each, strict=True)])
            for way, each in others.items()
        },
    }


def spread(values: list[float]) -> dict[str, float]:
    """Minimum, median and maximum."""
    return {
        "min": round(min(values), 2),
        "median": round(statistics.median(values), 2),
        "max": round(max(values), 2),
    }


def main() -> None:
    """Measure, print, and write the record where one is asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, help="write the record as JSON")
    parser.add_argument("--rounds", type=int, default=5, help="counted rounds (default: 5)")
    parser.add_argument("--images", type=int, default=1024, help="images per round (default: 1024)")
    parser.add_argument("--batch-sizes", type=int, nargs="+", default=[128, 512])
    options = parser.parse_args()
    randomness = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (options.images, 3, 32, 32), dtype=torch.uint8, generator=randomness)
    record = {
        "command": "python -m benchmarks.augment " + " ".join(sys.argv[1:]),
        "data": "random pixels",
        "comparison": [
            compare(name, size, images, options.rounds) for name in CASES for size in options.batch_sizes
        ],
        "hardware": hardware(torch.device("cpu")),
        "versions": versions(),
    }
    text = json.dumps(record, indent=2)
    print(text)
    if options.out:
        options.out.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
