"""Figures of a trained network, computed from its logits alone."""

from dataclasses import dataclass

import torch
from sklearn.metrics import confusion_matrix, recall_score
from torch import Tensor
from torch.nn import functional as F

from cifarlab.statistics import accuracy_interval


@dataclass(frozen=True)
class ClassAccuracy:
    """One row of the per-class table."""

    name: str
    images: int
    correct: int

    @property
    def accuracy(self) -> float:
        """The share of the class's images that are classified right: its recall."""
        return self.correct / self.images

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of ``accuracy``."""
        return accuracy_interval(self.correct, self.images)


@dataclass(frozen=True)
class CalibrationBin:
    """Images whose confidence lies above ``lower`` and at or below ``upper``."""

    lower: float
    upper: float
    count: int
    confidence: float
    """Mean confidence of the images; 0 where there are none."""
    accuracy: float
    """Share of the images classified right; 0 where there are none."""


def correct_count(logits: Tensor, labels: Tensor) -> int:
    """How many rows of ``[N, K]`` have their largest logit at the label (int64 ``[N]``)."""
    return int((logits.argmax(1) == labels).sum())


def mean_loss(logits: Tensor, labels: Tensor) -> float:
    """Mean cross-entropy of logits ``[N, K]``, in double precision."""
    return float(F.cross_entropy(logits.double(), labels))


def confusion(logits: Tensor, labels: Tensor) -> list[list[int]]:
    """Counts ``[K][K]``: rows are true classes, columns predicted ones."""
    classes = range(logits.shape[1])
    counts = confusion_matrix(labels.numpy(), logits.argmax(1).numpy(), labels=list(classes))
    return [[int(count) for count in row] for row in counts]


def balanced_accuracy(logits: Tensor, labels: Tensor) -> float:
    """The mean accuracy of the classes that have images, for sets whose classes differ in size."""
    right, found = labels.numpy(), logits.argmax(1).numpy()
    return float(recall_score(right, found, labels=labels.unique().numpy(), average="macro"))


def per_class(logits: Tensor, labels: Tensor, class_names: tuple[str, ...]) -> list[ClassAccuracy]:
    """One row per class that has images."""
    table = zip(class_names, confusion(logits, labels), strict=True)
    return [
        ClassAccuracy(name, sum(row), row[place]) for place, (name, row) in enumerate(table) if sum(row) > 0
    ]


def calibration(logits: Tensor, labels: Tensor, bins: int = 15) -> tuple[float, list[CalibrationBin]]:
    """The expected calibration error and its bins of equal width (Guo et al. 2017, section 2).

    Confidence is the largest softmax probability. The error is the mean gap between confidence and accuracy
    over the bins, weighted by their counts.
    """
    confidence, predicted = logits.double().softmax(1).max(1)
    right = (predicted == labels).double()
    edges = torch.linspace(0, 1, bins + 1, dtype=torch.float64)
    place = torch.bucketize(confidence, edges[1:-1])
    table = []
    error = 0.0
    for i in range(bins):
        inside = place == i
        count = int(inside.sum())
        mean_confidence = float(confidence[inside].mean()) if count else 0.0
        accuracy = float(right[inside].mean()) if count else 0.0
        table.append(CalibrationBin(float(edges[i]), float(edges[i + 1]), count, mean_confidence, accuracy))
        error += count / len(labels) * abs(mean_confidence - accuracy)
    return error, table


def most_confident_mistakes(logits: Tensor, labels: Tensor, at_most: int = 24) -> Tensor:
    """Indices (int64 ``[M]``) of wrongly classified images, the most confident first."""
    confidence, predicted = logits.double().softmax(1).max(1)
    wrong = (predicted != labels).nonzero().flatten()
    return wrong[confidence[wrong].argsort(descending=True, stable=True)][:at_most]
