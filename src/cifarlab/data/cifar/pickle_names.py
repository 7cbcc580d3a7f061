"""What a pickle of CIFAR may name, recognized by its spelling: nothing is looked up, imported or called.

These are the names with which numpy writes an array of uint8, and the one with which Python 3 writes bytes in
protocol 2.
"""

import enum
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


class Known(enum.Enum):
    """What a pickle of CIFAR may name. The values are recognized and never looked up."""

    RECONSTRUCT = enum.auto()
    FROM_BUFFER = enum.auto()
    NDARRAY = enum.auto()
    DTYPE = enum.auto()
    ENCODE = enum.auto()
    UINT8 = enum.auto()
    """The finished type, which has no name of its own."""


NAMES = {
    "numpy.core.multiarray._reconstruct": Known.RECONSTRUCT,
    "numpy._core.multiarray._reconstruct": Known.RECONSTRUCT,
    "numpy.core.numeric._frombuffer": Known.FROM_BUFFER,
    "numpy._core.numeric._frombuffer": Known.FROM_BUFFER,
    "numpy.ndarray": Known.NDARRAY,
    "numpy.dtype": Known.DTYPE,
    "_codecs.encode": Known.ENCODE,  # how protocol 2 of Python 3 writes bytes
}


@dataclass(eq=False)
class Array:
    """An array whose values come in a later opcode than itself."""

    values: NDArray[np.uint8] | None = None


class Refused(Exception):
    """What is wrong, in a few words."""


def called(named: object, arguments: object) -> object:
    """What a call would return, where it is one of those with which numpy writes an array.

    Raises:
        Refused: it is any other call.
    """
    match named, arguments:
        case Known.RECONSTRUCT, (Known.NDARRAY, (0,), "b" | b"b"):
            return Array()
        case Known.DTYPE, ("u1" | b"u1", 0, 1):
            return Known.UINT8
        case Known.FROM_BUFFER, (bytes() as values, Known.UINT8, tuple() as shape, "C" | "F" as order):
            return Array(_shaped(values, shape, order))
        case _:
            raise Refused("it calls something in a way that no CIFAR file does")


def give_state(built: object, state: object) -> None:
    """Complete an array or its type with the state that numpy writes after it.

    Raises:
        Refused: it is any other object or state.
    """
    match built, state:
        case Known.UINT8, (3, "|" | b"|", None, None, None, -1, -1, 0):
            pass
        case Array(values=None), (1, tuple() as shape, Known.UINT8, bool() as columns, bytes() as values):
            built.values = _shaped(values, shape, "F" if columns else "C")
        case _:
            raise Refused("it gives an object a state that no CIFAR file does")


def finished(value: object) -> object:
    """The array itself; any other value as it is."""
    if not isinstance(value, Array):
        return value
    if value.values is None:
        raise Refused("an array has no values")
    return value.values


def _shaped(values: bytes, shape: tuple[Any, ...], order: str) -> NDArray[np.uint8]:
    """A view of ``values``; ``order`` is numpy's: C by rows, F by columns."""
    if len(shape) > 4 or not all(type(size) is int and size > 0 for size in shape):
        raise Refused("an array has an impossible shape")
    if math.prod(shape) != len(values):
        raise Refused("an array has not as many values as its shape says")
    flat = np.frombuffer(values, np.uint8)
    return flat.reshape(shape) if order == "C" else flat.reshape(shape[::-1]).T
