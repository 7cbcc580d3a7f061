"""What attention layers look at: the weight that they give to each place of a picture."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cifarlab.models.attention_module import SoftMask
from cifarlab.models.cbam import SpatialAttention
from cifarlab.models.modes import inference_mode


def attention_masks(network: nn.Module, images: Tensor) -> dict[str, Tensor]:
    """The soft masks of residual attention networks and the spatial maps of CBAM, 0 to 1.

    A soft mask has a value for each channel, too; its mean over them is given. All are brought to the images'
    size bilinearly. Nothing is scaled: 0 means that a place is passed over, 1 that it is taken in full.

    Args:
        network: in any mode; it is used in evaluation mode and left as it was.
        images: normalized, float ``[N, 3, H, W]``.

    Returns:
        ``stage 1, block 1`` and so on, in the order of the forward pass, to float ``[N, H, W]``. A stage ends
        where the shape of the maps changes. Empty for a network without attention.
    """
    found: dict[str, Tensor] = {}
    names = _Names()

    def keep_mask(module: nn.Module, inputs: Any, output: Tensor) -> None:
        found[names.next(output)] = output.mean(1, keepdim=True)

    def keep_weights(module: SpatialAttention, inputs: tuple[Tensor], output: Tensor) -> None:
        found[names.next(output)] = module.weights(inputs[0])

    hooks: list[tuple[type[nn.Module], Callable[..., None]]] = [
        (SoftMask, keep_mask),
        (SpatialAttention, keep_weights),
    ]
    handles = [
        module.register_forward_hook(hook)
        for module in network.modules()
        for kind, hook in hooks
        if isinstance(module, kind)
    ]
    try:
        with inference_mode(network):
            if handles:
                network(images)
    finally:
        for handle in handles:
            handle.remove()
    return {
        name: F.interpolate(mask.float(), images.shape[2:], mode="bilinear", align_corners=False)[:, 0]
        for name, mask in found.items()
    }


class _Names:
    """Counts stages and the blocks in each, by the shapes of the maps that come along."""

    def __init__(self) -> None:
        self._shape: torch.Size | None = None
        self._stage = self._block = 0

    def next(self, features: Tensor) -> str:
        """The name of the layer that made ``features`` ``[N, C, h, w]``."""
        if features.shape[1:] != self._shape:
            self._shape, self._stage, self._block = features.shape[1:], self._stage + 1, 0
        self._block += 1
        return f"stage {self._stage}, block {self._block}"
