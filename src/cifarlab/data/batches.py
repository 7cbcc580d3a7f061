"""Training batches from images that live on the device: no worker processes, no copies per batch."""

from dataclasses import dataclass

import torch
from torch import Tensor

from cifarlab.data.split import Split
from cifarlab.runtime import generator


@dataclass(frozen=True)
class DeviceSplit:
    """The images of a run on its device. ``indices`` picks the part of the split that is used."""

    images: Tensor
    """uint8 ``[N, 3, H, W]``, the whole split, never copied per part."""
    labels: Tensor
    """int64 ``[N]``."""
    indices: Tensor
    """int64 ``[M]`` on the device; position ``p`` of this part is image ``indices[p]``."""

    def __len__(self) -> int:
        return len(self.indices)

    def batch(self, positions: Tensor) -> tuple[Tensor, Tensor]:
        """Images uint8 ``[B, 3, H, W]`` and labels int64 ``[B]`` at ``positions`` (int64 ``[B]``)."""
        picked = self.indices[positions]
        return self.images.index_select(0, picked), self.labels.index_select(0, picked)


def on_device(split: Split, parts: list[Tensor], device: torch.device) -> list[DeviceSplit]:
    """Parts of a split on ``device``; they share the images."""
    images, labels = split.images.to(device), split.labels.to(device)
    return [DeviceSplit(images, labels, part.to(device)) for part in parts]


def whole(split: Split, device: torch.device) -> DeviceSplit:
    """All of a split on ``device``."""
    return on_device(split, [torch.arange(len(split))], device)[0]


def epoch_order(count: int, seed: int, epoch: int) -> Tensor:
    """The order in which an epoch visits ``count`` images: int64 ``[count]``, from (seed, epoch) alone."""
    return torch.randperm(count, generator=generator(seed, "order", epoch))
