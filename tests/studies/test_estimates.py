"""What a few seeds say about a quantity."""

import pytest

from cifarlab.studies.estimates import estimate


def test_one_value_has_no_spread() -> None:
    found = estimate([0.5])
    assert (found.values, found.mean) == ((0.5,), 0.5)
    assert (found.deviation, found.interval, found.prediction) == (None, None, None)


def test_three_values() -> None:
    found = estimate([0.92, 0.90, 0.94])
    assert found.values == (0.92, 0.90, 0.94)  # in the order of the seeds
    assert found.mean == pytest.approx(0.92)
    assert found.deviation == pytest.approx(0.02)
    assert found.interval is not None
    assert found.prediction is not None
    # One more run scatters as a run and as the mean: for three seeds that is twice as wide.
    width = found.interval[1] - found.interval[0]
    assert found.prediction[1] - found.prediction[0] == pytest.approx(2 * width)


def test_whole_numbers_become_floats() -> None:
    assert estimate([219, 240]).values == (219.0, 240.0)


def test_nothing_is_no_estimate() -> None:
    with pytest.raises(ValueError, match="at least one"):
        estimate([])
