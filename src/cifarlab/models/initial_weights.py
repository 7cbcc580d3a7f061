"""The weights that a network starts with, where they are not torch's own."""

from torch import nn


def keras_initial_weights(network: nn.Module) -> None:
    """Set every convolution and dense layer of ``network`` to Keras' default, in place.

    Weights are uniform with variance 2 / (fan-in + fan-out) (Glorot 2010) and come from torch's global
    generator; biases are zero. Torch's own weights have a third of that variance: where every shortcut is a
    projection, as in report 001, each shrinks what it carries until the residual paths drown it, and rounding
    errors of bf16 grow from unit to unit.
    """
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.xavier_uniform_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
