"""What an optimizer's groups have in common: which parameters decay, and which values are allowed."""

import math
from typing import Any, Literal

from torch import nn

from cifarlab.errors import UserError

Decayed = Literal["all", "weights"]
"""Which parameters decay: all of them, or those of two and more dimensions, which leaves out biases and
BatchNorm's factors (He et al. 2019, section 3.1)."""


def decay_groups(network: nn.Module, weight_decay: float, decayed: Decayed) -> list[dict[str, Any]]:
    """The trainable parameters of ``network`` as one or two parameter groups."""
    parameters = [parameter for parameter in network.parameters() if parameter.requires_grad]
    if decayed == "all":
        return [{"params": parameters, "weight_decay": weight_decay, "lr_ratio": 1.0}]
    weights = [parameter for parameter in parameters if parameter.dim() > 1]
    others = [parameter for parameter in parameters if parameter.dim() <= 1]
    groups = [(weights, weight_decay), (others, 0.0)]
    return [
        {"params": members, "weight_decay": decay, "lr_ratio": 1.0} for members, decay in groups if members
    ]


def require_not_negative(config: object, *names: str) -> None:
    """Raise a UserError unless the fields ``names`` are finite numbers from 0."""
    for name in names:
        value = getattr(config, name)
        if not (value >= 0 and math.isfinite(value)):
            raise UserError(f"{type(config).__name__}: {name} must be a finite number from 0, found {value}")


def require_share(config: object, *names: str) -> None:
    """Raise a UserError unless the fields ``names`` lie in 0 … 1, below 1."""
    for name in names:
        value = getattr(config, name)
        if not 0 <= value < 1:
            raise UserError(f"{type(config).__name__}: {name} must lie in 0 … 1, below 1, found {value}")
