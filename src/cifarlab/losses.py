"""Losses as values."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from cifarlab.errors import UserError


@dataclass(frozen=True)
class CrossEntropy:
    """Softmax cross-entropy with integer or soft targets."""

    class_weights: Literal["equal", "balanced"] = "equal"
    """``balanced`` weights an image by N / (K · images of its class), so that all classes count alike however
    many images they have. The weights' mean over the training images is 1."""
    label_smoothing: float = 0.0
    """This part of every target is spread evenly over all classes (Szegedy et al. 2016, section 7)."""

    def __post_init__(self) -> None:
        if not 0 <= self.label_smoothing < 1:
            raise UserError(
                f"CrossEntropy: label_smoothing must lie in 0 … 1, below 1, found {self.label_smoothing}"
            )

    def weights(self, labels: Tensor, classes: int) -> Tensor | None:
        """The weight of each class, float32 ``[K]``, from all training labels (``[N]``); None if equal."""
        if self.class_weights == "equal":
            return None
        counts = torch.bincount(labels, minlength=classes)
        # A class without images has no image to weight, and no part in the mean.
        return (len(labels) / ((counts > 0).sum() * counts.clamp(min=1))).float()

    def mean(self, logits: Tensor, targets: Tensor, weights: Tensor | None = None) -> Tensor:
        """The mean over a batch, a scalar, computed in fp32.

        Weighted losses are divided by N, not by the sum of the batch's weights: an image then counts as much
        in one batch as in another.

        Args:
            logits: ``[N, K]``.
            targets: labels, int64 ``[N]``, or the share of every class, float ``[N, K]``.
        """
        logits = logits.float()
        if weights is None:
            return F.cross_entropy(logits, targets, label_smoothing=self.label_smoothing)
        total = F.cross_entropy(
            logits, targets, weights, reduction="sum", label_smoothing=self.label_smoothing
        )
        return total / len(targets)


Loss = CrossEntropy
