"""A CUDA graph for the CPU: operations as they were recorded, done again on the same memory.

Where a CUDA graph keeps a number of Python, so does a tape; what a CUDA graph cannot record, because it waits
for the device or copies from the host, a tape refuses. What is right on a tape should be right there.
"""

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

aten = torch.ops.aten
REFUSED = {
    aten._local_scalar_dense.default: "waits for the device",
    aten.equal.default: "waits for the device",
    aten.nonzero.default: "waits for the device",
    aten.masked_select.default: "waits for the device",
    aten.lift_fresh.default: "copies a number from the host",
}


STREAMS_GIVEN_BACK: list[Any] = []
"""After a recording that failed."""


class Tape(TorchDispatchMode):
    """While entered, it records every operation below autograd; it never forgets a tensor."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[Any, Any, Any, Any]] = []

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        assert func not in REFUSED, f"{func} {REFUSED[func]}"
        if func is aten.index.Tensor:
            dtypes = {index.dtype for index in args[1] if index is not None}
            assert dtypes == {torch.int64}, "an index of bools waits for the device"
        found = func(*args, **(kwargs or {}))
        self.calls.append((func, args, kwargs or {}, found))
        return found

    @torch.no_grad()
    def play(self) -> None:
        """The same operations on the same tensors."""
        for func, args, kwargs, found in self.calls:
            again = func(*args, **kwargs)
            for place, value in zip(_tensors(found), _tensors(again), strict=True):
                if place.untyped_storage().data_ptr() != value.untyped_storage().data_ptr():
                    place.detach().copy_(value)


class TapedGraph:
    """In the place of ``torch.cuda.CUDAGraph``."""

    def __init__(self) -> None:
        self.tape = Tape()

    def replay(self) -> None:
        self.tape.play()


class Stream:
    """In the place of ``torch.cuda.Stream``; on a CPU all is done in order."""

    def wait_stream(self, other: "Stream") -> None:
        assert isinstance(other, Stream)


def play_cuda(patch: pytest.MonkeyPatch) -> None:
    """Let ``captured.cuda_graphs`` record on tapes."""

    @contextlib.contextmanager
    def inside(place: object) -> Iterator[None]:
        yield

    def graph(recorded: TapedGraph, *, pool: str, stream: Stream) -> Tape:
        assert pool == "pool" and isinstance(stream, Stream)
        return recorded.tape

    patch.setattr(torch.cuda, "device", inside)
    patch.setattr(torch.cuda, "stream", inside)
    patch.setattr(torch.cuda, "Stream", Stream)
    patch.setattr(torch.cuda, "current_stream", Stream)
    patch.setattr(torch.cuda, "set_stream", STREAMS_GIVEN_BACK.append)
    patch.setattr(torch.cuda, "graph_pool_handle", lambda: "pool")
    patch.setattr(torch.cuda, "CUDAGraph", TapedGraph)
    patch.setattr(torch.cuda, "graph", graph)


def _tensors(value: Any) -> list[Tensor]:
    return [each for each in torch.utils._pytree.tree_leaves(value) if isinstance(each, Tensor)]
