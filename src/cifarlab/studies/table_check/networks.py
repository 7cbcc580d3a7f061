"""Numbers of parameters, against a network of cifarlab or a list of layers."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import torch

from cifarlab.errors import UserError, nearest
from cifarlab.models import CATALOG
from cifarlab.models.cost import count_parameters
from cifarlab.studies.table_check.finding import Finding
from cifarlab.studies.table_check.printed import Printed, exact, half_unit, plain, require_counts, shown

KEEPS_SHAPE = ("batch-norm", "activation", "dropout")
POOLS = ("max-pool", "average-pool")
MOST_CLASSES = 100_000


@dataclass(frozen=True)
class Network:
    """A network that cifarlab can build, and its number of parameters as stated."""

    where: str
    network: str
    """A name that ``cifarlab list models`` shows."""
    parameters: Printed
    classes: int = 10

    def __post_init__(self) -> None:
        exact(self.parameters)
        if self.network not in CATALOG:
            raise UserError(f"no network is called {self.network!r}; {nearest(self.network, CATALOG)}")
        if not 2 <= self.classes <= MOST_CLASSES:
            raise UserError(f"{self.where} needs 2 to {MOST_CLASSES:,} classes")

    def findings(self) -> Iterator[Finding]:
        """A number that is neither that of the trainable parameters nor, with statistics, of all."""
        with torch.device("meta"):  # shapes are enough to count
            count = count_parameters(CATALOG[self.network][1].build(self.classes, 32))
        stated, blur = exact(self.parameters), half_unit(self.parameters)
        if all(abs(stated - found) > blur for found in (count.trainable, count.total)):
            yield Finding(
                "parameters",
                self.where,
                f"{self.network} has {count.trainable:,} trainable parameters ({count.total:,} with"
                f" statistics), where {shown(self.parameters)} is stated",
            )


@dataclass(frozen=True)
class WiderNetwork:
    """A network said to be another with some times the channels."""

    where: str
    base: Printed
    """Parameters of the narrow one."""
    times: int
    parameters: Printed
    """Of the wide one, as stated."""

    def __post_init__(self) -> None:
        exact(self.base), exact(self.parameters)
        if not 1 <= self.times <= 1000:
            raise UserError(f"{self.where} needs a network that is 1 to 1,000 times as wide")

    def findings(self) -> Iterator[Finding]:
        """More parameters than so many channels can have: convolutions grow with the square of the width."""
        most = (exact(self.base) + half_unit(self.base)) * self.times**2
        if exact(self.parameters) - half_unit(self.parameters) > most:
            yield Finding(
                "width",
                self.where,
                f"{self.times} times the channels make at most {self.times**2} times {shown(self.base)}"
                f" parameters, {plain(most)}, where {shown(self.parameters)} is stated",
            )


Kind = Literal[
    "conv", "linear", "batch-norm", "activation", "dropout", "max-pool", "average-pool", "flatten", "other"
]


@dataclass(frozen=True)
class Layer:
    """A line of a layer list."""

    kind: Kind
    name: str = ""
    output: tuple[int, ...] = ()
    """Height, width and channels as the list states them; empty where it does not."""
    inputs: int | None = None
    """Channels or features that go in, for a convolution or a linear layer."""
    outputs: int | None = None
    kernel: int = 3
    """Height and width, of a convolution."""
    bias: bool = True

    def __post_init__(self) -> None:
        require_counts("the sizes of a layer", *self.output, self.inputs, self.outputs, self.kernel)

    def parameters(self, channels: int | None) -> int | None:
        """The trainable ones, for ``channels`` channels going in; None where too little is said."""
        inputs = self.inputs or channels
        match self.kind:
            case "conv" | "linear" if inputs and self.outputs:
                area = self.kernel**2 if self.kind == "conv" else 1
                return inputs * self.outputs * area + (self.outputs if self.bias else 0)
            case "batch-norm" if inputs:
                return 2 * inputs
            case "conv" | "linear" | "batch-norm" | "other":
                return None
            case _:
                return 0


@dataclass(frozen=True)
class Layers:
    """A layer list from the input to the output, and its number of parameters as stated."""

    where: str
    layers: tuple[Layer, ...]
    parameters: Printed | None = None

    def __post_init__(self) -> None:
        if self.parameters is not None:
            exact(self.parameters)

    def findings(self) -> Iterator[Finding]:
        """Layers that do not fit together, and a number of parameters that is not their sum."""
        shape: tuple[int, ...] = ()
        channels: int | None = None
        count: int | None = 0
        for place, layer in enumerate(self.layers, start=1):
            name = layer.name or f"layer {place}, {layer.kind}"
            for message in _misfits(layer, shape, channels):
                yield Finding("shape", self.where, f"{name}: {message}")
            own = layer.parameters(channels)
            count = None if count is None or own is None else count + own
            shape = layer.output or (shape if layer.kind in KEEPS_SHAPE else ())
            if layer.kind in ("conv", "linear", "flatten", "other"):
                channels = layer.outputs
            if shape:
                channels = shape[-1]
        if self.parameters is None or count is None:
            return
        if abs(count - exact(self.parameters)) > half_unit(self.parameters):
            message = f"the layers have {count:,} parameters, where {shown(self.parameters)} is stated"
            yield Finding("parameters", self.where, message)


def _misfits(layer: Layer, shape: tuple[int, ...], channels: int | None) -> Iterator[str]:
    """In what ``layer`` contradicts the ``shape`` and number of ``channels`` that come into it."""
    if layer.kind == "conv" and None not in (layer.inputs, channels) and layer.inputs != channels:
        yield f"it takes {layer.inputs:,} channels, and {channels:,} come"
    if layer.kind == "linear" and shape and layer.inputs not in (None, math.prod(shape)):
        yield f"it takes {layer.inputs:,} features, and {math.prod(shape):,} come"
    if layer.output and layer.outputs not in (None, layer.output[-1]):
        yield f"it makes {layer.outputs:,} channels, and its output has {layer.output[-1]:,}"
    if not shape or not layer.output:
        return
    if layer.kind in KEEPS_SHAPE and layer.output != shape:
        yield f"it keeps its input's shape, {_times(shape)}, where {_times(layer.output)} is stated"
    if layer.kind in POOLS and layer.output[-1] != shape[-1]:
        yield f"a pool keeps the channels, {shape[-1]:,}, where {layer.output[-1]:,} are stated"
    if layer.kind == "flatten" and math.prod(layer.output) != math.prod(shape):
        yield f"{_times(shape)} are {math.prod(shape):,} features, where {_times(layer.output)} is stated"


def _times(shape: tuple[int, ...]) -> str:
    return "×".join(map(str, shape))
