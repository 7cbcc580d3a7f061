"""Networks that tell their parts, so that the first of them can be treated apart from the rest."""

from typing import Protocol, runtime_checkable

from torch import nn

from cifarlab.models.centered import CenteredNetwork


@runtime_checkable
class InParts(Protocol):
    """A network whose images pass one part after the other."""

    def parts(self) -> tuple[nn.Module, ...]:
        """The parts in that order, each of which takes what the one before gives; the last layer is none."""


def parts_of(network: nn.Module) -> tuple[nn.Module, ...]:
    """The parts of ``network``; none where it tells none."""
    inner = network.network if isinstance(network, CenteredNetwork) else network
    return inner.parts() if isinstance(inner, InParts) else ()
