"""Every named recipe, written down in ``golden/recipes.json`` so that a review shows what changed.

To renew the file after a change that is meant: ``.venv/bin/python tests/test_recipes.py``
"""

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch

from cifarlab.augment import (
    HorizontalFlip,
    MeanImage,
    Normalize,
    RandomCrop,
    RandomErasing,
    Rotation,
    RotationTable,
)
from cifarlab.config import differences, fingerprint, to_json
from cifarlab.data.holdout import Counts, NoHoldout
from cifarlab.data.sources import NAMES
from cifarlab.errors import UserError
from cifarlab.models import CATALOG, PlainCnn
from cifarlab.models.cost import count_parameters
from cifarlab.optim import Adam, Sgd
from cifarlab.penalties import L2Penalty
from cifarlab.recipe import EvaluationMode, Judging, TrainingMode, judging_under
from cifarlab.recipes import (
    RECIPES,
    cbam_aspp,
    cnn_to_shake_shake,
    recipe_named,
    slim_attention,
    small_resnets,
    tiny_attention,
)
from cifarlab.recipes.reports import REPORTS
from cifarlab.schedules import Constant, Moment, MultiStep
from cifarlab.train import learning_rate

GOLDEN = Path(__file__).with_name("golden") / "recipes.json"
REPORT_003 = ["cnn-basic", "cnn-regularized", "cnn-augmented", "cnn-final"]


def all_recipes() -> dict[str, Any]:
    return {name: to_json(named.make()) for name, named in RECIPES.items()}


def as_text(recipes: dict[str, Any]) -> str:
    return json.dumps(recipes, indent=2) + "\n"


def test_recipes_are_as_written_down() -> None:
    changed = differences(json.loads(GOLDEN.read_text()), all_recipes())
    renew = "if this is meant, run .venv/bin/python tests/test_recipes.py and commit what it writes"
    assert not changed, "\n".join([*changed, renew])
    assert GOLDEN.read_text() == as_text(all_recipes()), renew


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_makes_sense(name: str) -> None:
    recipe = RECIPES[name].make()
    assert recipe == RECIPES[name].make()
    with torch.device("meta"):
        recipe.model.build(12 if RECIPES[name].data == "cifar12" else 10, 32)
    rates = [learning_rate(recipe, Moment(step, 10, recipe.epochs)) for step in range(10 * recipe.epochs)]
    assert max(rates) == pytest.approx(recipe.optimizer.lr)
    assert all(math.isfinite(rate) and rate >= 0 for rate in rates)
    as_on_a_gpu = name.startswith("race-gpu")
    assert judging_under(recipe, "C").mode == (EvaluationMode(2000) if as_on_a_gpu else EvaluationMode())
    assert judging_under(recipe, "C").select_by != "test_accuracy"
    if recipe.published is not None:
        assert judging_under(recipe, "A") == recipe.published
    assert open_names() >= {RECIPES[name].data}


def open_names() -> set[str]:
    return {name for name, _ in NAMES}


@pytest.mark.parametrize("name", [name for name, entry in RECIPES.items() if entry.report])
def test_claims_tell_what_the_report_says(name: str) -> None:
    entry = RECIPES[name]
    report = next(report for report in REPORTS if report.name == entry.report)
    first, _, rest = entry.claim.partition("\n")
    assert 20 < len(first) <= 110
    assert f"report {report.number}" in f"{first} {rest}".lower(), "a claim says whose it is"
    assert "'" not in first[:1]


def test_every_report_s_module_says_what_is_published_and_what_is_ours() -> None:
    for module in (tiny_attention, slim_attention, small_resnets, cnn_to_shake_shake, cbam_aspp):
        text = module.__doc__ or ""
        report = next(report for report in REPORTS if report.name == module.REPORT)
        assert text.startswith(f"Report {report.number}, ``{report.name}``:")
        assert "Published in the report:" in text
        assert "Ours" in text


def test_no_two_recipes_are_the_same() -> None:
    """A study would train both."""
    by_content: dict[str, list[str]] = {}
    for name, entry in RECIPES.items():
        by_content.setdefault(f"{fingerprint(entry.make())} {entry.data}", []).append(name)
    assert [names for names in by_content.values() if len(names) > 1] == []


def test_five_reports_have_names_and_numbers() -> None:
    assert [report.number for report in REPORTS] == ["000", "001", "002", "003", "004"]
    assert len({report.name for report in REPORTS}) == 5
    assert {report for report, _ in CATALOG.values()} - {None} == {report.name for report in REPORTS}


def test_a_wrong_name_is_answered_with_the_nearest() -> None:
    assert recipe_named("demo") is RECIPES["demo"]
    with pytest.raises(UserError, match=r"no recipe is called 'cnn-finale'; did you mean cnn-final\?"):
        recipe_named("cnn-finale")


@pytest.mark.parametrize("name", REPORT_003)
def test_report_003_s_settings(name: str) -> None:
    recipe = RECIPES[name].make()
    assert recipe.optimizer == Adam(lr=0.001, weight_decay=1e-4)
    assert recipe.batch_size == 32
    for judging in (recipe.judging, recipe.published):
        assert judging is not None
        assert judging.holdout == Counts(train=40_000, validation=10_000)
        assert judging.select_by == "val_loss"
    assert recipe.published is not None
    assert recipe.published.mode == TrainingMode(batch_size=4, validation_batch_size=128)
    assert recipe.train_images is None
    assert recipe.normalize == Normalize((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
    assert RECIPES[name].report == "cnn-to-shake-shake"
    assert RECIPES[name].data == "cifar10"


def test_report_003_s_four_phases() -> None:
    basic, regularized, augmented, final = [RECIPES[name].make() for name in REPORT_003]
    assert [recipe.epochs for recipe in (basic, regularized, augmented, final)] == [20, 20, 20, 125]
    assert basic.schedule == regularized.schedule == augmented.schedule == Constant()
    assert final.schedule == MultiStep(milestones=(75, 100), gamma=0.5)
    chain = (RandomCrop(padding=4), HorizontalFlip(probability=0.5), Rotation(degrees=15.0))
    assert basic.augment == regularized.augment == ()
    assert augmented.augment == final.augment == chain
    counts = [
        count_parameters(recipe.model.build(10, 32)).trainable for recipe in (basic, regularized, final)
    ]
    assert counts == [307_498, 308_394, 308_394]
    assert regularized.model == augmented.model == final.model
    assert regularized.model == PlainCnn(batch_norm=True, dropout=(0.2, 0.3, 0.4))
    assert rates_of("cnn-final") == pytest.approx([1e-3, 5e-4, 2.5e-4])
    assert rates_of("cnn-final-as-written") == pytest.approx([1e-3, 5e-4, 1e-4])


def rates_of(name: str) -> list[float]:
    """The rates in the order in which they come."""
    recipe = RECIPES[name].make()
    rates = [learning_rate(recipe, Moment(epoch, 1, recipe.epochs)) for epoch in range(recipe.epochs)]
    return list(dict.fromkeys(rates))


def test_report_000_s_settings() -> None:
    recipe = RECIPES["tiny-attention"].make()
    assert (recipe.epochs, recipe.batch_size, recipe.optimizer) == (250, 64, Adam(lr=0.001))
    erasing = recipe.augment[-1]
    assert isinstance(erasing, RandomErasing)
    assert (erasing.probability, erasing.area, erasing.aspect) == (0.5, (0.02, 0.4), 0.3)
    steps = 782
    warm = [learning_rate(recipe, Moment(step, steps, 250)) for step in (0, 25 * steps, 25 * steps + 1)]
    assert warm[0] == 0
    assert warm[1] == 0.001 > warm[2]
    sizes = {
        name: RECIPES[name].make()
        for name in RECIPES
        if name.startswith("tiny-attention-") and name[-1] == "0"
    }
    assert sorted(each.train_images or 50_000 for each in sizes.values()) == [
        1_560, 3_120, 6_250, 12_500, 25_000, 50_000,
    ]  # fmt: skip
    assert {each.epochs for each in sizes.values()} == {100}
    assert recipe.published == Judging(NoHoldout(), "test_accuracy")


def test_report_001_s_settings() -> None:
    ours, base, paper = (RECIPES[name].make() for name in ("slim-attention", "slim-base", "slim-paper"))
    assert (ours.batch_size, ours.patience, ours.normalize) == (128, 15, MeanImage())
    assert ours.penalty == L2Penalty(0.001, "classifier")
    assert (base.penalty, paper.penalty) == (None, None)
    assert RECIPES["slim-base-sgd"].make().optimizer == Sgd(0.1, 0.9, nesterov=True, weight_decay=0.001)
    assert rates_of("slim-attention")[:3] == pytest.approx([1e-3, 5e-4, 2.5e-4])


def test_report_002_s_studies_change_one_thing_each() -> None:
    base = to_json(RECIPES["resnet24"].make())
    studies = {
        "optimizer": ["momentum", "adagrad", "adadelta", "adagrad-0.1", "adadelta-0.1"],
        "schedule": ["step", "cosine", "plateau"],
        "model.activation": ["relu6", "leaky-relu", "elu", "swish"],
        "model.order": [
            "bn-after-addition", "relu-before-addition", "relu-only-pre-activation", "full-pre-activation",
        ],
        "mix": ["mixup", "mixup-0.1", "mixup-0.2", "mixup-0.4", "mixup-2.0"],
    }  # fmt: skip
    for field, names in studies.items():
        for name in names:
            changed = differences(base, to_json(RECIPES[f"resnet24-{name}"].make()))
            assert changed, name
            assert all(line.startswith(field) for line in changed), (name, changed)
    for kind in ("l1", "l2"):
        for strength in ("1e-2", "1e-3", "1e-4", "1e-5"):
            recipe = RECIPES[f"resnet24-{kind}-{strength}"].make()
            assert recipe.optimizer.weight_decay == 0, "the penalty takes the place of weight decay"
            assert recipe.penalty is not None
            assert recipe.penalty.strength == float(strength)
    nets, kinds = (
        ("resnet10", "resnet16", "resnet24", "resnet48"),
        ("adagrad", "adadelta", "momentum", "nesterov"),
    )
    runs = {f"{net}-{kind}" for net in nets for kind in kinds} - {"resnet24-nesterov"}
    assert all(RECIPES[name].make().epochs == 50 for name in runs)


def test_report_004_s_four_models() -> None:
    names = ("resnet18", "resnet18-rotated", "resnet18-cbam", "resnet18-cbam-aspp")
    recipes = [RECIPES[name].make() for name in names]
    assert {RECIPES[name].data for name in names} == {"cifar12"}
    assert rates_of("resnet18") == pytest.approx([0.1, 0.01, 0.001])
    counts = []
    for recipe in recipes:
        with torch.device("meta"):
            counts.append(count_parameters(recipe.model.build(12, 32)).trainable)
    assert counts == [11_174_988, 11_174_988, 11_262_172, 15_389_404]
    tables = [augmentation for augmentation in recipes[2].augment if isinstance(augmentation, RotationTable)]
    assert sum(tables[0].probabilities) == pytest.approx(1.01), "as printed"


@pytest.mark.parametrize(
    ("modern", "historical"),
    [
        ("modern-cnn", "cnn-regularized"),
        ("modern-lenet-5", "lenet-5"),
        ("modern-tiny-attention", "tiny-attention"),
        ("modern-slim-attention", "slim-attention"),
        ("modern-resnet10", "resnet10-nesterov"),
        ("modern-resnet24", "resnet24"),
        ("modern-resnet18", "resnet18"),
        ("modern-shake-shake", "shake-shake-short"),
    ],
)
def test_modern_recipes_cost_what_the_historical_ones_cost(modern: str, historical: str) -> None:
    """The same network (its dropout may differ) for the same number of epochs."""
    ours, theirs = RECIPES[modern].make(), RECIPES[historical].make()
    assert ours.epochs == theirs.epochs
    changed = differences(to_json(ours.model), to_json(theirs.model))
    assert all("dropout" in line for line in changed), changed
    assert RECIPES[modern].data == RECIPES[historical].data


if __name__ == "__main__":
    GOLDEN.write_text(as_text(all_recipes()))
