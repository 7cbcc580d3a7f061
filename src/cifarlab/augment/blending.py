"""Blends of an image with a poorer one, exactly as Pillow's ``Image.blend`` and ``ImageEnhance`` do them."""

import torch
from torch import Tensor


def blend(start: Tensor, end: Tensor, factors: Tensor) -> Tensor:
    """``start + factors·(end − start)`` in float32, clamped and rounded down, as Pillow does it.

    Args:
        start: uint8, what factor 0 gives.
        end: uint8 of the same shape, or broadcast to it; what factor 1 gives.
        factors: float, broadcast; below 0 and above 1 it extrapolates.
    """
    first = start.float()
    return (first + factors.float() * (end.float() - first)).clamp_(0, 255).to(torch.uint8)


def gray(images: Tensor) -> Tensor:
    """The luma of uint8 ``[N, 3, H, W]`` in Pillow's integers (ITU-R 601-2): int32 ``[N, H, W]``."""
    red, green, blue = images.to(torch.int32).unbind(1)
    return (red * 19595 + green * 38470 + blue * 7471 + 0x8000) >> 16


def color(images: Tensor, factors: Tensor) -> Tensor:
    """A blend of each image's gray version with it (``ImageEnhance.Color``).

    Args:
        images: uint8 ``[N, 3, H, W]``.
        factors: float ``[N]``; 0 is gray, 1 the identity.
    """
    return blend(gray(images)[:, None], images, factors[:, None, None, None])


def sharpness(images: Tensor, factors: Tensor) -> Tensor:
    """A blend of each image's smoothed version with it (``ImageEnhance.Sharpness``).

    Args:
        images: uint8 ``[N, 3, H, W]``.
        factors: float ``[N]``; 0 is smooth, 1 the identity.
    """
    return blend(smooth(images), images, factors[:, None, None, None])


def smooth(images: Tensor) -> Tensor:
    """The mean of 3×3 pixels, the middle one counted five times (Pillow's SMOOTH); the border is copied."""
    height, width = images.shape[2:]
    smoothed = images.clone()
    if height < 3 or width < 3:
        return smoothed
    values = images.to(torch.int16)
    three = values[:, :, :-2] + values[:, :, 1:-1] + values[:, :, 2:]
    nine = three[..., :-2] + three[..., 1:-1] + three[..., 2:]
    total = (nine + 4 * values[:, :, 1:-1, 1:-1]).float()
    # Rounded to nearest: a sum over 13 never lies halfway, and never so near that float32 could err.
    smoothed[:, :, 1:-1, 1:-1] = ((total + 6.5) * (1 / 13)).to(torch.uint8)
    return smoothed
