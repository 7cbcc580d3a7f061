"""The summary of a race in sentences that claim no more than its runs show."""

from cifarlab.race.header import CLOCK
from cifarlab.race.summary import Comparison, Estimate, Interval, Summary
from cifarlab.race.tiers import Tier


def seconds_text(value: float) -> str:
    """A time with as many digits as it is worth: ``2.593 s``, ``312.4 s``, ``2,879 s``."""
    digits = 3 if value < 10 else 2 if value < 100 else 1 if value < 1000 else 0
    return f"{value:,.{digits}f} s"


def points_text(difference: float) -> str:
    """0.0031 → ``+0.31 points``, with a true minus sign."""
    return f"{_signed(difference)} points"


def verdict(summary: Summary, tier: Tier, peer_name: str) -> str:
    """One line: the target, and the peer where there is one."""
    if summary.ours is None:
        return f"{summary.tier}: no run is done yet{_failures(summary)}"
    parts = [_target(summary)]
    if summary.comparison is not None:
        parts += [_time(summary.comparison, tier, peer_name), _accuracy(summary.comparison, tier, peer_name)]
    return f"{summary.tier}: {'; '.join(part for part in parts if part)}{_failures(summary)}"


def rate_text(summary: Summary) -> str | None:
    """How fast ours computes, and what share of the machine that is; None where it is not known."""
    rate = summary.rate
    if rate is None:
        return None
    of_peak = ""
    if rate.peak is not None and rate.share is not None:
        of_peak = f", {rate.share:.0%} of this machine's {rate.peak:,.0f} in {rate.precision} matrix products"
    return f"ours computes at {rate.gigaflops:,.1f} GFLOP/s (training operations over all the time){of_peak}"


def clock_text() -> str:
    """What the clock covers."""
    return f"clock: {CLOCK}"


def _target(summary: Summary) -> str:
    if summary.target is None:
        return "the target is the peer's mean on the same files: give --against"
    if summary.ours is None or summary.target_origin == "the tier's":
        return _own_target(summary, summary.target)
    # Of several pairs the comparison of accuracies says it.
    several = summary.comparison is not None and summary.comparison.ratio.n > 1
    return "" if several else f"the target is the peer's mean on the same files ({summary.target:.2%})"


def _own_target(summary: Summary, target: float) -> str:
    """Whether a mean accuracy reaches a number."""
    if summary.ours is None:
        return ""
    accuracy, time = summary.ours.accuracy, seconds_text(summary.ours.seconds.mean)
    if accuracy.interval is None:
        return f"one run, which shows no spread: {accuracy.mean:.2%} of {target:.0%} in {time}"
    low = f"lower end of the mean's interval {accuracy.interval[0]:.2%}"
    if summary.reaches_target:
        return f"reaches {target:.0%} ({low}) in {time}"
    if accuracy.interval[0] >= target:
        return f"does not reach {target:.0%}: the runs that end well do ({low}), and not all end well"
    if accuracy.mean >= target:
        return f"not shown to reach {target:.0%}: the mean does, its interval does not ({low})"
    return f"does not reach {target:.0%} ({low})"


def _time(comparison: Comparison, tier: Tier, peer: str) -> str:
    ratio = comparison.ratio
    text = f"{ratio.mean:.3f} of {peer}'s time"
    if ratio.interval is None:
        return f"one pair: {text}"
    if comparison.is_faster:
        aim = "keeps" if comparison.keeps_aim else "misses"
        return f"faster, {text} ({_range(ratio, 3)}), which {aim} the aim of {tier.aim:g}"
    if ratio.interval[0] > 1:
        return f"slower, {text} ({_range(ratio, 3)})"
    return f"no faster as far as {ratio.n} pairs show, {text} ({_range(ratio, 3)})"


def _accuracy(comparison: Comparison, tier: Tier, peer: str) -> str:
    difference = comparison.difference
    text = points_text(difference.mean)
    if difference.interval is None:
        return f"accuracy {text}; one pair shows no spread, so nothing is claimed"
    low, high = difference.interval
    spread = f"{text}, 95 % interval {_signed(low)} to {points_text(high)}"
    allowed = f"{100 * tier.margin:g} points"
    if low > 0:
        return f"more accurate ({spread})"
    if comparison.is_as_accurate:
        return f"as accurate to within {allowed} ({spread})"
    if high < -tier.margin:
        return f"less accurate ({spread})"
    return f"not shown to be as accurate to within {allowed} ({spread})"


def _failures(summary: Summary) -> str:
    failed = [
        f"{count} run{'s' if count > 1 else ''} of {whose} gave no result"
        for count, whose in ((summary.our_failures, "ours"), (summary.peer_failures, "the peer's"))
        if count
    ]
    return "".join(f"; {each}" for each in failed)


def _range(value: Estimate, digits: int) -> str:
    low, high = _bounds(value)
    return f"95 % interval {low:.{digits}f} to {high:.{digits}f}"


def _bounds(value: Estimate) -> Interval:
    assert value.interval is not None
    return value.interval


def _signed(difference: float) -> str:
    return f"{100 * difference:+.2f}".replace("-", "\N{MINUS SIGN}")
