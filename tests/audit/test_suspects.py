"""Suspects: the arithmetic by hand, and flipped labels of digits that must come out on top."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from cifarlab.audit.folds import Opinions, assign_folds, fold_recipe, opinions, train_folds
from cifarlab.audit.suspects import class_thresholds, find_suspects
from cifarlab.data.digits import open_digits
from cifarlab.data.pictures import Preparation
from cifarlab.data.split import Split, source_of
from cifarlab.errors import UserError
from cifarlab.logs import Silence
from cifarlab.metrics import correct_count
from cifarlab.models import PlainCnn
from cifarlab.optim import Adam
from cifarlab.recipe import Recipe

PROBABILITIES = torch.tensor(
    [
        [0.9, 0.1, 0.0],  # labeled 0, and so it seems
        [0.2, 0.7, 0.1],  # labeled 0, rather 1
        [0.1, 0.8, 0.1],  # labeled 1
        [0.4, 0.5, 0.1],  # labeled 1
        [0.45, 0.3, 0.25],  # labeled 2, but no class is confident enough
        [0.05, 0.8, 0.15],  # labeled 2, rather 1
        [0.0, 0.1, 0.9],  # labeled 2
    ],
    dtype=torch.float64,
)
LABELS = torch.tensor([0, 0, 1, 1, 2, 2, 2])


def test_thresholds_are_mean_self_confidences() -> None:
    assert class_thresholds(PROBABILITIES, LABELS).tolist() == pytest.approx([0.55, 0.65, 1.3 / 3])


def test_a_class_without_images_suspects_nobody() -> None:
    labels = torch.tensor([0, 0, 1, 1, 0, 1, 0])
    assert float(class_thresholds(PROBABILITIES, labels)[2]) > 1
    assert all(suspect.suggested != 2 for suspect in find_suspects(PROBABILITIES, labels))


def test_suspects_are_confidently_of_another_class_the_most_doubted_first() -> None:
    found = find_suspects(PROBABILITIES, LABELS)
    assert [(suspect.image, suspect.given, suspect.suggested) for suspect in found] == [(5, 2, 1), (1, 0, 1)]
    assert found[0].margin == pytest.approx(-0.65)
    assert found[1].given_probability == pytest.approx(0.2)


RECIPE = Recipe(PlainCnn(widths=(16, 32, 32), batch_norm=True), optimizer=Adam(lr=0.01), batch_size=32)


def digits() -> tuple[Split, Split]:
    """The digits at their own size of 8 × 8 pixels, which is quick."""
    source = open_digits()
    halves = source.read_train(), source.read_test()
    train, test = (replace(half, images=half.images[:, :, 2::4, 2::4].contiguous()) for half in halves)
    return train, test


def out_of_fold(train: Split, folder: Path, folds: int, epochs: int) -> tuple[Opinions, Tensor]:
    _, test = digits()
    source = source_of("flipped", train, test, "given", Preparation(size=8))
    fold_of = assign_folds(train.labels.tolist(), range(len(train)), folds, seed=0)
    recipe = fold_recipe(RECIPE, train.labels, folds, epochs)
    runs = train_folds(
        source,
        fold_of,
        recipe,
        folder,
        recipe_name="tiny",
        seed=0,
        device="cpu",
        display_for=lambda _: Silence(),
        command="",
    )
    return opinions(runs, fold_of, train, test, "fp32", "cpu"), fold_of


def test_flipped_digits_come_out_on_top(tmp_path: Path) -> None:
    split, test = digits()
    random = np.random.RandomState(0)
    flipped = random.permutation(len(split))[: round(0.05 * len(split))]
    labels = split.labels.clone()
    labels[flipped] = (labels[flipped] + torch.from_numpy(random.randint(1, 10, len(flipped)))) % 10
    found, fold_of = out_of_fold(replace(split, labels=labels), tmp_path, folds=3, epochs=5)
    suspects = [suspect.image for suspect in find_suspects(found.train, labels)]
    guilty = set(flipped.tolist())
    recall = len(guilty & set(suspects)) / len(guilty)
    precision = len(guilty & set(suspects[: len(guilty)])) / len(guilty)
    print(f"recall {recall:.3f}, precision {precision:.3f}, {len(suspects)} suspects")
    assert recall > 0.75, recall
    assert precision > 0.75, precision
    right = {s.image for s in find_suspects(found.train, labels) if s.suggested == int(split.labels[s.image])}
    assert len(right & guilty) > 0.7 * len(guilty)
    assert correct_count(found.test, test.labels) > 0.9 * 450
    # Kept logits of another fold are not taken for this one's.
    (tmp_path / "fold-1" / "test_logits.safetensors").unlink()
    with pytest.raises(UserError, match="could not read"):
        opinions([tmp_path / "fold-1"], fold_of, split, test, "fp32", "cpu")


def test_shuffled_labels_teach_the_networks_nothing(tmp_path: Path) -> None:
    split, _ = digits()
    labels = split.labels[torch.from_numpy(np.random.RandomState(1).permutation(len(split)))]
    found, _ = out_of_fold(replace(split, labels=labels), tmp_path, folds=2, epochs=2)
    assert correct_count(found.train, labels) / len(labels) < 0.16  # chance is 0.10
