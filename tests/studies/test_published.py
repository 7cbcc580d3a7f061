"""The reports' numbers: complete, as printed, and read as the errata say."""

import re
from pathlib import Path

import pytest

from cifarlab.errors import UserError
from cifarlab.models import CATALOG
from cifarlab.recipes import RECIPES
from cifarlab.recipes.reports import REPORTS
from cifarlab.studies import published

ALL = [(report, key) for report in published.REPORTS for key in published.keys(report)]


def test_every_report_is_there() -> None:
    assert [report.name for report in REPORTS] == list(published.REPORTS)


@pytest.mark.parametrize(
    ("report", "key", "value", "tolerance", "text"),
    [
        ("tiny-attention", "tiny-attention.test_accuracy", 0.9201, 0.00005, "92.01 %"),
        ("tiny-attention", "tiny-attention.training_seconds", 8250, 0.5, "8250 seconds, about 2.3 hours"),
        ("tiny-attention", "tiny-attention.parameters", 396_810, 0.5, "396,810"),
        ("tiny-attention", "first-100-epochs.test_accuracy", 0.89, 0.005, "89 %"),
        ("slim-attention", "slim-attention.parameters", 6.8e6, 50_000, "6.8 · 10⁶"),
        ("slim-attention", "slim-paper.training_seconds", 18_000, 1800, "almost 5 hours"),
        ("slim-attention", "slim-paper.val_accuracy", 0.90, 0.005, "0.90"),
        ("small-resnets", "resnet24-mixup.test_accuracy.cat", 0.865, 0.0005, "865 of 1,000"),
        ("cnn-to-shake-shake", "cnn-final.val_loss", 0.45, 0.005, "0.45"),
        ("cbam-aspp", "resnet18.test_accuracy", 0.95, 0.000005, "95.000 %"),
    ],
)
def test_numbers_keep_their_digits(report: str, key: str, value: float, tolerance: float, text: str) -> None:
    found = published.number(report, key)
    assert found.value == pytest.approx(value, rel=1e-12)
    assert found.tolerance == pytest.approx(tolerance, rel=1e-12)
    assert found.text == text


def test_swapped_numbers_are_read_the_other_way_round() -> None:
    train = published.number("tiny-attention", "tiny-attention-1560.train_accuracy")
    test = published.number("tiny-attention", "tiny-attention-1560.test_accuracy")
    assert (train.value, test.value) == (0.9429, 0.5157)
    assert (train.text, test.text) == ("51.57 %", "94.29 %")
    assert "swapped" in train.erratum
    assert "swapped" in test.erratum


def test_a_number_without_an_erratum_has_none() -> None:
    assert published.number("tiny-attention", "tiny-attention.parameters").erratum == ""


@pytest.mark.parametrize(("report", "key"), ALL)
def test_every_number_can_be_used(report: str, key: str) -> None:
    found = published.number(report, key)
    assert found.where
    assert found.text
    if found.quantity.endswith("_accuracy"):
        assert 0.3 < found.value < 1  # a percent that was taken for a fraction would show
        assert 0 < found.tolerance <= 0.005
    if found.quantity in ("parameters", "best_epoch"):
        assert found.value == int(found.value)


def test_keys_are_unique_and_name_recipes() -> None:
    assert len(set(ALL)) == len(ALL)
    studies = {
        "first-100-epochs",
        "last-150-epochs",
        "optimizers",
        "regularization",
        "capacity",
        "mixup",
        "cbam",
    }
    for _, key in ALL:
        assert key.partition(".")[0] in {*RECIPES, *CATALOG, *studies}, key


def test_the_recipes_docstrings_agree() -> None:
    """A claim in a recipe's docstring with "test accuracy" is the number here."""
    checked = 0
    for name, named in RECIPES.items():
        stated = re.search(r"(\d\d\.\d+) % test accuracy", named.claim)
        if named.report is not None and stated is not None:
            assert published.number(named.report, f"{name}.test_accuracy").text == f"{stated[1]} %", name
            checked += 1
    assert checked >= 4


def test_unknown_names_are_refused_with_the_nearest() -> None:
    with pytest.raises(UserError, match=r"did you mean resnet24\.test_accuracy"):
        published.number("small-resnets", "resnet24.test_acuracy")
    with pytest.raises(UserError, match="did you mean small-resnets"):
        published.number("small-resnet", "resnet24.test_accuracy")


def test_errata_say_how_they_are_found() -> None:
    for report in published.REPORTS:
        for erratum in published.errata(report):
            assert erratum.report == report
            assert bool(erratum.checkable) != bool(erratum.why_not), erratum.says
            assert set(erratum.keys) <= set(published.keys(report)), erratum.says


def test_every_known_erratum_is_here() -> None:
    counts = {report: len(published.errata(report)) for report in published.REPORTS}
    # Adam's formula and BatchNorm's row count as two.
    assert counts == {
        "tiny-attention": 7,
        "slim-attention": 7,
        "small-resnets": 5,
        "cnn-to-shake-shake": 7,
        "cbam-aspp": 4,
    }


def test_the_files_are_part_of_the_package() -> None:
    folder = Path(published.__file__).parent
    assert {path.stem for path in folder.glob("*.json")} == set(published.REPORTS)
