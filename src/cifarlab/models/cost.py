"""What a network costs: parameters and floating-point operations."""

from dataclasses import dataclass

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from cifarlab.models.modes import inference_mode


@dataclass(frozen=True)
class ParameterCount:
    """Numbers of scalars in a network."""

    trainable: int
    statistics: int
    """BatchNorm's running means and variances, which Keras counts as non-trainable parameters."""

    @property
    def total(self) -> int:
        """Trainable parameters and statistics together."""
        return self.trainable + self.statistics


def count_parameters(network: nn.Module) -> ParameterCount:
    """Trainable scalars and floating-point buffers of ``network``."""
    trainable = sum(parameter.numel() for parameter in network.parameters() if parameter.requires_grad)
    statistics = sum(buffer.numel() for buffer in network.buffers() if buffer.is_floating_point())
    return ParameterCount(trainable, statistics)


def forward_flops(network: nn.Module, image_size: int) -> int:
    """Operations of one forward pass over one image, a multiply-add counted as two.

    Convolutions and matrix products are counted, the rest is left out, as is usual. Training costs about
    three times as much: once forward and twice backward.
    """
    device = next(network.parameters()).device
    counter = FlopCounterMode(display=False)
    with inference_mode(network), counter:
        network(torch.zeros(1, 3, image_size, image_size, device=device))
    return counter.get_total_flops()


def backward_flops(network: nn.Module, image_size: int) -> int:
    """Operations of one backward pass over one image, counted alike: as far as gradients are wanted."""
    device = next(network.parameters()).device
    counter = FlopCounterMode(display=False)
    with inference_mode(network), torch.enable_grad():
        answer = network(torch.zeros(1, 3, image_size, image_size, device=device)).sum()
        with counter:
            torch.autograd.grad(answer, [each for each in network.parameters() if each.requires_grad])
    return counter.get_total_flops()
