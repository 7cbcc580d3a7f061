"""Quantities as people read them."""

from typing import get_args

import pytest

from cifarlab.studies.printing import NAMES, interval_text
from cifarlab.studies.table import Quantity


def test_every_quantity_has_words() -> None:
    assert set(NAMES) == set(get_args(Quantity))
    assert len(set(NAMES.values())) == len(NAMES)


@pytest.mark.parametrize(
    ("quantity", "bounds", "shown"),
    [
        ("test_accuracy", (-0.0833, 0.9583), "0.00–95.83%"),
        ("val_accuracy", (0.9, 1.07), "90.00–100.00%"),
        ("best_test_accuracy", (0.915, 0.925), "91.50–92.50%"),
        ("ratio", (-0.25, 1.2), "−25.0–100.0%"),
        ("difference", (-0.1, 0.3), "−10.00 to +30.00 points"),
        ("val_loss", (-0.5, 1.5), "-0.5–1.5"),
    ],
)
def test_no_interval_shows_an_accuracy_that_cannot_be(
    quantity: Quantity, bounds: tuple[float, float], shown: str
) -> None:
    assert interval_text(quantity, bounds) == shown
