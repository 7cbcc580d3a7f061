"""Floating-point operations of a script's networks, counted, not estimated."""

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

IMAGES = 2


def forward_operations(network: nn.Module) -> float:
    """Operations per image (32 × 32, color) of the convolutions and products of a forward pass; an addition
    and a multiplication are two. The network is brought to the CPU and to fp32."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network.cpu().float()(torch.zeros(IMAGES, 3, 32, 32))
    return float(counter.get_total_flops()) / IMAGES


def training_operations(network: nn.Module) -> float:
    """The same of a forward and a backward pass; weights that are not trained need none of the latter."""
    with FlopCounterMode(display=False) as counter:
        network.cpu().float()(torch.zeros(IMAGES, 3, 32, 32)).sum().backward()
    return float(counter.get_total_flops()) / IMAGES
