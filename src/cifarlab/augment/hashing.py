"""Random bits per pixel that are a function of the image's own seed and the pixel alone.

To draw noise pixel by pixel for a whole epoch would take as much memory as the images. Instead each image
draws a seed, and a counter-based hash makes its noise on the device, in integers, so that every device, batch
size and number of processes gives the same bits.
"""

import torch
from torch import Generator, Tensor


def draw_seeds(count: int, randomness: Generator) -> Tensor:
    """One seed per image: int32 ``[count]``."""
    return torch.randint(-(2**31), 2**31, (count,), generator=randomness, dtype=torch.int32)


def random_bits(seeds: Tensor, count: int) -> Tensor:
    """``count`` random 32-bit numbers for each of ``seeds`` (int32 ``[N]``): int32 ``[N, count]``.

    The counter is mixed, joined with the seed by exclusive or, and mixed again.
    """
    counters = _mix(torch.arange(count, dtype=torch.int32, device=seeds.device))
    return _mix(counters ^ seeds[:, None])


def random_bytes(seeds: Tensor, count: int) -> Tensor:
    """``count`` random bytes for each seed, four out of every number: uint8 ``[N, count]``."""
    return random_bits(seeds, -(-count // 4)).view(torch.uint8)[:, :count]


def _mix(bits: Tensor) -> Tensor:
    """Chris Wellons's ``lowbias32`` (Hash Prospector, 2018), a bijection of 32-bit numbers.

    Products wrap around in int32. Its shifts are logical, so the sign's copies are masked away.
    """
    bits = bits ^ ((bits >> 16) & 0xFFFF)
    bits = bits * 0x7FEB352D
    bits = bits ^ ((bits >> 15) & 0x1FFFF)
    bits = bits * (0x846CA68B - 2**32)
    return bits ^ ((bits >> 16) & 0xFFFF)
