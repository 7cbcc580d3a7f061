"""Several processes that train one network together, as ``torchrun`` starts them.

Every process holds the whole data set and makes the same decisions; a batch is divided among them, and so is
every evaluation. The first process (rank 0) writes all files. gloo carries what lies on the CPU, NCCL what
lies on GPUs. Nothing that is sent is pickled: it is tensors, or bytes of JSON and safetensors.
"""

import contextlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import torch
import torch.distributed as dist
from torch import Tensor, nn

from cifarlab.errors import EXPECTED, UserError
from cifarlab.runtime import device_named

BatchStatistics = Literal["process", "all"]
"""What BatchNorm normalizes with in training: each process's own part of the batch, or all of the batch.

In a batch with fewer images than processes, "all" counts the first image once more for every idle process."""


@dataclass(frozen=True)
class Group:
    """The processes of a run, seen from one of them. The default is a process that is alone."""

    rank: int = 0
    size: int = 1
    local_rank: int = 0
    """The place among the processes of the same machine."""
    batch_statistics: BatchStatistics = "process"

    @property
    def is_first(self) -> bool:
        """Whether this process writes files and speaks."""
        return self.rank == 0

    @property
    def keys(self) -> tuple[int, ...]:
        """What this process adds to the keys of a seed, so that no two drop the same units."""
        return () if self.size == 1 else (self.rank, self.size)

    def part_of(self, batch: Tensor) -> tuple[Tensor, float]:
        """This process's part of a batch (int64 ``[B]``), and the weight of its mean loss.

        Averaged over the processes, the weighted means give the mean over the whole batch, whatever the
        sizes of the parts. A process for which no image is left computes the first one with weight 0, since
        it must take part in every exchange of gradients.
        """
        if self.size == 1:
            return batch, 1.0
        part = batch.tensor_split(self.size)[self.rank]
        return (part if len(part) else batch[:1]), len(part) * self.size / len(batch)

    def with_statistics(self, network: nn.Module, device: torch.device) -> nn.Module:
        """``network`` with SyncBatchNorm in the place of BatchNorm, where all processes share statistics.

        Raises:
            UserError: SyncBatchNorm was asked for on another device than CUDA; torch has none there.
        """
        if self.size == 1 or self.batch_statistics == "process":
            return network
        if device.type != "cuda":
            raise UserError("--batch-statistics all (SyncBatchNorm) works on CUDA only; leave it out")
        synchronized: nn.Module = nn.SyncBatchNorm.convert_sync_batchnorm(network)
        return synchronized

    def shared(self, network: Any, device: torch.device) -> Any:
        """``network`` with gradients that are the mean over all processes.

        Weights and BatchNorm's running statistics are those of the first process.
        """
        if self.size == 1:
            return network
        return nn.parallel.DistributedDataParallel(
            network, device_ids=[device.index] if device.type == "cuda" else None
        )

    def any(self, flag: bool) -> bool:
        """Whether ``flag`` is true in any process; all must ask."""
        if self.size == 1:
            return flag
        found = torch.tensor([flag], dtype=torch.uint8)
        dist.all_reduce(found, dist.ReduceOp.MAX)
        return bool(found)

    def smallest(self, values: Tensor) -> Tensor:
        """The elementwise minimum of ``values`` over all processes."""
        if self.size > 1:
            values = values.clone()
            dist.all_reduce(values, dist.ReduceOp.MIN)
        return values

    def sum(self, values: Tensor) -> Tensor:
        """The elementwise sum of ``values`` over all processes."""
        if self.size > 1:
            values = values.clone()
            dist.all_reduce(values)
        return values

    def same_statistics(self, network: nn.Module) -> None:
        """Give every process the first one's buffers, which are BatchNorm's running statistics."""
        if self.size > 1:
            for buffer in network.buffers():
                dist.broadcast(buffer, 0)

    def positions_of(self, count: int) -> Tensor:
        """Which of ``count`` rows this process computes: int64 ``[ceil(count / size)]``.

        All processes get equally many, so that they stay in step; where rows run out, row 0 is repeated, and
        ``gathered`` drops what was computed twice.
        """
        padded = torch.zeros(-(-count // self.size) * self.size, dtype=torch.int64)
        padded[:count] = torch.arange(count)
        return padded[self.rank :: self.size]

    def gathered(self, rows: Tensor, count: int) -> Tensor:
        """All rows, ``[count, K]``, from those that every process computed at its ``positions_of(count)``."""
        if self.size == 1:
            return rows
        parts = [torch.empty_like(rows) for _ in range(self.size)]
        dist.all_gather(parts, rows.contiguous())
        return torch.stack(parts, dim=1).flatten(0, 1)[:count]

    def from_first(self, make: Callable[[], Any]) -> Any:
        """The JSON value that ``make`` gives in the first process, in all of them.

        Raises:
            UserError, Diverged, Stopped, Unavailable: as ``make`` raised it in the first process.
        """
        if self.size == 1:
            return make()
        value = None

        def packed() -> bytes:
            nonlocal value
            value = make()
            return json.dumps(value).encode()

        content = self.bytes_from_first(packed)
        return value if self.is_first else json.loads(content)

    def agree(self, settings: str) -> None:
        """Check that all processes were started alike.

        Args:
            settings: all that must be the same, as text.

        Raises:
            UserError: in all of them, where one differs.
        """
        if self.any(settings != self.from_first(lambda: settings)):
            raise UserError(
                "the processes of this run differ in recipe, seed, data, device or version; start all with "
                "the same command and the same files"
            )

    def bytes_from_first(self, make: Callable[[], bytes]) -> bytes:
        """The bytes that ``make`` gives in the first process, in all of them; errors too."""
        if self.size == 1:
            return make()
        if not self.is_first:
            return _opened(_broadcast(None))
        try:
            content = make()
        except EXPECTED as error:
            _broadcast(json.dumps([type(error).__name__, str(error)]).encode() + b"!")
            raise
        _broadcast(content + b".")
        return content

    @contextlib.contextmanager
    def one_after_the_other(self) -> Iterator[None]:
        """The first process of every machine goes through the block alone, then all the others do.

        What the first leaves on the disk (decoded pictures) the others find.
        """
        if self.local_rank > 0:
            self._meet()
        yield
        if self.local_rank == 0:
            self._meet()
        self._meet()

    def device(self, name: str) -> torch.device:
        """The device of this process: its own GPU where ``name`` asks for CUDA or leaves it open.

        Raises:
            UserError: no such device, or fewer GPUs than processes on this machine.
        """
        if self.size == 1:
            return device_named(name)
        if name == "cpu" or (name == "auto" and not torch.cuda.is_available()):
            return torch.device("cpu")
        if name not in ("auto", "cuda"):
            raise UserError(f"--device {name} is one device; several processes take cpu, cuda or auto")
        if self.local_rank >= torch.cuda.device_count():
            raise UserError(
                f"this machine has {torch.cuda.device_count()} GPUs; start at most as many processes on it, "
                "or take --device cpu"
            )
        # First of all: what has no number goes to the first GPU otherwise.
        torch.cuda.set_device(self.local_rank)
        return device_named(f"cuda:{self.local_rank}")

    def _meet(self) -> None:
        """Wait for all processes."""
        self.any(False)


ALONE = Group()


def _broadcast(content: bytes | None) -> bytes:
    """``content`` of the first process, which alone gives it."""
    length = torch.tensor([0 if content is None else len(content)])
    dist.broadcast(length, 0)
    data = torch.empty(int(length), dtype=torch.uint8)
    if content is not None:
        data = torch.frombuffer(bytearray(content), dtype=torch.uint8)
    dist.broadcast(data, 0)
    return data.numpy().tobytes()


def _opened(message: bytes) -> bytes:
    """The content of a message of the first process; its last byte says whether it is an error."""
    content, ending = message[:-1], message[-1:]
    if ending == b"!":
        name, text = json.loads(content)
        raise next(kind for kind in EXPECTED if kind.__name__ == name)(text)
    return content
