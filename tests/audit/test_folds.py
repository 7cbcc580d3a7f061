"""Folds: disjoint, complete, stratified, duplicates together, the same everywhere."""

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest
import torch

import support
from cifarlab.audit.folds import (
    assign_folds,
    check_folds,
    check_holdouts,
    fold_recipe,
    fold_source,
    opinions,
    train_folds,
)
from cifarlab.data.batches import whole
from cifarlab.errors import UserError
from cifarlab.evaluate import logits_of
from cifarlab.logs import Silence
from cifarlab.run import load_network
from cifarlab.views import TestTimeViews


def balanced(images: int, classes: int = 5) -> list[int]:
    return [index * 7 % classes for index in range(images)]


def alone(images: int) -> list[int]:
    return list(range(images))


def test_folds_are_disjoint_cover_everything_and_are_stratified() -> None:
    labels = torch.tensor(balanced(203))
    fold_of = assign_folds(labels.tolist(), alone(203), 4, seed=0)
    assert set(fold_of.tolist()) == {0, 1, 2, 3}
    for label in range(5):
        counts = torch.bincount(fold_of[labels == label], minlength=4)
        assert int(counts.max() - counts.min()) <= 1
    sizes = torch.bincount(fold_of)
    assert int(sizes.sum()) == 203
    assert int(sizes.max() - sizes.min()) <= 2


def test_sources_of_folds_train_on_the_rest_and_test_on_the_fold() -> None:
    source = support.synthetic_source()
    split = source.read_train()
    fold_of = assign_folds(split.labels.tolist(), alone(len(split)), 3, seed=0)
    tested = []
    for fold in range(3):
        made = fold_source(source, split, fold_of, fold)
        inside, outside = made.read_test(), made.read_train()
        assert torch.equal(inside.images, split.images[fold_of == fold])
        assert torch.equal(outside.labels, split.labels[fold_of != fold])
        assert len(inside) + len(outside) == len(split)
        tested.append(inside)
    assert sum(map(len, tested)) == len(split)


def test_a_group_of_duplicates_stays_together() -> None:
    labels = balanced(120)
    groups = [0] * 9 + [1] * 4 + list(range(2, 109))
    groups[60], groups[70] = 200, 200
    fold_of = assign_folds(labels, groups, 3, seed=1)
    for group in (0, 1, 200):
        assert len({int(fold_of[i]) for i in range(120) if groups[i] == group}) == 1
    assert len(set(fold_of.tolist())) == 3
    sizes = torch.bincount(fold_of)
    assert int(sizes.max() - sizes.min()) <= 4


def test_the_seed_decides_and_the_folds_are_the_same_on_every_machine() -> None:
    labels = balanced(500)
    made = assign_folds(labels, alone(500), 3, seed=0)
    assert torch.equal(made, assign_folds(labels, alone(500), 3, seed=0))
    assert not torch.equal(made, assign_folds(labels, alone(500), 3, seed=1))
    assert hashlib.sha256(bytes(made.tolist())).hexdigest()[:16] == "9d98c6e7f6fc3c8c"


def test_the_recipe_of_a_fold_keeps_the_network_and_chooses_by_validation_loss() -> None:
    recipe = support.small_recipe(train_images=30)
    labels = torch.arange(600) % 3
    made = fold_recipe(recipe, labels, 3, epochs=4)
    assert (made.model, made.optimizer, made.epochs) == (recipe.model, recipe.optimizer, 4)
    assert made.judging.select_by == "val_loss"
    assert made.train_images is None
    # 360 images in 36 batches of 10: 1500 steps take 42 epochs.
    assert fold_recipe(recipe, labels, 3, epochs=None).epochs == 42
    assert fold_recipe(recipe, torch.arange(60_000) % 3, 3, epochs=None).epochs == 6


@pytest.mark.parametrize(
    ("folds", "images", "message"),
    [
        (1, 60, "folds: 1 is not possible"),
        (11, 60, "has 20 training images, and 11 folds need 22 of each class"),
    ],
)
def test_what_cannot_be_divided_is_refused_first(folds: int, images: int, message: str) -> None:
    split = support.synthetic_split(images, 1)
    with pytest.raises(UserError, match=message):
        check_folds(split, folds, support.small_recipe())


def test_an_image_size_that_the_network_does_not_take_is_refused_first() -> None:
    with pytest.raises(UserError, match="multiple of 8"):
        check_folds(support.synthetic_split(60, 1, size=12), 3, support.small_recipe())


def test_small_classes_that_can_be_divided_are(tmp_path: Path) -> None:
    split = support.synthetic_split(18, 1)  # six of each class: four outside a fold
    check_folds(split, 3, support.small_recipe())
    recipe = fold_recipe(support.small_recipe(), split.labels, 3, epochs=1)
    check_holdouts(split.labels, assign_folds(split.labels.tolist(), alone(18), 3, 0), recipe, 0)


def test_a_group_that_takes_a_whole_class_away_is_refused_before_training() -> None:
    labels = torch.tensor([0] * 20 + [1] * 20)
    fold_of = torch.tensor([0] * 20 + [index % 2 for index in range(20)])
    recipe = fold_recipe(support.small_recipe(), labels, 2, epochs=1)
    for everywhere_else in (0, 1):
        fold_of[19] = everywhere_else
        with pytest.raises(UserError, match=r"outside fold 1: .*--folds 0 leaves the labels out"):
            check_holdouts(labels, fold_of, recipe, 0)
    with pytest.raises(UserError, match="outside fold 1: no image of a class is left"):
        check_holdouts(labels, torch.zeros(40, dtype=torch.int64), recipe, 0)


def test_test_images_are_judged_by_views_where_the_run_judges_by_views(tmp_path: Path) -> None:
    recipe = support.small_recipe(epochs=1, views=TestTimeViews(shift=0))
    source = support.synthetic_source(36, 12)
    train, test = source.read_train(), source.read_test()
    fold_of = assign_folds(train.labels.tolist(), alone(36), 2, seed=0)
    runs = train_folds(
        source,
        fold_of,
        fold_recipe(recipe, train.labels, 2, epochs=1),
        tmp_path,
        recipe_name="tiny",
        seed=0,
        device="cpu",
        display_for=lambda _: Silence(),
        command="",
    )
    expected = torch.zeros(12, 3, dtype=torch.float64)
    for folder in runs:
        trained, network = load_network(folder)
        assert trained.views == recipe.views
        flipped = replace(test, images=test.images.flip(3))
        both = [
            logits_of(network, whole(each, torch.device("cpu")), trained.normalize, precision="fp32")
            for each in (test, flipped)
        ]
        expected += ((both[0] + both[1]) / 2).double().softmax(1) / 2
    found = opinions(runs, fold_of, train, test, "fp32", "cpu").test
    assert torch.allclose(found, expected, atol=1e-6)
