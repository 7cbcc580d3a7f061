"""Images to try augmentations on, to and from Pillow, and the policies' operations in Pillow's own words."""

from collections.abc import Callable

import numpy as np
import torch
from PIL import Image, ImageEnhance, ImageOps
from torch import Tensor

from cifarlab.augment.operations import Operation
from cifarlab.augment.pixels import Color


def random_images(*shape: int, seed: int = 0) -> Tensor:
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(seed))


def structured_images(height: int = 32, width: int = 32) -> Tensor:
    """Flat, two-valued, few gray levels, gradients, narrow ranges, one odd pixel, gray: ``[K, 3, H, W]``."""
    randomness = torch.Generator().manual_seed(7)
    ramp = torch.linspace(0, 255, height * width).reshape(height, width)
    flat = [torch.full((3, height, width), float(value)) for value in (0, 1, 127, 128, 254, 255)]
    colors = [
        torch.tensor(color)[:, None, None].expand(3, height, width).float()
        for color in ((255, 0, 0), (0, 255, 0), (3, 200, 77))
    ]
    gradients = [
        torch.stack([ramp, ramp.flip(0), ramp.T.reshape(height, width)]),
        ramp.expand(3, -1, -1) / 2 + 60,
    ]
    levels = [
        torch.randint(0, count, (3, height, width), generator=randomness) * step + start
        for count, step, start in (
            (2, 255, 0),
            (2, 1, 100),
            (3, 7, 30),
            (5, 50, 20),
            (20, 3, 90),
            (254, 1, 1),
        )
    ]
    odd = torch.full((3, height, width), 90.0)
    odd[0, 0, 0], odd[1, height - 1, 0], odd[2, -1, -1] = 91, 0, 255
    skewed = (torch.rand(3, height, width, generator=randomness) ** 6 * 255).floor()
    gray = torch.randint(0, 256, (1, height, width), generator=randomness).expand(3, -1, -1)
    images = [*flat, *colors, *gradients, *levels, odd, skewed, gray]
    return torch.stack([image.float() for image in images]).to(torch.uint8)


def to_pillow(image: Tensor) -> Image.Image:
    return Image.fromarray(image.permute(1, 2, 0).contiguous().numpy())


def from_pillow(image: Image.Image) -> Tensor:
    return torch.from_numpy(np.asarray(image).copy()).permute(2, 0, 1)


def in_pillow(image: Image.Image, operation: Operation, strength: float, fill: Color) -> Image.Image:
    """One operation as torchvision's policies do it on a Pillow image."""
    width, height = image.size
    if operation <= Operation.TRANSLATE_Y:
        data = {
            Operation.IDENTITY: (1, 0, 0, 0, 1, 0),
            Operation.SHEAR_X: (1, strength, 0, 0, 1, 0),
            Operation.SHEAR_Y: (1, 0, 0, strength, 1, 0),
            Operation.TRANSLATE_X: (1, 0, -int(strength * width), 0, 1, 0),
            Operation.TRANSLATE_Y: (1, 0, 0, 0, 1, -int(strength * height)),
        }[operation]
        return image.transform(image.size, Image.Transform.AFFINE, data, fillcolor=fill)
    changes: dict[Operation, Callable[[], Image.Image]] = {
        Operation.ROTATE: lambda: image.rotate(strength, Image.Resampling.NEAREST, fillcolor=fill),
        Operation.COLOR: lambda: ImageEnhance.Color(image).enhance(1.0 + strength),
        Operation.SHARPNESS: lambda: ImageEnhance.Sharpness(image).enhance(1.0 + strength),
        Operation.BRIGHTNESS: lambda: ImageEnhance.Brightness(image).enhance(1.0 + strength),
        Operation.CONTRAST: lambda: ImageEnhance.Contrast(image).enhance(1.0 + strength),
        Operation.POSTERIZE: lambda: ImageOps.posterize(image, int(strength)),
        # torchvision gives a float
        Operation.SOLARIZE: lambda: ImageOps.solarize(image, strength),  # type: ignore[arg-type]
        Operation.INVERT: lambda: ImageOps.invert(image),
        Operation.AUTO_CONTRAST: lambda: ImageOps.autocontrast(image),
        Operation.EQUALIZE: lambda: ImageOps.equalize(image),
    }
    return changes[operation]()
