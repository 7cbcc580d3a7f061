"""Layers written out by hand, which read a network's tensors by their names."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class ByHand:
    """Plain layers over the tensors whose names begin with ``prefix``.

    Args:
        tensors: a state dict, in which training changes nothing.
        training: whether BatchNorm takes the batch's statistics, and whether dropout drops.
    """

    def __init__(self, tensors: dict[str, Tensor], training: bool, prefix: str = "") -> None:
        self.tensors = tensors
        self.training = training
        self.prefix = prefix

    def at(self, name: str) -> "ByHand":
        """The part of the network called ``name``."""
        return ByHand(self.tensors, self.training, f"{self.prefix}{name}.")

    def has(self, name: str) -> bool:
        return any(key.startswith(f"{self.prefix}{name}") for key in self.tensors)

    def __getitem__(self, name: str) -> Tensor:
        return self.tensors[self.prefix + name]

    def conv(self, x: Tensor, name: str, stride: int = 1, padding: int = 0, bias: bool = True) -> Tensor:
        assert self.has(f"{name}.bias") == bias
        return F.conv2d(
            x, self[f"{name}.weight"], self[f"{name}.bias"] if bias else None, stride=stride, padding=padding
        )

    def norm(self, x: Tensor, name: str) -> Tensor:
        if self.training:
            mean, variance = x.mean((0, 2, 3)), x.var((0, 2, 3), correction=0)
        else:
            mean, variance = self[f"{name}.running_mean"], self[f"{name}.running_var"]
        shape = (1, -1, 1, 1)
        x = (x - mean.view(shape)) / (variance.view(shape) + 1e-5).sqrt()
        return x * self[f"{name}.weight"].view(shape) + self[f"{name}.bias"].view(shape)

    def norm_relu(self, x: Tensor, name: str) -> Tensor:
        return self.norm(x, name).relu()

    def dense(self, x: Tensor, name: str) -> Tensor:
        return x @ self[f"{name}.weight"].T + self[f"{name}.bias"]

    def dropout(self, x: Tensor, probability: float) -> Tensor:
        return F.dropout(x, probability, self.training)

    def preactivation(self, x: Tensor, name: str, stride: int = 1) -> Tensor:
        """A pre-activation bottleneck unit: BN-ReLU-1×1, BN-ReLU-3×3, BN-ReLU-1×1, plus its shortcut."""
        unit = self.at(name)
        out = unit.conv(unit.norm_relu(x, "residual.0"), "residual.2")
        out = unit.conv(unit.norm_relu(out, "residual.3"), "residual.5", stride, padding=1)
        out = unit.conv(unit.norm_relu(out, "residual.6"), "residual.8")
        return out + (unit.conv(x, "shortcut", stride) if unit.has("shortcut") else x)


def by_hand(network: nn.Module) -> ByHand:
    """The layers of ``network``, as it is now and in its own mode."""
    return ByHand({key: value.clone() for key, value in network.state_dict().items()}, network.training)


def scrambled(network: nn.Module) -> nn.Module:
    """``network`` in double precision, with other values in everything that starts as zero or one."""
    randomness = torch.Generator().manual_seed(1)
    network.double()
    for name, value in network.state_dict().items():
        if value.is_floating_point() and value.dim() == 1:
            noise = torch.rand(value.shape, generator=randomness)
            value.copy_(noise + 0.5 if name.endswith(("weight", "running_var")) else noise - 0.5)
    return network
