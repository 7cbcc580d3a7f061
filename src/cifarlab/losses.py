"""Losses as values."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F


@dataclass(frozen=True)
class CrossEntropy:
    """Softmax cross-entropy with integer targets."""

    class_weights: Literal["equal", "balanced"] = "equal"
    """``balanced`` weights an image by N / (K · images of its class), so that all classes count alike however
    many images they have. The weights' mean over the training images is 1."""

    def weights(self, labels: Tensor, classes: int) -> Tensor | None:
        """The weight of each class, float32 ``[K]``, from all training labels (``[N]``); None if equal."""
        if self.class_weights == "equal":
            return None
        counts = torch.bincount(labels, minlength=classes)
        # A class without images has no image to weight, and no part in the mean.
        return (len(labels) / ((counts > 0).sum() * counts.clamp(min=1))).float()

    def mean(self, logits: Tensor, labels: Tensor, weights: Tensor | None = None) -> Tensor:
        """The mean over a batch, a scalar: logits ``[N, K]``, int64 labels ``[N]``; computed in fp32.

        Weighted losses are divided by N, not by the sum of the batch's weights: an image then counts as much
        in one batch as in another.
        """
        if weights is None:
            return F.cross_entropy(logits.float(), labels)
        return F.cross_entropy(logits.float(), labels, weights, reduction="sum") / len(labels)


Loss = CrossEntropy
