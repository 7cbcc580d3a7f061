"""Images whose label the networks doubt: suspects, not errors.

Source: C. Northcutt, L. Jiang, I. Chuang, Confident Learning: Estimating Uncertainty in Dataset Labels, JAIR
2021. An image labeled i is counted as confidently another class j when its probability of j reaches the mean
probability of j over the images labeled j (section 3.1); ranked by the normalized margin (section 3.3 and the
authors' code).
"""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Suspect:
    """One image whose label is doubted."""

    image: int
    """Its index in its half."""
    given: int
    """The class of its label."""
    suggested: int
    """The class that the networks take it for."""
    given_probability: float
    suggested_probability: float

    @property
    def margin(self) -> float:
        """How much more probable the given class is than the suggested one; −1 is the strongest doubt."""
        return self.given_probability - self.suggested_probability


def class_thresholds(probabilities: Tensor, labels: Tensor) -> Tensor:
    """For each class the mean probability of it over the images labeled so, ``[K]``; 2 for an empty class.

    Args:
        probabilities: float64 ``[N, K]``, of networks that have not seen these labels.
        labels: int64 ``[N]``.
    """
    classes = probabilities.shape[1]
    counts = torch.bincount(labels, minlength=classes)
    given = probabilities.gather(1, labels[:, None]).squeeze(1)
    sums = torch.zeros(classes, dtype=probabilities.dtype).index_add_(0, labels, given)
    return torch.where(counts > 0, sums / counts.clamp(min=1), 2.0)


def find_suspects(probabilities: Tensor, labels: Tensor) -> list[Suspect]:
    """The images that are confidently of another class than their label says, the most doubted first.

    Where several classes reach their thresholds, the most probable of them counts. Arguments as of
    ``class_thresholds``.
    """
    reached = probabilities >= class_thresholds(probabilities, labels)
    suggested = probabilities.masked_fill(~reached, -1.0).argmax(1)
    doubted = reached.any(1) & (suggested != labels)
    found = [
        Suspect(
            image,
            int(labels[image]),
            int(suggested[image]),
            float(probabilities[image, labels[image]]),
            float(probabilities[image, suggested[image]]),
        )
        for image in doubted.nonzero().flatten().tolist()
    ]
    return sorted(found, key=lambda suspect: (suspect.margin, suspect.image))
