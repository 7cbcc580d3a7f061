"""The frozen description of one run: what is trained, how, and how it is judged."""

import math
from dataclasses import dataclass
from typing import Literal

from cifarlab.augment import Augmentation, Mixing, Normalization, Normalize
from cifarlab.averaging import MovingAverage
from cifarlab.data.holdout import Fraction, Holdout, NoHoldout
from cifarlab.errors import UserError
from cifarlab.freezing import LateFreezing
from cifarlab.losses import CrossEntropy, Loss
from cifarlab.models import Model
from cifarlab.optim import Adam, Optimizer
from cifarlab.penalties import Penalty
from cifarlab.resolution import GrowingResolution
from cifarlab.runtime import Precision
from cifarlab.schedules import Constant, Plateau, Schedule
from cifarlab.views import TestTimeViews

SelectBy = Literal["val_loss", "val_accuracy", "val_balanced_accuracy", "test_accuracy", "last"]


def _require_at_least_one(config: object, *names: str) -> None:
    for name in names:
        if getattr(config, name) < 1:
            raise UserError(f"{name} must be at least 1, found {getattr(config, name)}")


@dataclass(frozen=True)
class EvaluationMode:
    """The right way to evaluate: running statistics, no dropout; the batch size changes no result."""

    batch_size: int = 500

    def __post_init__(self) -> None:
        _require_at_least_one(self, "batch_size")


@dataclass(frozen=True)
class TrainingMode:
    """Report 003's way: the network is never switched to evaluation.

    Dropout stays on and BatchNorm normalizes with the statistics of the evaluated batch, so the batch size
    matters. The authors' public code evaluates the training and the test set in batches of 4 and the
    validation set in batches of 128.
    """

    batch_size: int = 4
    validation_batch_size: int = 128

    def __post_init__(self) -> None:
        _require_at_least_one(self, "batch_size", "validation_batch_size")


Mode = EvaluationMode | TrainingMode


@dataclass(frozen=True)
class Judging:
    """How a run is judged: what is held out, what chooses the epoch, in which mode images are evaluated."""

    holdout: Holdout = Fraction(0.1)
    """The validation images, taken out of the training set."""
    select_by: SelectBy = "val_accuracy"
    """The figure whose best epoch gives the run's weights; ``test_accuracy`` only to repeat a report."""
    mode: Mode = EvaluationMode()


@dataclass(frozen=True)
class Recipe:
    """One run. Only primary values: steps, widths and class counts are derived when it is built."""

    model: Model
    augment: tuple[Augmentation, ...] = ()
    normalize: Normalization = Normalize()
    mix: Mixing | None = None
    """Mixing of training images with one another, after everything else."""
    resolution: GrowingResolution | None = None
    """Begin on smaller copies of the training images."""
    optimizer: Optimizer = Adam()
    schedule: Schedule = Constant()
    loss: Loss = CrossEntropy()
    penalty: Penalty | None = None
    """A term of the loss on the size of parameters, apart from the optimizer's weight decay."""
    clip_norm: float | None = None
    """Scale all gradients down to this norm where theirs is higher."""
    freezing: LateFreezing | None = None
    """Stop training the network's first parts before the end."""
    average: MovingAverage | None = None
    """Judge, and keep, an average of the weights in the place of the last ones."""
    views: TestTimeViews | None = None
    """Judge the finished run, and answer for it, by several views of each picture."""
    epochs: int = 20
    batch_size: int = 128
    patience: int | None = None
    """Early stopping: epochs without an improvement of ``judging.select_by`` after which a run ends."""
    train_images: int | None = None
    """Train on this many images only, equally many of each class (report 000's training-set sizes)."""
    judging: Judging = Judging()
    """Protocol C, and B with it."""
    published: Judging | None = None
    """Protocol A, as the report did it, where that differs from ``judging``."""
    precision: Precision = "auto"
    compile: bool = False
    """Compile the network with ``torch.compile``: slower to start, faster per step on a GPU."""
    capture: bool = False
    """Record each kind of step as a CUDA graph and replay it: for networks that a GPU runs faster than Python
    can launch their kernels."""

    def __post_init__(self) -> None:
        _require_at_least_one(self, "epochs", "batch_size")
        if self.patience is not None and self.patience < 1:
            raise UserError(
                f"patience must be at least 1, found {self.patience}; leave it out to switch it off"
            )
        if self.clip_norm is not None and not (self.clip_norm > 0 and math.isfinite(self.clip_norm)):
            raise UserError(f"clip_norm must be a finite number above 0, found {self.clip_norm}")

    def steps_of_epoch(self, images: int) -> int:
        """Steps of an epoch of so many training images; the last batch may be a smaller one."""
        return math.ceil(images / self.batch_size)

    def share_done(self, step: int, images: int) -> float:
        """What part of a run on so many training images is done before its step ``step`` (from 0)."""
        return step / (self.steps_of_epoch(images) * self.epochs)


Protocols = Literal["C", "B,C", "A"]


def judging_under(recipe: Recipe, protocols: Protocols) -> Judging:
    """How ``recipe`` is judged under ``protocols``.

    C: the validation split chooses the epoch, the test set is opened once. B,C: the same, and the test set
    is also evaluated every epoch, which shows what choosing on it would have gained. A: as published.

    Raises:
        UserError: A for a recipe whose report was judged as C.
    """
    if protocols != "A":
        if recipe.judging.select_by == "test_accuracy":
            raise UserError("judging.select_by: only protocol A may choose the epoch on the test set")
        return _checked(recipe, recipe.judging)
    if recipe.published is None:
        raise UserError("this recipe has no judging as published (protocol A); it has protocols C and B,C")
    return _checked(recipe, recipe.published)


def _checked(recipe: Recipe, judging: Judging) -> Judging:
    """``judging``, after a look whether it fits the recipe, and what needs validation images has some."""
    if recipe.views is not None and isinstance(judging.mode, TrainingMode):
        raise UserError("views need a network in evaluation mode, and this recipe judges it in training mode")
    if isinstance(judging.holdout, NoHoldout):
        if judging.select_by.startswith("val"):
            raise UserError(f"select_by {judging.select_by} needs validation images, and none are held out")
        if isinstance(recipe.schedule, Plateau):
            raise UserError("the schedule Plateau follows the validation loss, and no images are held out")
    return judging
