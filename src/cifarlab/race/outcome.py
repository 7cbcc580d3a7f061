"""What one run of a race gives, whoever ran."""

import math
from dataclasses import dataclass, field
from typing import Any


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
    seconds, accuracy = _number(value, "seconds"), _number(value, "accuracy")
    seed, details = value.get("seed"), value.get("details", {})
    if seconds <= 0:
        raise ValueError(f"seconds must be above 0, found {seconds!r}")
    if not 0 <= accuracy <= 1:
        raise ValueError(f"accuracy must lie in 0 … 1, found {accuracy!r}")
    if not isinstance(seed, int) or isinstance(seed, bool):
        raise ValueError(f"seed must be a whole number, found {seed!r}")
    if not isinstance(details, dict):
        raise ValueError(f"details must be an object, found {details!r}")
    return Outcome(seconds, accuracy, seed, details)


def _number(value: dict[str, Any], name: str) -> float:
    number = value.get(name)
    if not isinstance(number, int | float) or isinstance(number, bool) or not math.isfinite(number):
        raise ValueError(f"{name} must be a finite number, found {number!r}")
    return float(number)
