"""Pictures with structure at all scales, and near-duplicates that are planted among them."""

import io
from collections.abc import Callable

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from cifarlab.data.pictures import Preparation
from cifarlab.data.split import Source, Split, source_of

Transform = Callable[[Tensor], Tensor]


def pictures(count: int, seed: int, size: int = 32) -> Tensor:
    """uint8 ``[N, 3, S, S]``: sums of noise at several scales, as rich in low frequencies as photographs."""
    random = torch.Generator().manual_seed(seed)
    total = torch.zeros(count, 3, size, size)
    for cells in (3, 5, 9, 17):
        gray = torch.randn(count, 1, cells, cells, generator=random)
        color = 0.5 * torch.randn(count, 3, cells, cells, generator=random)
        total += (
            60 * F.interpolate(gray + color, (size, size), mode="bicubic", align_corners=True) / cells**0.6
        )
    return (total + 128).clamp(0, 255).to(torch.uint8)


def shifted(down: int, right: int) -> Transform:
    """Content moved by some pixels; what comes in at the border mirrors the picture."""
    return lambda images: F.pad(images.float(), (4, 4, 4, 4), mode="reflect")[
        ..., 4 + down : 36 + down, 4 + right : 36 + right
    ].to(torch.uint8)


def brighter(images: Tensor) -> Tensor:
    return (images.float() * 0.8 + 40).clamp(0, 255).to(torch.uint8)


def one_by_one(change: Callable[[Image.Image], Image.Image]) -> Transform:
    """A Pillow operation on every picture of a batch."""

    def apply(images: Tensor) -> Tensor:
        made = [np.asarray(change(Image.fromarray(image.permute(1, 2, 0).numpy()))) for image in images]
        return torch.from_numpy(np.stack(made)).permute(0, 3, 1, 2).contiguous()

    return apply


def compressed(image: Image.Image) -> Image.Image:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=50)
    return Image.open(buffer)


def resampled(image: Image.Image) -> Image.Image:
    return image.resize((24, 24), Image.Resampling.LANCZOS).resize((32, 32), Image.Resampling.LANCZOS)


def cropped(image: Image.Image) -> Image.Image:
    return image.crop((2, 2, 30, 30)).resize((32, 32), Image.Resampling.LANCZOS)


TRANSFORMS: dict[str, Transform] = {
    "shift": shifted(2, -1),
    "far shift": shifted(-3, 3),
    "brightness": brighter,
    "compression": one_by_one(compressed),
    "resampling": one_by_one(resampled),
    "crop": one_by_one(cropped),
    "mirror": lambda images: shifted(1, 1)(images.flip(3)),
}


def source_with(train: Tensor, test: Tensor, labels: Tensor | None = None) -> Source:
    """A data set of two classes, by turns, or with the given training labels."""
    names = ("even", "odd")
    labels = torch.arange(len(train)) % 2 if labels is None else labels
    halves = Split(train, labels, names), Split(test, torch.arange(len(test)) % 2, names)
    return source_of("planted", *halves, "given", Preparation(size=train.shape[-1]))
