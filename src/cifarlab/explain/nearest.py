"""The training pictures that a network sees as most like a given one."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cifarlab.augment import Normalization
from cifarlab.data.batches import DeviceSplit
from cifarlab.explain.features import features_of

_AT_ONCE = 500


@dataclass(frozen=True)
class TrainingIndex:
    """Training images by their features, the input of the network's last dense layer."""

    network: nn.Module
    directions: Tensor
    """Features of length 1, float32 ``[M, F]``, on the network's device."""
    indices: Tensor
    """int64 ``[M]``: row ``r`` is image ``indices[r]`` of the split."""

    @staticmethod
    def build(network: nn.Module, split: DeviceSplit, normalize: Normalization) -> "TrainingIndex":
        """Look at every image of ``split`` once, not augmented."""
        positions = torch.arange(len(split), device=split.images.device)
        rows = [
            _directions(network, normalize.apply(split.batch(some)[0])) for some in positions.split(_AT_ONCE)
        ]
        return TrainingIndex(network, torch.cat(rows), split.indices)

    def nearest(self, images: Tensor, count: int) -> tuple[Tensor, Tensor]:
        """The images of the split that are most similar to each of ``images``, the most similar first.

        Args:
            images: normalized, float ``[N, 3, H, W]``.
            count: how many for each; all there are, where there are fewer.

        Returns:
            Their places in the split's ``images`` and ``labels``, int64 ``[N, count]``, and their similarity,
            float32 ``[N, count]``: the cosine between the features, −1 to 1. Of equal ones the earlier first.
        """
        similarity = _directions(self.network, images) @ self.directions.T
        values, rows = similarity.clamp(-1, 1).sort(descending=True, stable=True)
        return self.indices[rows[:, :count]], values[:, :count]


def _directions(network: nn.Module, images: Tensor) -> Tensor:
    return F.normalize(features_of(network, images))
