"""What the runs of a race say together: means with intervals, the peer beside ours, and a verdict.

All intervals are 95 % t intervals over runs; fewer than two runs have none, and nothing is claimed of them,
nor of runs that are all alike: two equal numbers are no proof that a third would be the same.
"""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from scipy.stats import t as student

from cifarlab.race.header import times_raised
from cifarlab.race.outcome import Outcome
from cifarlab.race.power import Rate, rate_of
from cifarlab.race.record import Record
from cifarlab.race.tiers import Tier

Interval = tuple[float, float]


@dataclass(frozen=True)
class Estimate:
    """A mean over runs, or over pairs."""

    n: int
    mean: float
    deviation: float | None
    """Sample standard deviation, of accuracies at least what counting images brings; None for one run."""
    interval: Interval | None
    """Of the mean, within what is possible; None for one run."""
    shows_spread: bool
    """Whether there are two values that differ: else nothing can be claimed."""


@dataclass(frozen=True)
class SideSummary:
    """All runs of one side."""

    seconds: Estimate
    accuracy: Estimate


@dataclass(frozen=True)
class Comparison:
    """Ours against the peer, pair by pair."""

    ratio: Estimate
    """Our seconds over the peer's: the geometric mean over pairs, its interval computed on logarithms. Its
    deviation is that of the ratios' logarithms."""
    difference: Estimate
    """Our accuracy minus the peer's, as fractions."""
    is_as_accurate: bool | None
    """Whether the lower bound of the difference is above minus the tier's margin; None where
    the pairs show no spread."""
    is_faster: bool | None
    """Whether the upper bound of the ratio is below 1; None where the pairs show no spread."""
    keeps_aim: bool | None
    """Whether the upper bound of the ratio is at or below the tier's aim; None where the pairs show no
    spread."""


@dataclass(frozen=True)
class Summary:
    """What can be said of a race so far."""

    tier: str
    data: str
    """The name of the data set."""
    ours: SideSummary | None
    """None before the first run."""
    peer: SideSummary | None
    comparison: Comparison | None
    target: float | None
    """The accuracy to reach; None where it is the peer's mean and there is no peer."""
    target_origin: Literal["the tier's", "the peer's mean"]
    reaches_target: bool | None
    """Of a number: whether the lower end of the interval of our mean reaches it. Of the peer's mean: whether
    ours is as accurate. Never with a run of ours that failed; None where the runs show no spread."""
    rate: Rate | None
    """How fast ours computes."""
    peer_rate: Rate | None
    precision: str | None
    """In which ours computes, as the runs say."""
    peer_precision: str | None
    preparation_seconds: float
    """Mean of what compiling and recording took in a run of ours; the clock leaves it out."""
    times_raised: int
    """How often more runs were asked for than before: who looks and then goes on may stop at luck."""
    our_failures: int
    peer_failures: int


def summarize(record: Record, tier: Tier) -> Summary:
    """All figures of a race's record."""
    images = record.header["data"]["test_images"]
    ours, peer = _side(record.ours, images), _side(record.peers, images)
    peaks = record.header.get("machine_peaks", {})
    comparison = _comparison(record, tier) if record.pairs else None
    our_failures = sum(failure.side == "ours" for failure in record.failures)
    is_number = tier.target is not None and (tier.target_data is None or _is_published(record, tier))
    target = tier.target if is_number else None if peer is None else peer.accuracy.mean
    reaches = None
    if is_number and ours is not None and ours.accuracy.interval is not None and ours.accuracy.shows_spread:
        reaches = target is not None and ours.accuracy.interval[0] >= target
    elif not is_number and comparison is not None:
        reaches = comparison.is_as_accurate
    return Summary(
        tier=tier.name,
        data=record.header["data"]["name"],
        ours=ours,
        peer=peer,
        comparison=comparison,
        target=target,
        target_origin="the tier's" if is_number else "the peer's mean",
        reaches_target=None if reaches is None else reaches and not our_failures,
        rate=rate_of(record.ours, peaks),
        peer_rate=rate_of(record.peers, peaks),
        precision=_precision(record.ours),
        peer_precision=_precision(record.peers),
        preparation_seconds=_preparation(record.ours),
        times_raised=times_raised(record.header),
        our_failures=our_failures,
        peer_failures=len(record.failures) - our_failures,
    )


def estimate(
    values: Sequence[float], *, least: float = 0.0, possible: Interval = (-math.inf, math.inf)
) -> Estimate:
    """Mean, deviation and interval of at least one value.

    Args:
        least: a smaller deviation is taken for chance, and this one for it.
        possible: values that the mean can have; the interval is cut to them.
    """
    mean, count = statistics.fmean(values), len(values)
    if count < 2:
        return Estimate(count, mean, None, None, shows_spread=False)
    found = statistics.stdev(values)
    deviation = max(found, least)
    half = float(student.ppf(0.975, count - 1)) * deviation / math.sqrt(count)
    interval = max(mean - half, possible[0]), min(mean + half, possible[1])
    # Differences of equal accuracies carry rounding errors of floats, which are no spread.
    return Estimate(count, mean, deviation, interval, shows_spread=found > 1e-12)


def counting_deviation(images: int) -> float:
    """Of an accuracy on so many images, because it is a whole number of them: that of a uniform error."""
    return 1 / (math.sqrt(12) * images)


def _is_published(record: Record, tier: Tier) -> bool:
    """Whether the data are the publisher's own files, for which the tier's target was published."""
    return record.header.get("official_data") is True and record.header["data"]["name"] == tier.target_data


def _precision(outcomes: Sequence[Outcome]) -> str | None:
    told = [each.details["precision"] for each in outcomes if "precision" in each.details]
    return str(told[0]) if told else None


def _preparation(outcomes: Sequence[Outcome]) -> float:
    told = [float(each.details.get("preparation_seconds", 0)) for each in outcomes]
    return statistics.fmean(told) if told else 0.0


def _side(outcomes: Sequence[Outcome], test_images: int) -> SideSummary | None:
    if not outcomes:
        return None
    seconds, accuracies = zip(*((each.seconds, each.accuracy) for each in outcomes), strict=True)
    accuracy = estimate(accuracies, least=counting_deviation(test_images), possible=(0, 1))
    return SideSummary(estimate(seconds, possible=(0, math.inf)), accuracy)


def _comparison(record: Record, tier: Tier) -> Comparison:
    logs = estimate([math.log(pair.ours.seconds / pair.peer.seconds) for pair in record.pairs])
    least = math.sqrt(2) * counting_deviation(record.header["data"]["test_images"])
    differences = [pair.ours.accuracy - pair.peer.accuracy for pair in record.pairs]
    difference = estimate(differences, least=least, possible=(-1, 1))
    if logs.interval is None or difference.interval is None:
        ratio = Estimate(logs.n, math.exp(logs.mean), None, None, shows_spread=False)
        return Comparison(ratio, difference, None, None, None)
    low, high = (math.exp(bound) for bound in logs.interval)
    return Comparison(
        ratio=Estimate(logs.n, math.exp(logs.mean), logs.deviation, (low, high), logs.shows_spread),
        difference=difference,
        is_as_accurate=difference.interval[0] > -tier.margin if difference.shows_spread else None,
        is_faster=high < 1 if logs.shows_spread else None,
        keeps_aim=high <= tier.aim if logs.shows_spread else None,
    )
