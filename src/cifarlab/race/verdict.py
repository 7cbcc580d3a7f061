"""The summary of a race in sentences that claim no more than its runs show."""

from pathlib import PurePath
from typing import Any

from cifarlab.race.figures import (
    number_text,
    percent_text,
    points_text,
    ratio_text,
    seconds_text,
    signed_text,
    target_text,
)
from cifarlab.race.power import Rate
from cifarlab.race.summary import Comparison, Interval, SideSummary, Summary
from cifarlab.race.tiers import Tier

NOTHING_CLAIMED = "shows no spread, so nothing is claimed"


def peer_name(header: dict[str, Any]) -> str:
    """What the peer of a record is called: by its adapter, whatever the file is called."""
    peer: dict[str, Any] = header.get("peer") or {}
    facts: dict[str, Any] = peer.get("facts", {})
    name = PurePath(facts["peer"]).stem if "peer" in facts else str(peer.get("name", "the peer"))
    return name if facts.get("as_published", True) else f"your own version of {name}"


def peer_as_raced(header: dict[str, Any]) -> str:
    """The same, with the epochs where its schedule is rescaled."""
    name, epochs = peer_name(header), (header.get("peer") or {}).get("epochs")
    return name if epochs is None else f"{name} in {epochs:g} epochs"


def verdict(summary: Summary, tier: Tier, peer: str, machines: int = 1) -> str:
    """One line: the target, and the peer where there is one, which is called ``peer``.

    Of several ``machines`` it gives no seconds: their mean says nothing of any machine.
    """
    race = summary.tier if machines == 1 else f"{summary.tier} on {machines} machines"
    if summary.ours is None:
        return f"{race}: no run is done yet{_failures(summary)}"
    time = _our_time(summary, summary.ours) if machines == 1 else ""
    parts = [_target(summary, summary.ours, time)]
    if summary.comparison is not None:
        parts += [
            _time(summary.comparison, tier, peer),
            _accuracy(summary.comparison, tier),
            _precisions(summary, peer),
        ]
    return f"{race}: {'; '.join(part for part in parts if part)}{_failures(summary)}"


def rate_text(summary: Summary, peer: str) -> str | None:
    """How fast each side computes, and what share of the machine that is; None where ours is not known."""
    if summary.rate is None:
        return None
    sides = [("ours", summary.rate), (peer, summary.peer_rate)]
    rates = "; ".join(f"{name} at {_rate(rate)}" for name, rate in sides if rate is not None)
    return f"training operations over all the time: {rates}"


def raised_text(summary: Summary) -> str | None:
    """A warning of the search for a lucky end; None where there was none."""
    times = summary.times_raised
    return f"the number of runs was raised {times} time{'s' if times > 1 else ''}" if times else None


def clock_text(header: dict[str, Any]) -> str:
    """What the clock of a record's runs covers."""
    return f"clock: {header['clock']}"


def _rate(rate: Rate) -> str:
    text = f"{number_text(rate.gigaflops, 1)} GFLOP/s in {rate.precision}"
    if rate.peak is None or rate.share is None:
        return text
    share = f"{percent_text(rate.share, 0)} of this machine's {number_text(rate.peak, 0)}"
    return f"{text}, {share} in {rate.precision} matrix products"


def _target(summary: Summary, ours: SideSummary, time: str) -> str:
    if summary.target is None:
        return f"the target is the peer's mean on {summary.data}: give --against"
    if summary.target_origin == "the tier's":
        return _own_target(summary, ours, summary.target, time)
    # Of several pairs the comparison of accuracies says it.
    several = summary.comparison is not None and summary.comparison.ratio.n > 1
    mean = percent_text(summary.target)
    return "" if several else f"the target is the peer's mean on {summary.data} ({mean})"


def _own_target(summary: Summary, ours: SideSummary, target: float, time: str) -> str:
    """Whether a mean accuracy reaches a number."""
    accuracy = ours.accuracy
    aim, mean = f"{target_text(target)} of {summary.data}", percent_text(accuracy.mean)
    if accuracy.interval is None or not accuracy.shows_spread:
        runs = "one run:" if accuracy.n == 1 else f"{accuracy.n} runs, all of"
        which = "one run" if accuracy.n == 1 else "that"
        taken = f", {time}" if time else ""
        return f"{runs} accuracy {mean}, target {aim}{taken}; {which} {NOTHING_CLAIMED}"
    low = f"lower end of the mean's interval {percent_text(accuracy.interval[0])}"
    if summary.reaches_target:
        return f"reaches {aim} ({low}) {time}".rstrip()
    if accuracy.interval[0] >= target:
        return f"does not reach {aim}: the runs that end well do ({low}), and not all end well"
    if accuracy.mean >= target:
        return f"not shown to reach {aim}: the mean does, its interval does not ({low})"
    high = f"upper end of the mean's interval {percent_text(accuracy.interval[1])}"
    if accuracy.interval[1] >= target:
        return f"not shown to reach {aim}, nor to miss it: mean {mean} ({high})"
    return f"does not reach {aim} (mean {mean}, {high})"


def _our_time(summary: Summary, ours: SideSummary) -> str:
    """The mean time, and what the clock has left out of every run."""
    time = f"in {seconds_text(ours.seconds.mean)}"
    left_out = summary.preparation_seconds
    return f"{time} (and {seconds_text(left_out)} of compiling and recording)" if left_out > 0 else time


def _time(comparison: Comparison, tier: Tier, peer: str) -> str:
    ratio = comparison.ratio
    text = f"{ratio_text(ratio.mean)} of the time of {peer}"
    if ratio.interval is None:
        return f"one pair: {text}"
    if not ratio.shows_spread:
        return f"{ratio.n} pairs, all of {text}; that {NOTHING_CLAIMED}"
    if comparison.is_faster:
        keeps = "keeps" if comparison.keeps_aim else "is not shown to keep"
        verb = "misses" if ratio.interval[0] > tier.aim else keeps
        return f"faster, {text} ({_range(ratio.interval)}), which {verb} the aim of {tier.aim:g}"
    if ratio.interval[0] > 1:
        return f"slower, {text} ({_range(ratio.interval)})"
    return f"no faster as far as {ratio.n} pairs show, {text} ({_range(ratio.interval)})"


def _accuracy(comparison: Comparison, tier: Tier) -> str:
    difference = comparison.difference
    text = points_text(difference.mean)
    if difference.interval is None:
        return f"accuracy {text}; one pair {NOTHING_CLAIMED}"
    if not difference.shows_spread:
        return f"accuracy {text} in every pair; that {NOTHING_CLAIMED}"
    low, high = difference.interval
    spread = f"{text}, 95 % interval {signed_text(low)} to {points_text(high)}"
    allowed = f"{100 * tier.margin:g} points"
    if low > 0:
        return f"more accurate ({spread})"
    if comparison.is_as_accurate:
        return f"as accurate to within {allowed} ({spread})"
    if high < -tier.margin:
        return f"less accurate ({spread})"
    return f"not shown to be as accurate to within {allowed} ({spread})"


def _precisions(summary: Summary, peer: str) -> str:
    """In which both compute, where they tell."""
    if summary.precision is None or summary.peer_precision is None:
        return ""
    return f"ours in {summary.precision}, {peer} in {summary.peer_precision}"


def _failures(summary: Summary) -> str:
    failed = [
        f"{count} run{'s' if count > 1 else ''} of {whose} gave no result"
        for count, whose in ((summary.our_failures, "ours"), (summary.peer_failures, "the peer's"))
        if count
    ]
    return "".join(f"; {each}" for each in failed)


def _range(interval: Interval) -> str:
    return f"95 % interval {ratio_text(interval[0])} to {ratio_text(interval[1])}"
