"""What a network has made of a picture before its last layer decides."""

from typing import Any

import torch
from torch import Tensor, nn

from cifarlab.models.modes import inference_mode


def features_of(network: nn.Module, images: Tensor) -> Tensor:
    """The input of the last dense layer, float32 ``[N, F]``; the network is left as it was.

    Args:
        network: has a ``classifier``.
        images: normalized, float ``[N, 3, H, W]``.
    """
    rows: list[Tensor] = []

    def keep(module: nn.Module, inputs: tuple[Any, ...]) -> None:
        rows.append(inputs[0].float())

    hook = network.get_submodule("classifier").register_forward_pre_hook(keep)
    try:
        with inference_mode(network):
            network(images)
    finally:
        hook.remove()
    return torch.cat(rows)
