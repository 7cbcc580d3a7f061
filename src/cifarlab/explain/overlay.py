"""Pictures and heat maps as PNG files."""

import io

import matplotlib
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

COLORS = "viridis"
"""A map whose lightness grows evenly, so that it reads the same to the color-blind and in gray."""
_STRENGTH = 0.6
"""How much of the picture the colors cover."""


def picture_png(picture: Tensor, zoom: int = 8) -> bytes:
    """A picture, uint8 ``[3, H, W]``, as a PNG in which each pixel is a square of ``zoom`` × ``zoom``."""
    return _png(_enlarged(picture, zoom))


def overlay_png(picture: Tensor, heat: Tensor, zoom: int = 8) -> bytes:
    """The gray picture under the colors of a heat map: dark violet is 0, yellow is 1.

    Args:
        picture: uint8 ``[3, H, W]``.
        heat: float ``[H, W]``, 0 to 1.
        zoom: pixels of the PNG along each side of a pixel.
    """
    gray = (picture.float().cpu() * torch.tensor([0.299, 0.587, 0.114])[:, None, None]).sum(0)
    under = _enlarged(gray.expand(3, -1, -1), zoom).astype(np.float64)
    size = [zoom * side for side in heat.shape]
    smooth = F.interpolate(
        heat.detach().float().cpu()[None, None], size, mode="bilinear", align_corners=False
    )[0, 0]
    over = 255 * matplotlib.colormaps[COLORS](smooth.clamp(0, 1).numpy())[..., :3]
    return _png(np.rint((1 - _STRENGTH) * under + _STRENGTH * over).astype(np.uint8))


def _enlarged(picture: Tensor, zoom: int) -> NDArray[np.uint8]:
    """uint8 ``[zoom · H, zoom · W, 3]``."""
    pixels = picture.detach().round().to(torch.uint8).cpu().permute(1, 2, 0).numpy()
    return pixels.repeat(zoom, axis=0).repeat(zoom, axis=1)


def _png(pixels: NDArray[np.uint8]) -> bytes:
    """Equal pixels give equal bytes: no times, no names."""
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(buffer, format="png", optimize=True)
    return buffer.getvalue()
