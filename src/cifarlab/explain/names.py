"""What layers and operations are called in a drawing of a network, short and in the field's terms."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torch import nn

from cifarlab.models.cbam import ChannelAttention, SpatialAttention
from cifarlab.models.pyramid_pooling import AveragePooling
from cifarlab.models.shake_shake import Shake, TwoPathShortcut

PLUS, TIMES = "+", "×"
_ACTIVATIONS = ("ReLU", "ReLU6", "LeakyReLU", "ELU", "SiLU", "GELU", "Tanh", "sigmoid")
BESIDE = frozenset((*_ACTIVATIONS, "BN", "flatten", "scaled", "shift", "part"))
"""What is named in the box of the layer beside it; so are dropout and what is added."""
_WHOLE = (ChannelAttention, SpatialAttention, TwoPathShortcut)
"""Modules with layers of their own that are drawn as one."""
_FUNCTIONS = {
    "relu": "ReLU",
    "relu_": "ReLU",
    "sigmoid": "sigmoid",
    "flatten": "flatten",
    "cat": "concatenation",
    "mean": "global average",
    "amax": "global maximum",
    "interpolate": "up-sampling",
    "expand": "spread over the map",
    "__getitem__": "part",
    "pad": "shift",
}


def is_one_step(module: nn.Module) -> bool:
    """Whether ``module`` is drawn as a whole and not by what is in it."""
    if isinstance(module, nn.Sequential | nn.ModuleList | nn.Identity):
        return False
    return isinstance(module, _WHOLE) or next(module.children(), None) is None


def layer_name(module: nn.Module) -> str:
    """Such as ``3×3 conv, 64, /2``, the last of which is the stride; empty for what does nothing."""
    describe = _LAYERS.get(type(module))
    return type(module).__name__ if describe is None else describe(module)


def _convolution(layer: nn.Conv2d) -> str:
    parts = [f"{_square(layer.kernel_size)} conv", str(layer.out_channels)]
    parts += [f"/{max(layer.stride)}"] if max(layer.stride) > 1 else []
    parts += [f"dilation {max(layer.dilation)}"] if max(layer.dilation) > 1 else []
    return ", ".join(parts)


def _two_paths(module: TwoPathShortcut) -> str:
    stride = f", /{module.stride}" if module.stride > 1 else ""
    return f"ReLU · two 1×1 conv, {module.straight.out_channels} each{stride} · BN"


_LAYERS: dict[type[nn.Module], Callable[[Any], str]] = {
    nn.Conv2d: _convolution,
    nn.Linear: lambda layer: f"dense, {layer.out_features}",
    nn.BatchNorm2d: lambda _: "BN",
    nn.MaxPool2d: lambda pool: f"max-pool {_square(pool.kernel_size)}",
    nn.AvgPool2d: lambda pool: f"average pool {_square(pool.kernel_size)}",
    nn.Upsample: lambda layer: f"up-sampling ×{layer.scale_factor:g}, {layer.mode}",
    nn.Dropout: lambda layer: f"dropout {layer.p:g}" if layer.p > 0 else "",
    nn.Flatten: lambda _: "flatten",
    ChannelAttention: lambda _: "channel attention",
    SpatialAttention: lambda _: "spatial attention",
    AveragePooling: lambda _: "global average",
    Shake: lambda _: "Shake",
    TwoPathShortcut: _two_paths,
}


def function_name(
    function: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any], tensors: int
) -> str:
    """What an operation on so many ``tensors`` of the network is called."""
    name = getattr(function, "__name__", "operation")
    match name.strip("_"):
        case "add" | "radd" | "iadd":
            return PLUS if tensors > 1 else f"plus {next(a for a in args if not hasattr(a, 'shape'))}"
        case "mul" | "rmul" | "imul":
            return TIMES if tensors > 1 else "scaled"
        case "truediv" | "div":
            return "scaled"
        case "adaptive_avg_pool2d":
            return f"average over {_square(args[1])} cells"
        case _:
            return _FUNCTIONS.get(name, name.strip("_"))


def is_beside(name: str) -> bool:
    """Whether a step of this name shares the box of its neighbor."""
    return name in BESIDE or name.startswith(("dropout ", "plus "))


def _square(size: Any) -> str:
    sides = (size, size) if isinstance(size, int) else tuple(size)
    return "×".join(str(side) for side in sides)
