"""Numbers and names as the page shows them."""

import pytest

from cifarlab.report import words


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (None, "not recorded"),
        (0, "0 "),
        (999, "999 "),
        (40_813_184, "40.8 M"),
        (1.47e12, "1.47 T"),
        (123e9, "123 G"),
    ],
)
def test_magnitudes_have_three_digits_and_an_si_prefix(number: float | None, text: str) -> None:
    assert words.magnitude(number) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(42.34, "42.3 s"), (59.99, "1 min 0 s"), (83.4, "1 min 23 s"), (3725, "1 h 2 min"), (1e6, "12 days")],
)
def test_durations(seconds: float, text: str) -> None:
    assert words.duration(seconds) == text


def test_a_loss_of_accuracy_has_a_true_minus_sign() -> None:
    assert words.points(-0.0031) == "\N{MINUS SIGN}0.31 percentage points"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("short", "short"),
        ("eight888", "eight888"),
        ("nine99999", "nine999…"),
        ("two\nlines", "two\N{REPLACEMENT CHARACTER}lin…"),
        ("\u65e5" * 9, "\u65e5" * 3 + "…"),
        ("e\u0301" * 9, "e\u0301" * 7 + "…"),
        ("Z" + "\u0301" * 60, "Z" + "\u0301" * 2),
    ],
)
def test_names_are_cut_by_the_room_that_they_take(name: str, text: str) -> None:
    assert words.shortened(name, 8) == text


def test_a_nested_recipe_becomes_dotted_rows() -> None:
    recipe = {
        "type": "R",
        "model": {"type": "M", "widths": [1, 2]},
        "augment": [{"type": "F", "p": 0.5}],
        "x": None,
    }
    rows = dict(words.flattened(recipe))
    assert rows == {"model": "M", "model.widths": "1, 2", "augment.0": "F", "augment.0.p": "0.5", "x": "null"}
