"""The six verdicts, and in which order they are asked for."""

from typing import get_args

import pytest

from cifarlab.studies.estimates import estimate
from cifarlab.studies.published import number
from cifarlab.studies.table import Published, Verdict
from cifarlab.studies.verdicts import (
    default_margin,
    judge_at_least,
    judge_below,
    judge_count,
    judge_direction,
    judge_equivalence,
    judge_exact_share,
    judge_number,
    judge_readings,
)

PUBLISHED = Published("test_accuracy", 0.9371, "93.71 %", "section 2.2", tolerance=0.00005)
CLOSE = estimate([0.936, 0.937, 0.9385])  # one more run: 93.09 % to 94.34 %
ABOVE = estimate([0.950, 0.951, 0.949])
BELOW = estimate([0.900, 0.901, 0.902])
WIDE = estimate([0.90, 0.95, 0.93])
TWO = estimate([0.936, 0.938])


def test_agreement_and_both_kinds_of_disagreement() -> None:
    assert judge_number(PUBLISHED, CLOSE)[0] == "reproduced"
    assert judge_number(PUBLISHED, ABOVE)[0] == "higher"
    assert judge_number(PUBLISHED, BELOW)[0] == "lower"


def test_what_says_too_little_is_underpowered() -> None:
    assert judge_number(PUBLISHED, TWO)[0] == "underpowered"
    assert judge_number(PUBLISHED, None)[0] == "underpowered"
    assert judge_number(PUBLISHED, WIDE)[0] == "underpowered"
    assert judge_number(PUBLISHED, WIDE, margin=0.2)[0] == "reproduced"
    assert judge_number(PUBLISHED, CLOSE, margin=0.001)[0] == "underpowered"


def test_a_wide_interval_may_still_exclude_the_number() -> None:
    wide_and_far = estimate([0.50, 0.55, 0.53])
    assert judge_number(PUBLISHED, wide_and_far)[0] == "lower"


def test_runs_made_differently_are_never_compared() -> None:
    for ours in (None, TWO, CLOSE, ABOVE, BELOW, WIDE):
        verdict, reason = judge_number(PUBLISHED, ours, comparable="12 of 250 epochs")
        assert (verdict, reason) == ("not comparable", "12 of 250 epochs")
        assert judge_direction(ours, comparable="12 of 250 epochs")[0] == "not comparable"


def test_without_a_number_nothing_is_identifiable() -> None:
    for comparable in ("", "12 of 250 epochs"):
        assert judge_number(None, CLOSE, comparable=comparable)[0] == "not identifiable"
        verdict, reason = judge_number(
            PUBLISHED, CLOSE, comparable=comparable, unidentified="no rate is given"
        )
        assert (verdict, reason) == ("not identifiable", "no rate is given")


def test_the_printed_digits_widen_the_interval() -> None:
    assert CLOSE.prediction is not None
    low, high = CLOSE.prediction
    for beyond, verdict in ((low - 0.0003, "higher"), (high + 0.0003, "lower")):
        exact = Published("test_accuracy", beyond, "some %", "")
        rounded = Published("test_accuracy", beyond, "some %", "", tolerance=0.0005)
        assert judge_number(exact, CLOSE)[0] == verdict
        assert judge_number(rounded, CLOSE)[0] == "reproduced"


def test_a_reason_gives_the_figures() -> None:
    _, reason = judge_number(PUBLISHED, ABOVE)
    for part in ("95.00 %", "93.71 %", "94.50 % to 95.50 %", "3 seeds"):
        assert part in reason
    assert "\n" not in reason


def test_a_reason_says_how_a_number_is_read() -> None:
    swapped = number("tiny-attention", "tiny-attention-1560.test_accuracy")
    _, reason = judge_number(swapped, estimate([0.60, 0.601, 0.602]))
    assert "94.29 %, read as 51.57 %, lies below" in reason
    for key in ("slim-paper.training_seconds", "capacity.time-saved", "slim-paper.val_accuracy"):
        _, reason = judge_number(number("slim-attention", key), ABOVE)
        assert "read as" not in reason


def test_an_interval_is_not_shown_beyond_100_percent() -> None:
    _, reason = judge_number(PUBLISHED, WIDE)
    assert "100.00 %" in reason
    assert "105" not in reason


def test_seconds_are_judged_by_a_share_of_themselves() -> None:
    seconds = Published("training_seconds", 8250.0, "8250 s", "", tolerance=0.5)
    assert default_margin(seconds) == pytest.approx(825)
    assert judge_number(seconds, estimate([8200, 8300, 8240]))[0] == "reproduced"
    assert judge_number(seconds, estimate([7000, 9000, 8000]))[0] == "underpowered"


def test_counts_are_equal_at_the_printed_digits() -> None:
    rounded = number("slim-attention", "slim-attention.parameters")
    assert judge_count(rounded, 6_828_362)[0] == "reproduced"
    assert judge_count(rounded, 6_850_001)[0] == "higher"
    assert judge_count(rounded, 6_749_999)[0] == "lower"
    exact = number("tiny-attention", "tiny-attention.parameters")
    assert judge_count(exact, 396_810)[0] == "reproduced"
    assert judge_count(exact, 396_811)[0] == "higher"
    assert judge_count(None, 396_810)[0] == "not identifiable"


def test_directions() -> None:
    assert judge_direction(estimate([0.10, 0.11, 0.12]))[0] == "reproduced"
    assert judge_direction(estimate([-0.10, -0.11, -0.12]))[0] == "lower"
    assert judge_direction(estimate([0.10, -0.11, 0.12]))[0] == "underpowered"
    assert judge_direction(estimate([0.10, 0.11]))[0] == "underpowered"
    assert judge_direction(estimate([0.0, 0.0, 0.0]))[0] == "underpowered"
    assert judge_direction(None)[0] == "underpowered"


def test_two_readings_of_one_number() -> None:
    readings = [number("slim-attention", f"optimizers.adam-over-sgd{end}") for end in ("", "-0.025")]
    assert [each.value for each in readings] == [0.25, 0.025]
    verdict, reason, met = judge_readings(readings, estimate([0.024, 0.027, 0.0251]))
    assert (verdict, met) == ("reproduced", 1)
    assert "+2.50 points" in reason
    assert judge_readings(readings, estimate([0.249, 0.251, 0.25]))[::2] == ("reproduced", 0)
    # Met by neither: the verdict is that of the nearest.
    assert judge_readings(readings, estimate([0.05, 0.051, 0.052]))[::2] == ("higher", None)
    assert judge_readings(readings, estimate([0.2, 0.201, 0.202]))[::2] == ("lower", None)
    # Met by both: it cannot be said which.
    assert judge_readings(readings, estimate([0.0, 0.15, 0.25]), margin=1.0)[::2] == ("underpowered", None)
    assert judge_readings(readings, None)[::2] == ("underpowered", None)
    assert judge_readings([], None)[0] == "not identifiable"
    assert judge_readings(readings, ABOVE, comparable="a smoke run")[::2] == ("not comparable", None)


def test_all_six_verdicts_can_be_given() -> None:
    given = {
        judge_number(PUBLISHED, CLOSE)[0],
        judge_number(PUBLISHED, ABOVE)[0],
        judge_number(PUBLISHED, BELOW)[0],
        judge_number(PUBLISHED, TWO)[0],
        judge_number(PUBLISHED, CLOSE, comparable="other data")[0],
        judge_number(None, CLOSE)[0],
    }
    assert given == set(get_args(Verdict))


def test_no_difference_needs_a_narrow_interval() -> None:
    assert judge_equivalence(estimate([0.001, 0.0005, 0.0008]), "")[0] == "reproduced"
    assert judge_equivalence(estimate([0.02, 0.021, 0.0205]), "")[0] == "higher"
    assert judge_equivalence(estimate([-0.02, -0.021, -0.0205]), "")[0] == "lower"
    assert judge_equivalence(estimate([0.02, -0.02, 0.0]), "")[0] == "underpowered"
    assert judge_equivalence(estimate([0.0, 0.0]), "")[0] == "underpowered"
    assert judge_equivalence(None, "")[0] == "underpowered"
    assert judge_equivalence(estimate([0.0, 0.0, 0.0]), "other data") == ("not comparable", "other data")


def test_an_exact_share_is_met_within_its_last_digit() -> None:
    stated = Published("ratio", 0.4, "40 %", "abstract", tolerance=0.005)
    assert judge_exact_share(stated, 0.4049)[0] == "reproduced"
    assert judge_exact_share(stated, 0.4066)[0] == "higher"
    assert judge_exact_share(stated, 0.38)[0] == "lower"


def test_equal_seeds_say_nothing_of_their_spread() -> None:
    assert judge_number(PUBLISHED, estimate([0.92] * 3))[0] == "underpowered"
    assert judge_direction(estimate([0.02] * 3))[0] == "underpowered"
    rounding = [0.1 + 0.2 - 0.3] * 3
    assert judge_direction(estimate(rounding))[0] == "underpowered"
    assert judge_equivalence(estimate([0.0] * 3), "")[0] == "underpowered"
    assert judge_at_least(estimate([0.01] * 3), "")[0] == "underpowered"
    bound = Published("difference", 0.01, "less than 1 %", "abstract")
    assert judge_below(bound, estimate([0.004] * 3), "")[0] == "underpowered"


def test_a_gain_is_not_reproduced_by_what_may_be_none() -> None:
    gain = Published("difference", 0.024, "0.024", "section 3.3", tolerance=0.0005)
    assert judge_number(gain, estimate([0.004, 0.010, 0.010]))[0] == "underpowered"
    assert judge_number(gain, estimate([0.023, 0.025, 0.026]))[0] == "reproduced"


def test_nothing_is_better_within_half_a_point() -> None:
    assert judge_at_least(estimate([0.001, 0.0, 0.002]), "")[0] == "reproduced"
    assert judge_at_least(estimate([-0.02, -0.021, -0.022]), "")[0] == "lower"
    assert judge_at_least(estimate([0.02, -0.03, 0.0]), "")[0] == "underpowered"
    assert judge_at_least(estimate([0.02, 0.03]), "")[0] == "underpowered"
    assert judge_at_least(estimate([0.02, 0.03, 0.04]), "other data")[0] == "not comparable"


def test_less_than_so_much() -> None:
    bound = Published("difference", 0.01, "less than 1 %", "abstract")
    assert judge_below(bound, estimate([0.004, 0.005, 0.0045]), "")[0] == "reproduced"
    assert judge_below(bound, estimate([0.02, 0.021, 0.022]), "")[0] == "higher"
    assert judge_below(bound, estimate([0.0, 0.02, 0.01]), "")[0] == "underpowered"
    assert judge_below(bound, None, "a smoke run")[0] == "not comparable"
