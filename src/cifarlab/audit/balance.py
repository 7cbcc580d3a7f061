"""How many images each class has, and what that does to an accuracy."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

UNBALANCED = 1.5
"""Largest class over smallest, in the training set, from which on a warning is given."""


@dataclass(frozen=True)
class Balance:
    """The classes of one half of a data set."""

    counts: tuple[int, ...]
    """Images of each class."""
    ratio: float | None
    """Largest class over smallest; None where a class has no image."""
    effective_classes: float
    """The exponential of the entropy of the class shares: K where all are equal, 1 where one has all."""
    majority: float
    """The accuracy of always saying the largest class."""
    chance: float
    """The accuracy of saying classes at random, as often as they occur."""

    @property
    def unbalanced(self) -> bool:
        """Whether classes differ so much that plain accuracy and plain training favor the large ones."""
        return self.ratio is None or self.ratio >= UNBALANCED


def balance(labels: Sequence[int], classes: int) -> Balance:
    """The balance of ``labels``, of which there must be at least one, over ``classes`` classes."""
    counts = [0] * classes
    for label in labels:
        counts[label] += 1
    shares = [count / len(labels) for count in counts]
    return Balance(
        counts=tuple(counts),
        ratio=max(counts) / min(counts) if min(counts) else None,
        effective_classes=math.exp(-sum(share * math.log(share) for share in shares if share)),
        majority=max(shares),
        chance=sum(share**2 for share in shares),
    )
