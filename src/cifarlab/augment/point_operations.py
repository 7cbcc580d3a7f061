"""Operations that map each byte by itself: tables of 256 entries per image, or per image and channel.

All tables are exactly Pillow's (``ImageOps`` and ``ImageEnhance``), special cases included. A table is uint8
``[N, 1, 256]`` where the channels share it, else ``[N, 3, 256]``.
"""

import torch
from torch import Tensor

from cifarlab.augment.affine import precise
from cifarlab.augment.blending import blend, gray


def look_up(images: Tensor, tables: Tensor) -> Tensor:
    """``out[n, c, i, j] = tables[n, c, images[n, c, i, j]]`` for uint8 ``[N, 3, H, W]``."""
    tables = tables.expand(-1, images.shape[1], -1)
    return tables.gather(2, images.flatten(2).long()).reshape(images.shape)


def every_byte(device: torch.device) -> Tensor:
    """0 … 255 as uint8 ``[1, 1, 256]``: the table of the identity."""
    return torch.arange(256, dtype=torch.uint8, device=device)[None, None]


def brightness_tables(factors: Tensor) -> Tensor:
    """A blend with black; ``factors`` float ``[N]``, 1 is the identity."""
    ramp = every_byte(factors.device)
    return blend(torch.zeros_like(ramp), ramp, factors[:, None, None])


def contrast_tables(images: Tensor, factors: Tensor) -> Tensor:
    """A blend with each image's mean gray, rounded half up; ``factors`` float ``[N]``, 1 is the identity."""
    shades = gray(images).flatten(1)
    pixels = shades.shape[1]
    means = (2 * shades.sum(1) + pixels) // (2 * pixels)
    return blend(means.to(torch.uint8)[:, None, None], every_byte(images.device), factors[:, None, None])


def posterize_tables(bits: Tensor) -> Tensor:
    """Only the highest ``bits`` (int ``[N]``, 0 to 8) of a byte are kept; 8 is the identity."""
    dropped = torch.bitwise_left_shift(torch.ones_like(bits), 8 - bits)[:, None, None]
    ramp = every_byte(bits.device).to(bits.dtype)
    return (ramp & -dropped).to(torch.uint8)


def solarize_tables(thresholds: Tensor) -> Tensor:
    """Bytes from ``thresholds`` (float ``[N]``) up are inverted; 256 is the identity, 0 inverts all."""
    ramp = every_byte(thresholds.device)
    return torch.where(ramp < thresholds[:, None, None], ramp, 255 - ramp)


def autocontrast_tables(images: Tensor) -> Tensor:
    """Each channel's darkest byte becomes 0 and its lightest 255; a channel of one value stays."""
    channels = images.flatten(2)
    darkest = channels.amin(2, keepdim=True).to(torch.int32)
    lightest = channels.amax(2, keepdim=True).to(torch.int32)
    ramp = every_byte(images.device)
    # In doubles and in this order, since Pillow truncates what can come out as 254.9999…. A plain
    # "255.0 /" would be a product with the reciprocal.
    span = precise((lightest - darkest).clamp(min=1))
    scale = torch.full_like(span, 255.0).div(span)
    stretched = (ramp * scale + -darkest * scale).clamp(0, 255).to(torch.uint8)
    return torch.where(lightest > darkest, stretched, ramp)


def equalize_tables(images: Tensor) -> Tensor:
    """Each channel's histogram made as even as a table can make it."""
    values = images.flatten(2).long()
    one = torch.ones((), dtype=torch.int32, device=images.device)
    histogram = torch.zeros(*values.shape[:2], 256, dtype=torch.int32, device=images.device)
    histogram.scatter_add_(2, values, one.expand(values.shape))
    lightest = histogram.gather(2, values.amax(2, keepdim=True))
    step = (values.shape[2] - lightest) // 255
    below = histogram.cumsum(2, dtype=torch.int32) - histogram
    even = ((step // 2 + below) // step.clamp(min=1)).clamp(max=255).to(torch.uint8)
    return torch.where(step > 0, even, every_byte(images.device))
