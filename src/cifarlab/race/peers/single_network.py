"""What the adapters of scripts with one network share."""

from types import ModuleType

import torch
from torch import nn

from cifarlab.race.peers.operations import training_operations
from cifarlab.race.peers.peer import Race


def build(module: ModuleType, device: torch.device) -> list[nn.Module]:
    """One network, compiled in place on CUDA."""
    model = module.CifarNet().to(device).to(memory_format=torch.channels_last)
    if device.type == "cuda":
        model.compile(mode="max-autotune")
    return [model]


def race(module: ModuleType, networks: list[nn.Module]) -> Race:
    """Its ``main`` takes the network."""
    return lambda run: module.main(run, *networks)


def image_operations(module: ModuleType) -> float:
    """One network, forward and backward."""
    return training_operations(module.CifarNet())
