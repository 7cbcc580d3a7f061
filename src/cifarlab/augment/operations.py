"""The operations that AutoAugment and its successors choose from, each image with its own, in one go."""

from enum import IntEnum

import torch
from torch import Tensor

from cifarlab.augment.affine import precise, rotation, warp
from cifarlab.augment.blending import color, sharpness
from cifarlab.augment.pixels import Color, change_chosen
from cifarlab.augment.point_operations import (
    autocontrast_tables,
    brightness_tables,
    contrast_tables,
    equalize_tables,
    every_byte,
    look_up,
    posterize_tables,
    solarize_tables,
)


class Operation(IntEnum):
    """An operation and what its strength means; the numbers stand in the draws."""

    IDENTITY = 0
    SHEAR_X = 1
    """Columns moved per row."""
    SHEAR_Y = 2
    """Rows moved per column."""
    TRANSLATE_X = 3
    """Share of the width, to the right; whole pixels, rounded toward 0."""
    TRANSLATE_Y = 4
    """Share of the height, downward; whole pixels, rounded toward 0."""
    ROTATE = 5
    """Degrees, counter-clockwise."""
    COLOR = 6
    """What is added to the factor 1, here and in the next three."""
    SHARPNESS = 7
    BRIGHTNESS = 8
    CONTRAST = 9
    POSTERIZE = 10
    """Bits that are kept."""
    SOLARIZE = 11
    """The byte from which values are inverted."""
    INVERT = 12
    AUTO_CONTRAST = 13
    EQUALIZE = 14


def operate(images: Tensor, operations: Tensor, strengths: Tensor, fill: Color) -> Tensor:
    """Each image changed by its own operation; those with the identity stay the same to the bit.

    Args:
        images: uint8 ``[N, 3, H, W]``.
        operations: ``[N]``, values of ``Operation``, any dtype.
        strengths: float ``[N]``.
        fill: the color of what a shear, shift or rotation brings in.
    """
    moved = (operations >= Operation.SHEAR_X) & (operations <= Operation.ROTATE)

    def move(some: Tensor, which: Tensor, how: Tensor) -> Tensor:
        return warp(some, _matrices(which, how, *some.shape[2:]), fill=fill)

    images = change_chosen(moved, images, move, images, operations, strengths)
    for operation, change in ((Operation.COLOR, color), (Operation.SHARPNESS, sharpness)):
        images = change_chosen(operations == operation, images, change, images, 1 + strengths)
    return change_chosen(
        operations >= Operation.BRIGHTNESS, images, _map_bytes, images, operations, strengths
    )


def _matrices(operations: Tensor, strengths: Tensor, height: int, width: int) -> Tensor:
    """Float ``[N, 2, 3]`` for the operations that move pixels, as torchvision's policies build them.

    A shear keeps the upper left corner where it is, as in AutoAugment's own code.
    """
    strengths = precise(strengths)
    turned = operations == Operation.ROTATE
    matrices = rotation(strengths * turned, height, width)
    matrices[:, 0, 1] += strengths * (operations == Operation.SHEAR_X)
    matrices[:, 1, 0] += strengths * (operations == Operation.SHEAR_Y)
    matrices[:, 0, 2] -= torch.trunc(strengths * width) * (operations == Operation.TRANSLATE_X)
    matrices[:, 1, 2] -= torch.trunc(strengths * height) * (operations == Operation.TRANSLATE_Y)
    return matrices


def _map_bytes(images: Tensor, operations: Tensor, strengths: Tensor) -> Tensor:
    """The operations that map each byte by itself, through one table per image and channel."""
    tables = every_byte(images.device).expand(len(images), 3, 256)
    for operation, make in _TABLES.items():
        tables = change_chosen(operations == operation, tables, make, images, strengths)
    return look_up(images, tables)


def _brightness(_: Tensor, strengths: Tensor) -> Tensor:
    return brightness_tables(1 + strengths).expand(-1, 3, -1)


def _contrast(images: Tensor, strengths: Tensor) -> Tensor:
    return contrast_tables(images, 1 + strengths).expand(-1, 3, -1)


def _posterize(_: Tensor, strengths: Tensor) -> Tensor:
    return posterize_tables(strengths.to(torch.int32)).expand(-1, 3, -1)


def _solarize(_: Tensor, strengths: Tensor) -> Tensor:
    return solarize_tables(strengths).expand(-1, 3, -1)


def _invert(_: Tensor, strengths: Tensor) -> Tensor:
    return solarize_tables(torch.zeros_like(strengths)).expand(-1, 3, -1)


def _auto_contrast(images: Tensor, _: Tensor) -> Tensor:
    return autocontrast_tables(images)


def _equalize(images: Tensor, _: Tensor) -> Tensor:
    return equalize_tables(images)


_TABLES = {
    Operation.BRIGHTNESS: _brightness,
    Operation.CONTRAST: _contrast,
    Operation.POSTERIZE: _posterize,
    Operation.SOLARIZE: _solarize,
    Operation.INVERT: _invert,
    Operation.AUTO_CONTRAST: _auto_contrast,
    Operation.EQUALIZE: _equalize,
}
