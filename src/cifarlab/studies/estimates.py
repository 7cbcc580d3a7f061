"""What a few seeds say about a quantity."""

import statistics
from collections.abc import Sequence

from cifarlab.statistics import mean_interval, prediction_interval
from cifarlab.studies.table import Estimate


def estimate(values: Sequence[float]) -> Estimate:
    """Mean, spread and both intervals of a quantity measured once per seed; one value has no spread.

    Raises:
        ValueError: there are no values.
    """
    if not values:
        raise ValueError("an estimate needs at least one value")
    numbers = tuple(float(value) for value in values)
    if len(numbers) == 1:
        return Estimate(numbers, numbers[0])
    return Estimate(
        values=numbers,
        mean=statistics.fmean(numbers),
        deviation=statistics.stdev(numbers),
        interval=mean_interval(numbers),
        prediction=prediction_interval(numbers),
    )
