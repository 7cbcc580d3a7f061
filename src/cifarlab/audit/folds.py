"""Out-of-fold predictions: every training image is judged by a network that was not trained on it."""

import dataclasses
import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from cifarlab.checkpoint import decode
from cifarlab.data.batches import whole
from cifarlab.data.holdout import Fraction
from cifarlab.data.split import Source, Split, source_of
from cifarlab.errors import UserError, printable
from cifarlab.evaluate import logits_of, with_views
from cifarlab.files import one_line_errors
from cifarlab.logs import Display
from cifarlab.recipe import Judging, Recipe
from cifarlab.run import TEST_LOGITS, load_network
from cifarlab.runtime import Precision, derived_seed, device_named
from cifarlab.train import train

LEAST_STEPS = 1500
"""A fold's run takes at least so many optimizer steps where the epochs are not given."""
LEAST_EPOCHS = 6
_VALIDATION = 0.1


def assign_folds(labels: Sequence[int], groups: Sequence[int], folds: int, seed: int) -> Tensor:
    """The fold of each training image, int64 ``[N]``: stratified, and all images of a group in one fold.

    Groups are dealt in an order that the seed decides, the largest first, each to the fold that has the
    fewest images of its classes, and of those to the one with the fewest images. Where groups are single
    images, classes differ by at most one image between folds. The same on every machine.
    """
    members: dict[int, list[int]] = {}
    for image, group in enumerate(groups):
        members.setdefault(group, []).append(image)
    random = np.random.RandomState(derived_seed(seed, "audit", "folds") % 2**32)
    shuffled = random.permutation(len(members))
    order = [list(members.values())[place] for place in shuffled]
    order.sort(key=len, reverse=True)
    of_class: list[Counter[int]] = [Counter() for _ in range(folds)]
    sizes = [0] * folds
    fold_of = torch.empty(len(groups), dtype=torch.int64)
    for group_images in order:
        wanted = Counter(labels[image] for image in group_images)
        loads = [sum(count[label] * n for label, n in wanted.items()) for count in of_class]
        fold = min(range(folds), key=lambda place: (loads[place], sizes[place], place))
        of_class[fold].update(wanted)
        sizes[fold] += len(group_images)
        fold_of[group_images] = fold
    return fold_of


def fold_source(source: Source, train_split: Split, fold_of: Tensor, fold: int) -> Source:
    """The training images outside ``fold`` to train on, and those inside as the test set."""
    description = source.description
    outside, inside = ((fold_of != fold).nonzero().flatten(), (fold_of == fold).nonzero().flatten())
    return source_of(
        name=f"{description.name}, fold {fold + 1} of {int(fold_of.max()) + 1}",
        train=train_split.select(outside),
        test=train_split.select(inside),
        test_set="a fold of the training set",
        preparation=description.preparation,
    )


def fold_recipe(recipe: Recipe, labels: Tensor, folds: int, epochs: int | None) -> Recipe:
    """``recipe`` as the folds train it: a part held out to choose the epoch by its loss.

    Args:
        labels: of the whole training set, int64 ``[N]``.
        epochs: None for ``LEAST_EPOCHS``, or more where the set is so small that these are few steps.
    """
    share = (folds - 1) / folds
    counts = torch.bincount(labels)
    smallest = max(1.0, float(counts[counts > 0].min()) * share)
    validation = min(0.5, max(_VALIDATION, 1 / smallest))
    steps = max(1, round(len(labels) * share * (1 - validation) / recipe.batch_size))
    chosen = epochs or max(LEAST_EPOCHS, math.ceil(LEAST_STEPS / steps))
    judging = Judging(Fraction(validation), select_by="val_loss")
    return dataclasses.replace(recipe, epochs=chosen, judging=judging, train_images=None)


def check_folds(split: Split, folds: int, recipe: Recipe) -> None:
    """Refuse, before any work, what cannot be divided into ``folds`` or fed to the recipe's network.

    Raises:
        UserError: fewer than two folds, a class with too few images, or an image size that does not fit.
    """
    if folds < 2:
        raise UserError(f"folds: {folds} is not possible; 0 leaves the labels out, 2 or more check them")
    counts = torch.bincount(split.labels, minlength=len(split.class_names))
    for name, count in zip(split.class_names, counts.tolist(), strict=True):
        if 0 < count < 2 * folds:
            raise UserError(
                f"the class {printable(name)} has {count} training images, and {folds} folds need "
                f"{2 * folds} of each class; --folds 0 leaves the labels out"
            )
    recipe.model.build(len(split.class_names), split.images.shape[-1])


def check_holdouts(labels: Tensor, fold_of: Tensor, recipe: Recipe, seed: int) -> None:
    """Refuse folds whose rest cannot be divided once more, before the first of them is trained.

    Raises:
        UserError: large groups of duplicates leave a fold without enough images of a class.
    """
    for fold in range(int(fold_of.max()) + 1):
        outside = labels[fold_of != fold]
        try:
            if len(outside.unique()) < len(labels.unique()):
                raise UserError("no image of a class is left, since its images are duplicates of each other")
            recipe.judging.holdout.divide(outside, seed)
        except UserError as error:
            raise UserError(f"outside fold {fold + 1}: {error}; --folds 0 leaves the labels out") from error


def train_folds(
    source: Source,
    fold_of: Tensor,
    recipe: Recipe,
    folder: Path,
    *,
    recipe_name: str,
    seed: int,
    device: str,
    display_for: Callable[[int], Display],
    command: str,
) -> list[Path]:
    """Train one ordinary run per fold, in ``folder/fold-1`` and so on, or go on with them; return these.

    Raises:
        UserError: something else is there.
        Stopped: by a signal; the state is saved.
    """
    split, runs = source.read_train(), []
    for fold in range(int(fold_of.max()) + 1):
        runs.append(folder / f"fold-{fold + 1}")
        with display_for(recipe.epochs) as display:
            train(
                recipe,
                fold_source(source, split, fold_of, fold),
                runs[-1],
                recipe_name=recipe_name,
                seed=seed,
                resume=True,
                device=device,
                display=display,
                command=command,
            )
    return runs


@dataclass(frozen=True)
class Opinions:
    """What the folds' networks think of all images."""

    train: Tensor
    """float64 ``[N, K]``: for each training image the probabilities of its own fold's network."""
    test: Tensor
    """float64 ``[M, K]``: for each test image the mean probabilities of all networks."""


def opinions(
    runs: Sequence[Path],
    fold_of: Tensor,
    train_split: Split,
    test_split: Split,
    precision: Precision,
    device: str,
) -> Opinions:
    """Read and compute what the finished ``runs`` of the folds think.

    Raises:
        UserError: a run's logits are missing, damaged or of other data.
    """
    classes = len(train_split.class_names)
    place = device_named(device)
    of_train = torch.empty(len(fold_of), classes, dtype=torch.float64)
    of_test = torch.zeros(len(test_split), classes, dtype=torch.float64)
    images = whole(test_split, place)
    for fold, run in enumerate(runs):
        places = (fold_of == fold).nonzero().flatten()
        of_train[places] = _kept_logits(run, len(places), classes).double().softmax(1)
        trained, network = load_network(run)
        logits = logits_of(network.to(place), images, trained.normalize, precision=precision)
        logits = with_views(trained.views, logits, network, images, trained.normalize, precision=precision)
        of_test += logits.double().softmax(1) / len(runs)
    return Opinions(of_train, of_test)


def _kept_logits(run: Path, images: int, classes: int) -> Tensor:
    """The logits of a fold's own images, float32 ``[N, K]``, which its run left as those of its test set."""
    path = run / TEST_LOGITS
    with one_line_errors(f"read {path}"):
        content = path.read_bytes()
    logits = decode(content, path)[0].get("logits")
    if logits is None or logits.shape != (images, classes):
        raise UserError(f"{printable(path)} does not hold this fold's logits; remove {printable(run)}")
    return logits
