"""One batched affine warp with a matrix per image, and the matrices of rotation, shift, zoom and shear.

A matrix says where a pixel comes from, as in Pillow's ``Image.transform``: the pixel whose center is at
``(x, y)`` is read at ``(a·x + b·y + c, d·x + e·y + f)``, in pixels from the upper left corner, centers at
half integers. As in Pillow the numbers are rounded to 1/65536 and the rest is done in integers, so with
nearest neighbor the result is Pillow's to the bit, and it is the same on every device.
"""

from typing import Literal

import torch
from torch import Tensor

from cifarlab.augment.pixels import BLACK, Color, choose, color_on, in_pieces

Border = Literal["black", "edge"]
"""What lies outside an image: black (Pillow, torchvision), or its nearest pixel (Keras)."""

Interpolation = Literal["nearest", "bilinear"]
"""Nearest neighbor (torchvision's default), or a weighted mean of four pixels (Keras's default)."""

ONE = 1 << 16  # a pixel, in fixed-point coordinates
_WEIGHT_BITS = 11  # of a bilinear weight: two of them and a byte fit an int32
_WEIGHTS = 1 << _WEIGHT_BITS


def warp(
    images: Tensor,
    matrices: Tensor,
    border: Border = "black",
    interpolation: Interpolation = "nearest",
    fill: Color = BLACK,
) -> Tensor:
    """Each image warped by its own matrix.

    Args:
        images: uint8 ``[N, 3, H, W]``.
        matrices: float ``[N, 2, 3]``, the rows ``(a, b, c)`` and ``(d, e, f)``.
        border: what lies outside.
        interpolation: how a pixel is read. Bilinear weights have 11 bits and the result is rounded down,
            within one gray level of Pillow's.
        fill: the color that stands for black, where another one is wanted.
    """
    if interpolation == "nearest":
        return in_pieces(128, lambda some, how: _nearest(some, how, border, fill), images, matrices)
    return in_pieces(32, lambda some, how: _bilinear(some, how, border, fill), images, matrices)


def _source_coordinates(matrices: Tensor, height: int, width: int) -> Tensor:
    """Where each pixel is read, x and y, in 1/65536 pixel: int32 ``[N, 2, H, W]``."""
    a, b, c = matrices.unbind(2)
    a, b, c = (_fixed(value)[:, :, None, None] for value in (a, b, c + a * 0.5 + b * 0.5))
    x = torch.arange(width, dtype=torch.int32, device=matrices.device)
    y = torch.arange(height, dtype=torch.int32, device=matrices.device)[:, None]
    return a * x + (b * y + c)


def _fixed(values: Tensor) -> Tensor:
    return torch.floor(values * ONE + 0.5).to(torch.int32)


def _nearest(images: Tensor, matrices: Tensor, border: Border, fill: Color) -> Tensor:
    count, channels, height, width = images.shape
    x, y = (_source_coordinates(matrices, height, width) >> 16).unbind(1)
    margin = 0
    if border == "black":  # a frame of one pixel, to which all that lies outside is clamped
        framed = color_on(images.device, fill).expand(count, channels, height + 2, width + 2).clone()
        framed[:, :, 1:-1, 1:-1] = images
        images, margin = framed, 1
    x = x.clamp(-margin, width - 1 + margin)
    y = y.clamp(-margin, height - 1 + margin)
    pixels = _read(images, x + margin, y + margin)
    return pixels.reshape(count, channels, height, width)


def _bilinear(images: Tensor, matrices: Tensor, border: Border, fill: Color) -> Tensor:
    height, width = images.shape[2:]
    coordinates = _source_coordinates(matrices, height, width)
    mean = _mean_of_four(images, coordinates - ONE // 2)
    if border == "edge":
        return mean
    x, y = (coordinates >> 16).unbind(1)
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    return choose(inside[:, None], mean, color_on(images.device, fill))


def _mean_of_four(images: Tensor, coordinates: Tensor) -> Tensor:
    """The pixels around each place by their nearness; ``coordinates`` count from the first pixel's center."""
    height, width = images.shape[2:]
    x, y = (coordinates >> 16).unbind(1)
    weights = (coordinates >> (16 - _WEIGHT_BITS)) & (_WEIGHTS - 1)
    right, lower = weights.flatten(2)[:, :, None].unbind(1)
    total = torch.zeros(*images.shape[:2], height * width, dtype=torch.int32, device=images.device)
    for row, vertical in ((y, _WEIGHTS - lower), (y + 1, lower)):
        for column, horizontal in ((x, _WEIGHTS - right), (x + 1, right)):
            pixels = _read(images, column.clamp(0, width - 1), row.clamp(0, height - 1))
            total.addcmul_(pixels.int(), vertical * horizontal)
    return (total >> (2 * _WEIGHT_BITS)).to(torch.uint8).reshape(images.shape)


def _read(images: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """``out[n, c, k] = images[n, c, y[n, k], x[n, k]]`` all pixels ``k`` in one row."""
    index = (y * images.shape[3] + x).flatten(1).long()
    return images.flatten(2).gather(2, index[:, None].expand(-1, images.shape[1], -1))


def precise(values: Tensor) -> Tensor:
    """``values`` as float64, so that devices agree; MPS has none and keeps what it has."""
    return values if values.device.type == "mps" else values.double()


def matrix(a: Tensor, b: Tensor, c: Tensor, d: Tensor, e: Tensor, f: Tensor) -> Tensor:
    """Six tensors ``[N]`` as matrices ``[N, 2, 3]``."""
    return torch.stack([a, b, c, d, e, f], 1).reshape(-1, 2, 3)


def about_center(a: Tensor, b: Tensor, d: Tensor, e: Tensor, height: int, width: int) -> Tensor:
    """Matrices ``[N, 2, 3]`` that keep the center of the image where it is."""
    x, y = width / 2, height / 2
    return matrix(a, b, x - (a * x + b * y), d, e, y - (d * x + e * y))


def rotation(degrees: Tensor, height: int, width: int) -> Tensor:
    """Counter-clockwise turns about the center by ``degrees`` (float ``[N]``): matrices ``[N, 2, 3]``."""
    radians = torch.deg2rad(precise(degrees))
    cosine, sine = torch.cos(radians), torch.sin(radians)
    return about_center(cosine, -sine, sine, cosine, height, width)
