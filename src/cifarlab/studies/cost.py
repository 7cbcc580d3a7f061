"""What a run costs before it is made, in seconds.

A training step's time follows the arithmetic and the values that pass through memory. The three constants
were fitted to nine networks of the reports on two cores of a CPU (``records/training-families-cpu*.json``):
they give those times back within 16 %. How much faster or slower a machine is than that one is measured on a
small network in a second or two.
"""

import time
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
from torch import nn

from cifarlab.models import Model, ResNet
from cifarlab.models.cost import forward_flops
from cifarlab.runtime import device_named

SECONDS_PER_FLOP, SECONDS_PER_VALUE, SECONDS_PER_IMAGE = 4.8e-12, 1.37e-9, 9e-5
"""Of training (forward and backward) on the reference machine: two cores of a CPU with AVX-512, fp32, eager.

A value is an element of the output of one of the network's layers, for one image."""


@dataclass(frozen=True)
class NetworkCost:
    """What one image costs one network."""

    forward_flops: int
    values: int

    @property
    def training_flops(self) -> int:
        """Once forward, twice backward."""
        return 3 * self.forward_flops

    @property
    def training_seconds(self) -> float:
        """On the reference machine."""
        arithmetic = SECONDS_PER_FLOP * self.training_flops
        return arithmetic + SECONDS_PER_VALUE * self.values + SECONDS_PER_IMAGE

    @property
    def evaluation_seconds(self) -> float:
        """On the reference machine: there is no backward pass."""
        return self.training_seconds / 3


@lru_cache
def network_cost(model: Model, classes: int, image_size: int) -> NetworkCost:
    """Counted without computing anything."""
    with torch.device("meta"):
        network = model.build(classes, image_size)
    return NetworkCost(forward_flops(network, image_size), _values(network, image_size))


def slowness(device: str = "auto") -> float:
    """How many times as long as the reference machine this one takes, by a few steps of a small ResNet."""
    model = ResNet((1, 1, 1, 1), (16, 32, 64, 128))
    place, batch = device_named(device), 64
    network = model.build(10, 32).to(place, memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = torch.optim.SGD(network.parameters(), lr=0.0)
    images, labels = (
        torch.zeros(batch, 3, 32, 32, device=place),
        torch.zeros(batch, dtype=torch.int64, device=place),
    )
    fastest = min(_step_seconds(network, optimizer, images, labels) for _ in range(6))
    return fastest / batch / network_cost(model, 10, 32).training_seconds


def _step_seconds(network: nn.Module, optimizer: Any, images: torch.Tensor, labels: torch.Tensor) -> float:
    began = time.perf_counter()
    torch.nn.functional.cross_entropy(network(images), labels).backward()
    optimizer.step()
    optimizer.zero_grad()
    if images.device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - began


def _values(network: nn.Module, image_size: int) -> int:
    """Elements of the outputs of all layers for one image."""
    counts: list[int] = []

    def count(module: nn.Module, inputs: Any, output: Any) -> None:
        if isinstance(output, torch.Tensor):
            counts.append(output.numel())

    hooks = [
        module.register_forward_hook(count) for module in network.modules() if not list(module.children())
    ]
    network.eval()
    with torch.no_grad():
        network(torch.zeros(1, 3, image_size, image_size, device=next(network.parameters()).device))
    for hook in hooks:
        hook.remove()
    return sum(counts)
