"""What one run of a race gives, whoever ran."""

import contextlib
import math
from dataclasses import dataclass, field
from typing import Any

NUMBERS = ("training_flops", "preparation_seconds")
"""The details with which the summary computes."""


@dataclass(frozen=True)
class Outcome:
    """One run under the race's clock."""

    seconds: float
    accuracy: float
    """On the test set, 0 … 1."""
    seed: int
    details: dict[str, Any] = field(default_factory=dict)
    """What else is known of the run, as JSON values: operations, steps, accuracy without views, …"""

    def to_json(self) -> dict[str, Any]:
        """The outcome as it is written."""
        figures = {"seconds": self.seconds, "accuracy": self.accuracy, "seed": self.seed}
        return {**figures, "details": self.details}


def outcome_from(value: Any) -> Outcome:
    """The outcome that a JSON value describes.

    Raises:
        ValueError: it describes none, and why.
    """
    if not isinstance(value, dict):
        raise ValueError("it is no object")
    seconds, accuracy = finite_number(value, "seconds"), finite_number(value, "accuracy")
    seed, details = whole_number(value, "seed"), value.get("details", {})
    if seconds <= 0:
        raise ValueError(f"seconds must be above 0, found {seconds!r}")
    if not 0 <= accuracy <= 1:
        raise ValueError(f"accuracy must lie in 0 … 1, found {accuracy!r}")
    if not isinstance(details, dict):
        raise ValueError(f"details must be an object, found {details!r}")
    for name in NUMBERS:
        if name in details:
            finite_number(details, name)
    if not isinstance(details.get("precision", ""), str):
        raise ValueError(f"precision must be a text, found {details['precision']!r}")
    return Outcome(seconds, accuracy, seed, details)


def finite_number(value: dict[str, Any], name: str) -> float:
    """The finite number called ``name``.

    Raises:
        ValueError: it is none.
    """
    number = value.get(name)
    if isinstance(number, int | float) and not isinstance(number, bool):
        with contextlib.suppress(OverflowError):  # a whole number of hundreds of digits
            if math.isfinite(number):
                return float(number)
    raise ValueError(f"{name} must be a finite number, found {str(number)[:40]!r}")


def whole_number(value: dict[str, Any], name: str) -> int:
    """The whole number called ``name``.

    Raises:
        ValueError: it is none.
    """
    number = value.get(name)
    if not isinstance(number, int) or isinstance(number, bool):
        raise ValueError(f"{name} must be a whole number, found {str(number)[:40]!r}")
    return number
