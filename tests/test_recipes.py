"""Every named recipe, written down in ``golden/recipes.json`` so that a review shows what changed.

To renew the file after a change that is meant: ``.venv/bin/python tests/test_recipes.py``
"""

import json
from pathlib import Path
from typing import Any

import pytest

from cifarlab.augment import HorizontalFlip, RandomCrop, Rotation
from cifarlab.config import differences, to_json
from cifarlab.data.holdout import Counts
from cifarlab.errors import UserError
from cifarlab.models import CATALOG
from cifarlab.models.cost import count_parameters
from cifarlab.optim import Adam
from cifarlab.recipe import EvaluationMode, TrainingMode, judging_under
from cifarlab.recipes import RECIPES, recipe_named
from cifarlab.recipes.reports import REPORTS
from cifarlab.schedules import Constant, MultiStep
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
def test_every_recipe_can_be_built(name: str) -> None:
    recipe = RECIPES[name].make()
    network = recipe.model.build(10, 32)
    optimizer = recipe.optimizer.build(network.parameters())
    assert optimizer.param_groups[0]["lr"] == recipe.optimizer.lr
    assert learning_rate(recipe, 0.0) == recipe.optimizer.lr
    assert learning_rate(recipe, recipe.epochs - 0.001) > 0
    assert judging_under(recipe, "C").mode == EvaluationMode()
    assert judging_under(recipe, "C").select_by != "test_accuracy"
    if recipe.published is not None:
        assert judging_under(recipe, "A") == recipe.published


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_is_made_afresh_and_equal(name: str) -> None:
    assert RECIPES[name].make() == RECIPES[name].make()


@pytest.mark.parametrize("name", [name for name, named in RECIPES.items() if named.report])
def test_docstrings_tell_what_the_report_says(name: str) -> None:
    named = RECIPES[name]
    text = named.make.__doc__
    assert text is not None
    assert "report" in text.lower()
    assert named.report in [report.name for report in REPORTS]
    module = __import__(named.make.__module__, fromlist=["__doc__"]).__doc__
    assert module is not None
    assert f"``{named.report}``" in module


def test_five_reports_have_names_and_numbers() -> None:
    assert [report.number for report in REPORTS] == ["000", "001", "002", "003", "004"]
    assert len({report.name for report in REPORTS}) == 5
    assert {report for report, _ in CATALOG.values()} <= {report.name for report in REPORTS}


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
    assert recipe.normalize.mean == recipe.normalize.deviation == (0.5, 0.5, 0.5)
    assert RECIPES[name].report == "cnn-to-shake-shake"
    assert RECIPES[name].data == "cifar10"


def test_report_003_s_four_phases() -> None:
    basic, regularized, augmented, final = [RECIPES[name].make() for name in REPORT_003]
    assert [recipe.epochs for recipe in (basic, regularized, augmented, final)] == [20, 20, 20, 125]
    assert basic.schedule == regularized.schedule == augmented.schedule == Constant()
    assert final.schedule == MultiStep(milestones=(75, 100), factor_per_step=0.5)
    chain = (RandomCrop(padding=4), HorizontalFlip(probability=0.5), Rotation(degrees=15.0))
    assert basic.augment == regularized.augment == ()
    assert augmented.augment == final.augment == chain
    counts = [
        count_parameters(recipe.model.build(10, 32)).trainable for recipe in (basic, regularized, final)
    ]
    assert counts == [307_498, 308_394, 308_394]
    assert regularized.model == augmented.model == final.model
    assert regularized.model.dropout == (0.2, 0.3, 0.4)
    rates = [learning_rate(final, epoch) for epoch in (0.0, 74.99, 75.0, 99.99, 100.0, 124.99)]
    assert rates == pytest.approx([1e-3, 1e-3, 5e-4, 5e-4, 2.5e-4, 2.5e-4])


if __name__ == "__main__":
    GOLDEN.write_text(as_text(all_recipes()))
