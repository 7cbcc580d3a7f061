"""Switching a network to evaluation, and back to exactly what it was."""

import contextlib
from collections.abc import Iterator

import torch
from torch import nn


@contextlib.contextmanager
def inference_mode(network: nn.Module) -> Iterator[None]:
    """No gradients, every module in evaluation mode inside; each module's own mode restored after."""
    training = [module for module in network.modules() if module.training]
    network.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        for module in training:
            module.training = True
