"""How many outputs of a network's activation functions are exactly zero: how much of it is silent."""

from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from cifarlab.data.holdout import one_of_each_class
from cifarlab.models.modes import inference_mode

ACTIVATIONS = (nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.ELU, nn.SiLU, nn.GELU)
"""What is counted. Tanh is left out: it has no range of inputs that it makes zero."""
_IMAGES = 500


@dataclass(frozen=True)
class ZeroCount:
    """The outputs of one activation function over a batch of images."""

    layer: str
    """Its name in the network's ``named_modules``."""
    zeros: int
    values: int

    @property
    def share(self) -> float:
        """Zeros among the values, 0 to 1."""
        return self.zeros / self.values if self.values else 0.0


def images_to_count_on(labels: Tensor) -> Tensor:
    """Positions of 500 images of all classes, int64; fewer if there are fewer.

    Images of a folder lie class by class: its first ones would be of one class.

    Args:
        labels: of all there are, int64 ``[N]``.
    """
    return one_of_each_class(labels.cpu(), _IMAGES, 0)


def zero_counts(network: nn.Module, images: Tensor) -> list[ZeroCount]:
    """For each activation function that took part, in the network's order, the zeros among its outputs.

    The network is used in evaluation mode and left as it was. Only activations that are modules are counted.

    Args:
        network: in any mode.
        images: normalized, float ``[N, 3, H, W]``.
    """
    layers = {name: module for name, module in network.named_modules() if isinstance(module, ACTIVATIONS)}
    counted: dict[nn.Module, tuple[int, int]] = dict.fromkeys(layers.values(), (0, 0))

    def count(module: nn.Module, inputs: Any, output: Tensor) -> None:
        zeros, values = counted[module]
        counted[module] = zeros + int((output == 0).sum()), values + output.numel()

    hooks = [module.register_forward_hook(count) for module in counted]
    try:
        with inference_mode(network):
            network(images)
    finally:
        for hook in hooks:
            hook.remove()
    counts = [ZeroCount(name, *counted[module]) for name, module in layers.items()]
    return [each for each in counts if each.values]


def share_of_zeros(counts: list[ZeroCount]) -> float:
    """The share of zeros among the values of all layers together; 0 for a network without activations."""
    values = sum(each.values for each in counts)
    return sum(each.zeros for each in counts) / values if values else 0.0
