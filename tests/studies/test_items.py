"""The items of the five reports: complete, consistent, and made of recipes and numbers that exist."""

import itertools

import pytest

from cifarlab.errors import UserError
from cifarlab.recipes import RECIPES
from cifarlab.recipes.reports import REPORTS
from cifarlab.studies import published
from cifarlab.studies.arrange import arrange, data_of
from cifarlab.studies.items import ITEMS, item_named, items_of
from cifarlab.studies.items.item import Item
from cifarlab.studies.scale import REPORTED_SIZES
from cifarlab.studies.table import Quantity
from study_samples import withhold

EVERY = [item for items in ITEMS.values() for item in items.values()]
OFFERED = [item for item in EVERY if not item.not_offered]


def name_of(item: Item) -> str:
    return f"{item.report} {item.name}"


def test_every_report_has_items() -> None:
    assert list(ITEMS) == [report.name for report in REPORTS]
    assert all(len(items) >= 5 for items in ITEMS.values())


def test_every_recipe_of_a_report_is_in_an_item() -> None:
    used = {variant.recipe for item in EVERY for variant in item.variants}
    assert {name for name, entry in RECIPES.items() if entry.report} - used == set()


@pytest.mark.parametrize("item", EVERY, ids=name_of)
def test_labels_and_recipes(item: Item) -> None:
    labels = [variant.label for variant in item.variants]
    assert len(set(labels)) == len(labels)
    for variant in item.variants:
        entry = RECIPES[variant.recipe]
        assert entry.report in (item.report, None)
        assert not variant.after or variant.after in labels
        for quantity in variant.numbers:
            assert published.number(item.report, f"{variant.recipe}.{quantity}").quantity == quantity
    for contrast in item.contrasts:
        second = () if contrast.second is None else contrast.second.labels
        assert {*contrast.first.labels, *second} <= set(labels)
        assert all(published.number(item.report, key) for key in contrast.numbers)


def test_every_number_of_a_recipe_is_asked_for_somewhere() -> None:
    asked = {
        (item.report, f"{variant.recipe}.{quantity}")
        for item in EVERY
        for variant in item.variants
        for quantity in variant.numbers
    }
    asked |= {(item.report, key) for item in EVERY for contrast in item.contrasts for key in contrast.numbers}
    accuracies: tuple[Quantity, ...] = ("test_accuracy", "val_accuracy", "train_accuracy", "val_loss")
    stated = {
        (report, key)
        for report in ITEMS
        for key in published.keys(report)
        if key.split(".")[0] in RECIPES and key.split(".", 1)[1] in accuracies
    }
    # Report 000's column of 50,000 images is its run of 250 epochs, as an erratum says.
    wrong_column = {("tiny-attention", f"tiny-attention-100.{which}_accuracy") for which in ("train", "test")}
    assert stated - asked == wrong_column


@pytest.mark.parametrize("item", OFFERED, ids=name_of)
def test_every_scale_has_its_runs(item: Item) -> None:
    name = data_of(item)
    for scale in ("smoke", "short", "full"):
        arrangement = arrange(item, scale, [0, 1], name, REPORTED_SIZES[name])
        assert bool(arrangement.runs) == item.trained
        seeds = [planned.seed for planned in arrangement.runs]
        assert seeds == sorted(seeds)  # a whole table with one seed comes before the second seed
        assert bool(arrangement.scale_note) == (item.trained and scale != "full")
        assert arrangement.scale == (scale if item.trained else "full")
        for row in arrangement.rows:
            assert len(row.runs) == (2 if item.trained else 0)
            both = len(row.published_runs) == len(row.runs)
            assert both if item.trained and row.recipe.published else not row.published_runs


def test_phase_three_goes_on_from_phase_two_under_the_same_protocol() -> None:
    arrangement = arrange(
        item_named("cnn-to-shake-shake", "phases"), "full", [0, 1], "cifar10", REPORTED_SIZES["cifar10"]
    )
    rows = {row.variant.label: row for row in arrangement.rows}
    for before, after in itertools.chain(
        zip(rows["regularized"].runs, rows["augmented"].runs, strict=True),
        zip(rows["regularized"].published_runs, rows["augmented"].published_runs, strict=True),
    ):
        assert after.after == before


def test_unknown_names_are_answered_with_the_nearest() -> None:
    with pytest.raises(UserError, match="did you mean small-resnets"):
        items_of("small-resnet")
    with pytest.raises(UserError, match="did you mean schedules"):
        item_named("small-resnets", "schedule")


def test_what_is_not_offered_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    withhold(monkeypatch, "small-resnets", "grad-cam", "no target is known")
    item = item_named("small-resnets", "grad-cam")
    with pytest.raises(UserError, match="grad-cam is not offered: no target is known"):
        arrange(item, "smoke", [0], "cifar10", REPORTED_SIZES["cifar10"])
