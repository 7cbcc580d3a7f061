"""Numbers and names as a reader wants to see them. All results are plain text, still to be escaped."""

import json
import unicodedata
from collections.abc import Iterator, Mapping
from typing import Any

from cifarlab.errors import printable

MISSING = "not recorded"


def percent(fraction: float | None) -> str:
    """0.9342 → ``93.42%``."""
    return MISSING if fraction is None else f"{100 * fraction:.2f}%"


def interval(bounds: tuple[float, float] | None) -> str:
    """(0.929, 0.939) → ``92.90-93.90%`` with an en dash."""
    return MISSING if bounds is None else f"{100 * bounds[0]:.2f}\N{EN DASH}{100 * bounds[1]:.2f}%"


def points(difference: float) -> str:
    """0.0031 → ``+0.31 percentage points``, with a true minus sign."""
    return f"{100 * difference:+.2f} percentage points".replace("-", "\N{MINUS SIGN}")


def count(number: float | None) -> str:
    """50000 → ``50,000``."""
    return MISSING if number is None else f"{number:,.0f}"


def decimal(number: float | None) -> str:
    """A loss or the like, to four significant digits."""
    return MISSING if number is None else f"{number:.4g}"


def magnitude(number: float | None) -> str:
    """40813184 → ``40.8 M``; the prefix is the SI one, and a unit may follow at once."""
    if number is None:
        return MISSING
    rounded = float(f"{number:.3g}")  # first, so that 999,999 becomes 1.00 M and not 1000 k
    for power, prefix in ((18, "E"), (15, "P"), (12, "T"), (9, "G"), (6, "M"), (3, "k")):
        if abs(rounded) >= 10**power:
            return f"{rounded / 10**power:#.3g}".rstrip(".") + f" {prefix}"
    return f"{rounded:.0f} "


DAY, TWO_DAYS = 86_400, 172_800
"""In seconds."""


def duration(seconds: float | None) -> str:
    """3725 → ``1 h 2 min``; under a minute ``42.3 s``; from two days on ``4 days``."""
    if seconds is None:
        return MISSING
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    if whole < TWO_DAYS:
        return f"{whole // 3600} h {whole % 3600 // 60} min"
    return f"{whole / DAY:,.0f} days"


def shortened(name: str, columns: int) -> str:
    """``name`` without control characters, cut to ``columns`` widths of a Latin letter.

    No letter keeps more than two combining marks: towers of them would run over the lines around.
    """
    kept, width, marks, room = "", 0, 0, 0
    for letter in printable(name):
        marks = marks + 1 if unicodedata.combining(letter) else 0
        if marks:
            kept += letter if marks <= 2 else ""
            continue
        if width < columns:
            room = len(kept)  # so many characters leave a column for the dots
        width += 2 if unicodedata.east_asian_width(letter) in "WF" else 1
        if width > columns:
            return kept[:room] + "…"
        kept += letter
    return kept


def flattened(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """A nested JSON value as rows of (dotted path, text); the path is what a flag would be called."""
    if isinstance(value, Mapping):
        if "type" in value and path:
            yield path, str(value["type"])
        elif not value and path:
            yield path, "{}"
        for key, item in value.items():
            if key != "type":
                yield from flattened(item, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list) and any(isinstance(item, Mapping | list) for item in value):
        for position, item in enumerate(value):
            yield from flattened(item, f"{path}.{position}")
    elif isinstance(value, list):
        yield path, ", ".join(_scalar(item) for item in value) or "[]"
    else:
        yield path, _scalar(value)


def _scalar(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
