"""What several augmentations share: a choice between bytes, work on some rows, colors."""

import functools
from collections.abc import Callable

import torch
from torch import Tensor

Color = tuple[int, int, int]
"""Red, green and blue, 0 to 255."""

BLACK: Color = (0, 0, 0)


def choose(chosen: Tensor, images: Tensor, others: Tensor) -> Tensor:
    """``torch.where`` for bytes, and several times as fast on a CPU.

    Args:
        chosen: bool, broadcast against the images.
        images: uint8, taken where ``chosen``.
        others: uint8 of the same shape, or broadcast to it, taken elsewhere.
    """
    mask = chosen.to(torch.uint8) * 255
    return others ^ ((images ^ others) & mask)


def change_chosen(chosen: Tensor, start: Tensor, change: Callable[..., Tensor], *values: Tensor) -> Tensor:
    """``start`` with the rows of ``change(*values)`` in place of the chosen ones; never ``start`` itself.

    A CPU works on the chosen rows alone. An accelerator works on all, since to ask which ones are chosen
    would mean to wait for it; the result is the same.

    Args:
        chosen: bool ``[N]``.
        start: uint8 ``[N, …]``.
        change: a function that treats each row of ``values`` by itself and returns rows like ``start``'s.
        values: tensors whose first dimension is ``N``.
    """
    if start.device.type != "cpu":
        return choose(chosen.reshape(-1, *[1] * (start.dim() - 1)), change(*values), start)
    rows = chosen.nonzero()[:, 0]
    if len(rows) == 0:
        return start.clone()
    changed = change(*(value.index_select(0, rows) for value in values))
    order = torch.arange(len(start))
    order[rows] = torch.arange(len(start), len(start) + len(rows))
    return torch.cat([start, changed]).index_select(0, order)  # copies whole rows, unlike index_copy_


def in_pieces(size: int, change: Callable[..., Tensor], *values: Tensor) -> Tensor:
    """``change(*values)``, on a CPU by ``size`` rows at a time, which keeps what it needs in the cache.

    Args:
        size: rows of a piece.
        change: a function that treats each row of ``values`` by itself.
        values: tensors whose first dimension is ``N``.
    """
    if values[0].device.type != "cpu" or len(values[0]) <= size:
        return change(*values)
    pieces = zip(*(value.split(size) for value in values), strict=True)
    return torch.cat([change(*piece) for piece in pieces])


@functools.lru_cache(maxsize=16)
def color_on(device: torch.device, color: Color) -> Tensor:
    """A color as uint8 ``[3, 1, 1]``; kept, since a copy to a GPU per batch would wait for it."""
    return torch.tensor(color, dtype=torch.uint8, device=device)[:, None, None]


def is_color(color: Color) -> bool:
    """Whether all three parts are bytes."""
    return all(0 <= part <= 255 for part in color)
