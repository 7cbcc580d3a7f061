"""Parts of a network that are computed from the training images before the first step."""

from collections.abc import Callable, Iterator
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn


@runtime_checkable
class DataDependent(Protocol):
    """A network with such a part."""

    def fit(self, read: Callable[[], Iterator[Tensor]]) -> None:
        """Compute it from training images, float ``[N, 3, H, W]`` a batch; ``read`` gives them anew."""


def fit_to_data(network: nn.Module, read: Callable[[], Iterator[Tensor]]) -> None:
    """Let ``network`` see the training images, as it will see them in evaluation, if it wants to."""
    if isinstance(network, DataDependent):
        with torch.no_grad():
            network.fit(read)
