"""What the runs of a race say together: means with intervals, the peer beside ours, and a verdict.

All intervals are 95 % t intervals over runs; fewer than two runs have none, and nothing is claimed of them.
"""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from cifarlab.race.outcome import Outcome
from cifarlab.race.power import Rate, rate_of
from cifarlab.race.record import Record
from cifarlab.race.tiers import Tier
from cifarlab.statistics import mean_interval

Interval = tuple[float, float]


@dataclass(frozen=True)
class Estimate:
    """A mean over runs, or over pairs."""

    n: int
    mean: float
    deviation: float | None
    """Sample standard deviation; None for one run."""
    interval: Interval | None
    """Of the mean; None for one run."""


@dataclass(frozen=True)
class Side:
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
    """Whether the lower bound of the difference is above minus the tier's margin; None for one pair."""
    is_faster: bool | None
    """Whether the upper bound of the ratio is below 1; None for one pair."""
    keeps_aim: bool | None
    """Whether the upper bound of the ratio is at or below the tier's aim; None for one pair."""


@dataclass(frozen=True)
class Summary:
    """What can be said of a race so far."""

    tier: str
    ours: Side | None
    """None before the first run."""
    peer: Side | None
    comparison: Comparison | None
    target: float | None
    """The accuracy to reach; None where it is the peer's mean and there is no peer."""
    target_origin: Literal["the tier's", "the peer's mean"]
    reaches_target: bool | None
    """Of a number: whether the lower end of the interval of our mean reaches it. Of the peer's mean: whether
    ours is as accurate. Never with a run of ours that failed; None with fewer than two runs."""
    rate: Rate | None
    our_failures: int
    peer_failures: int


def summarize(record: Record, tier: Tier) -> Summary:
    """All figures of a race's record."""
    ours, peer = _side(record.ours), _side(record.peers)
    comparison = _comparison(record, tier) if record.pairs else None
    our_failures = sum(failure.side == "ours" for failure in record.failures)
    is_number = tier.target is not None and tier.target_data in (None, record.header["data"]["name"])
    target = tier.target if is_number else None if peer is None else peer.accuracy.mean
    reaches = None
    if ours is not None and ours.accuracy.interval is not None and target is not None:
        close = ours.accuracy.interval[0] >= target if is_number else _as_accurate(comparison)
        reaches = close and not our_failures
    return Summary(
        tier=tier.name,
        ours=ours,
        peer=peer,
        comparison=comparison,
        target=target,
        target_origin="the tier's" if is_number else "the peer's mean",
        reaches_target=reaches,
        rate=rate_of(record.ours, record.header.get("machine_peaks", {})),
        our_failures=our_failures,
        peer_failures=len(record.failures) - our_failures,
    )


def estimate(values: Sequence[float]) -> Estimate:
    """Mean, deviation and interval of at least one value."""
    if len(values) < 2:
        return Estimate(len(values), values[0], None, None)
    return Estimate(len(values), statistics.fmean(values), statistics.stdev(values), mean_interval(values))


def _side(outcomes: Sequence[Outcome]) -> Side | None:
    if not outcomes:
        return None
    seconds, accuracies = zip(*((each.seconds, each.accuracy) for each in outcomes), strict=True)
    return Side(estimate(seconds), estimate(accuracies))


def _comparison(record: Record, tier: Tier) -> Comparison:
    logs = estimate([math.log(pair.ours.seconds / pair.peer.seconds) for pair in record.pairs])
    difference = estimate([pair.ours.accuracy - pair.peer.accuracy for pair in record.pairs])
    if logs.interval is None or difference.interval is None:
        ratio = Estimate(logs.n, math.exp(logs.mean), None, None)
        return Comparison(ratio, difference, None, None, None)
    low, high = (math.exp(bound) for bound in logs.interval)
    return Comparison(
        ratio=Estimate(logs.n, math.exp(logs.mean), logs.deviation, (low, high)),
        difference=difference,
        is_as_accurate=difference.interval[0] > -tier.margin,
        is_faster=high < 1,
        keeps_aim=high <= tier.aim,
    )


def _as_accurate(comparison: Comparison | None) -> bool:
    return comparison is not None and comparison.is_as_accurate is True
