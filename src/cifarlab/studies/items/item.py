"""What an item of a report is: a table or a figure, recipes that re-create it, and claims about it."""

from dataclasses import dataclass
from typing import Literal

from cifarlab.studies.table import Quantity

Measure = Literal["train_accuracy", "inference_seconds", "zero_activations"]
"""What is measured on the networks of finished runs, beside what a run's own result tells."""


@dataclass(frozen=True)
class Variant:
    """One row of an item's table."""

    label: str
    """As the report calls it; with `` · `` between a group and its member."""
    recipe: str
    """The recipe's name."""
    numbers: tuple[Quantity, ...] = ()
    """The quantities for which the report gives a number of this row."""
    after: str = ""
    """The label of the variant whose weights are the first ones."""
    unidentified: str = ""
    """Why the report says too little to repeat its numbers; empty where it says enough."""


@dataclass(frozen=True)
class Term:
    """A quantity of some rows, averaged over them."""

    labels: tuple[str, ...]
    quantity: Quantity = "test_accuracy"
    minus: Quantity | None = None
    """Another quantity of the same row, which is subtracted."""
    class_names: tuple[str, ...] = ()
    """Of ``test_accuracy`` that of these classes alone."""
    within: float = 1.0
    """Of an accuracy on validation or test images the best one in this first share of the run."""


@dataclass(frozen=True)
class Contrast:
    """A claim of the report as arithmetic on rows."""

    text: str
    """What the report says."""
    where: str
    """Such as ``section 2.1.2``."""
    first: Term
    second: Term | None = None
    kind: Literal["difference", "saving", "no difference", "at least", "less than"] = "difference"
    """``first`` minus ``second``, above 0 where there is no number; 1 - first / second; a difference within
    ``verdicts.EQUIVALENCE`` of 0; one not below it; or one below the published number. Without ``second``
    it is ``first`` itself."""
    numbers: tuple[str, ...] = ()
    """Keys of the published value; several are several readings of it."""


@dataclass(frozen=True)
class Item:
    """A table or a figure of a report, or a question that it leaves open."""

    name: str
    report: str
    title: str
    claim: str
    """What the report says, in a sentence."""
    variants: tuple[Variant, ...] = ()
    figures: tuple[str, ...] = ()
    contrasts: tuple[Contrast, ...] = ()
    assumptions: tuple[str, ...] = ()
    """Choices of ours that the runs use."""
    measures: tuple[Measure, ...] = ()
    compare: Literal["all", "first", "none"] = "first"
    """Which rows are compared with which in paired tests."""
    trained: bool = True
    """Whether it needs runs; a count, a curve of rates or a picture of images does not."""
    logged_train_accuracy: bool = False
    """Whether the report's training accuracy is that of its log: augmented images, dropout on."""
    not_offered: str = ""
    """Why it cannot be reproduced; empty where it can."""

    @property
    def needs_data(self) -> bool:
        """Whether images are trained on or shown."""
        return self.trained or "stages" in self.figures
