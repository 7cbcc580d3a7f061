"""Floating-point operations of a script's networks, counted, not estimated."""

from torch import nn

from cifarlab.models.cost import backward_flops, forward_flops
from cifarlab.race.peers.referee import SIDE


def forward_operations(network: nn.Module) -> float:
    """Operations per image (32 × 32, color) of the convolutions and products of a forward pass; an addition
    and a multiplication are two. The network is brought to the CPU and to fp32."""
    return float(forward_flops(network.cpu().float(), SIDE))


def training_operations(network: nn.Module) -> float:
    """The same of a forward and a backward pass; weights that are not trained need none of the latter."""
    return forward_operations(network) + backward_flops(network, SIDE)
