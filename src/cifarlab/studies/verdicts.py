"""Was a published number reproduced? One of six verdicts, and why, in a sentence.

A report's number is one run, so it is held against the interval in which one more run of ours would lie. The
order of the questions is that of the functions here: can the number be tested at all, were ours made like
theirs, do ours say enough, and only then whether the two agree.
"""

import math
import re
from collections.abc import Sequence

from cifarlab.studies.table import Estimate, Published, Quantity, Verdict

FEWEST_SEEDS = 3
"""Below it an interval is too wide to say anything."""
ACCURACY_MARGIN = 0.02
"""Half the width of an interval of accuracies from which on "reproduced" would mean nothing."""
RELATIVE_MARGIN = 0.1
"""The same for seconds, losses and epochs, as a share of the published value."""

EQUIVALENCE = 0.005
"""Accuracies that differ by less are called equal: half a point, about what ten thousand images can tell."""

ROUNDING = 1e-12
"""Differences of equal accuracies carry rounding errors of floats, which are no spread."""
NO_SPREAD = "all seeds give exactly the same, which says nothing about their spread"

Judgment = tuple[Verdict, str]


def judge_number(
    published: Published | None,
    ours: Estimate | None,
    *,
    comparable: str = "",
    unidentified: str = "",
    margin: float | None = None,
) -> Judgment:
    """The verdict on a published number, and its reason in one sentence.

    Args:
        published: None where the report gives no number.
        ours: the same quantity over seeds; None where there is no run.
        comparable: why ours is not made as theirs was (other data, fewer epochs); empty if it is.
        unidentified: why the report says too little to repeat it; empty if it says enough.
        margin: the widest half of an interval that still says something; None for ``default_margin``.
    """
    early = _before_any_number(published is not None, ours, comparable, unidentified)
    if early is not None or published is None or ours is None or ours.prediction is None:
        return early or ("underpowered", NO_SPREAD)
    low, high = ours.prediction
    quantity, seeds = published.quantity, len(ours.values)
    between = f"{_shown(quantity, low)} to {_shown(quantity, high)}"
    what = f"where one more run of ours would lie with 95 % ({between}, from {seeds} seeds)"
    theirs, mean = _theirs(published), _shown(quantity, ours.mean)
    if ours.mean > published.value and published.value + published.tolerance < low:
        return "higher", f"ours is {mean}; {theirs} lies below {what}"
    if ours.mean < published.value and published.value - published.tolerance > high:
        return "lower", f"ours is {mean}; {theirs} lies above {what}"
    allowed = default_margin(published) if margin is None else margin
    if (high - low) / 2 > allowed:
        return "underpowered", (
            f"{theirs} lies {what}, but that is wider than ± {_difference(quantity, allowed)}, so that"
            " agreement means little; take more seeds"
        )
    return "reproduced", f"ours is {mean}; {theirs} lies {what}"


def judge_count(published: Published | None, ours: int, *, unidentified: str = "") -> Judgment:
    """The verdict on an exact quantity, such as a number of parameters: equal at the printed digits.

    It depends on no data and no schedule, and needs no seeds.
    """
    if published is None or unidentified:
        return "not identifiable", unidentified or "the report gives no number"
    if abs(ours - published.value) <= published.tolerance:
        return "reproduced", f"{ours:,} is {published.text}"
    verdict: Verdict = "higher" if ours > published.value else "lower"
    return verdict, f"ours has {ours:,}, the report says {published.text}"


def judge_direction(ours: Estimate | None, *, comparable: str = "", unidentified: str = "") -> Judgment:
    """The verdict on "A is better than B", where the report gives no number.

    Args:
        ours: A minus B, one difference per seed.
        comparable: as in ``judge_number``.
        unidentified: as in ``judge_number``.
    """
    early = _before_any_number(True, ours, comparable, unidentified)
    if early is not None or ours is None or ours.interval is None:
        return early or ("underpowered", NO_SPREAD)
    low, high = ours.interval
    found = (
        f"the difference is {_signed(ours.mean)} (95 % interval {_signed(low)} to {_signed(high)},"
        f" {len(ours.values)} seeds)"
    )
    if low > 0:
        return "reproduced", f"{found}: the claimed direction"
    if high < 0:
        return "lower", f"{found}: the opposite of what is claimed"
    return "underpowered", f"{found}: either direction is possible; take more seeds"


def judge_readings(
    readings: Sequence[Published],
    ours: Estimate | None,
    *,
    comparable: str = "",
    unidentified: str = "",
    margin: float | None = None,
) -> tuple[Verdict, str, int | None]:
    """The verdict where one printed number may be read in several ways, and which reading is met, if one is.

    ``reproduced`` names the reading; where none is met the verdict is that of the nearest.
    """
    judged = [
        judge_number(each, ours, comparable=comparable, unidentified=unidentified, margin=margin)
        for each in readings
    ]
    met = [place for place, (verdict, _) in enumerate(judged) if verdict == "reproduced"]
    if len(met) > 1:
        values = " and ".join(_shown(readings[place].quantity, readings[place].value) for place in met)
        return "underpowered", f"several readings are met ({values}); take more seeds", None
    if met:
        value = _shown(readings[met[0]].quantity, readings[met[0]].value)
        return "reproduced", f"read as {value}: {judged[met[0]][1]}", met[0]
    if not readings:
        return "not identifiable", unidentified or "the report gives no number", None
    if ours is None:
        return (*judged[0], None)
    nearest = min(range(len(readings)), key=lambda place: abs(readings[place].value - ours.mean))
    verdict, reason = judged[nearest]
    value = _shown(readings[nearest].quantity, readings[nearest].value)
    return verdict, f"read as {value}, the nearest of {len(readings)} readings: {reason}", None


def judge_exact_share(published: Published, ours: float) -> Judgment:
    """The verdict on a share that no run changes, such as parameters saved: met within its last digit."""
    said = f"ours is {100 * ours:.1f} %, the report says {published.text}"
    if abs(ours - published.value) <= published.tolerance + ROUNDING:
        return "reproduced", said
    return ("higher" if ours > published.value else "lower"), said


def judge_equivalence(ours: Estimate | None, comparable: str) -> Judgment:
    """The verdict on "it makes no difference": the interval of ours lies within ``EQUIVALENCE`` of 0."""
    early = _before_any_number(True, ours, comparable, "")
    if early is not None or ours is None or ours.interval is None:
        return early or ("underpowered", NO_SPREAD)
    low, high = ours.interval
    found = f"the difference lies between {100 * low:+.2f} and {100 * high:+.2f} points"
    if low >= -EQUIVALENCE and high <= EQUIVALENCE:
        return "reproduced", f"{found}, less than half a point"
    if low > 0:
        return "higher", f"{found}: there is a gain"
    if high < 0:
        return "lower", f"{found}: there is a loss"
    return "underpowered", f"{found}: too wide to call it none; take more seeds"


def judge_at_least(ours: Estimate | None, comparable: str) -> Judgment:
    """The verdict on "nothing is better than A": A minus the other is not below ``-EQUIVALENCE``."""
    early = _before_any_number(True, ours, comparable, "")
    if early is not None or ours is None or ours.interval is None:
        return early or ("underpowered", NO_SPREAD)
    low, high = ours.interval
    found = f"the difference lies between {_signed(low)} and {_signed(high)}"
    if low >= -EQUIVALENCE:
        return "reproduced", f"{found}: at most half a point is lost"
    if high < 0:
        return "lower", f"{found}: the other is better"
    return "underpowered", f"{found}: the other may be better; take more seeds"


def judge_below(published: Published, ours: Estimate | None, comparable: str) -> Judgment:
    """The verdict on "less than so much": the interval of ours lies below the published number."""
    early = _before_any_number(True, ours, comparable, "")
    if early is not None or ours is None or ours.interval is None:
        return early or ("underpowered", NO_SPREAD)
    low, high = ours.interval
    found = f"the difference lies between {_signed(low)} and {_signed(high)}"
    if high < published.value:
        return "reproduced", found
    return ("higher", found) if low > published.value else ("underpowered", f"{found}; take more seeds")


def default_margin(published: Published) -> float:
    """Two points for accuracies, a tenth of the value for everything else.

    For a difference half of it where that is less: an interval that also holds none says nothing.
    """
    if published.quantity == "difference":
        return min(ACCURACY_MARGIN, abs(published.value) / 2)
    if published.quantity.endswith("_accuracy") or published.quantity == "ratio":
        return ACCURACY_MARGIN
    return RELATIVE_MARGIN * abs(published.value)


def _before_any_number(
    has_number: bool, ours: Estimate | None, comparable: str, unidentified: str
) -> Judgment | None:
    """What has to be said before theirs and ours are compared, if anything."""
    if unidentified or not has_number:
        return "not identifiable", unidentified or "the report gives no number"
    if comparable:
        return "not comparable", comparable
    seeds = 0 if ours is None else len(ours.values)
    if seeds < FEWEST_SEEDS:
        return "underpowered", f"{seeds} of at least {FEWEST_SEEDS} seeds"
    if ours is None or ours.deviation is None or ours.deviation < ROUNDING:
        return "underpowered", NO_SPREAD
    return None


def _theirs(published: Published) -> str:
    """The printed text, and the value that it is read as where the text alone does not say it."""
    first = re.search(r"\d[\d,]*(?:\.\d+)?", published.text)
    printed = math.nan if first is None else float(first[0].replace(",", ""))
    units = (1, 0.01, 3600, 1e6)  # plain, percent or points, hours, millions
    if any(math.isclose(printed * unit, published.value, rel_tol=1e-9) for unit in units):
        return published.text
    return f"{published.text}, read as {_shown(published.quantity, published.value)},"


def _shown(quantity: Quantity, value: float) -> str:
    """A value in the units of a page: percent, points, or the plain number."""
    if quantity.endswith("_accuracy"):
        return f"{100 * min(max(value, 0.0), 1.0):.2f} %"  # an interval may reach beyond what is possible
    if quantity == "ratio" and abs(value) <= 1:
        return f"{100 * value:.2f} %"
    if quantity == "difference" and abs(value) <= 1:
        return _signed(value)
    return f"{value:,.4g}" if abs(value) < 1000 else f"{value:,.0f}"


def _signed(difference: float) -> str:
    return f"{100 * difference:+.2f} points".replace("-", "−")


def _difference(quantity: Quantity, width: float) -> str:
    if default_margin(Published(quantity, 1.0, "", "")) == ACCURACY_MARGIN:
        return f"{100 * width:.3g} points"
    return f"{width:.3g}"
