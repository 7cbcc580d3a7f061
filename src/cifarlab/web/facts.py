"""What a run folder tells of itself, as the API gives it; whatever stands in it, an answer comes out."""

import os
from typing import Any, Literal

from cifarlab import run
from cifarlab.errors import UserError, printable
from cifarlab.report.run_folder import read_metrics
from cifarlab.run import RunDescription
from cifarlab.web.answers import Metrics, RunDetails, RunSummary
from cifarlab.web.shelf import REPORT, Shelved

Status = Literal["finished", "diverged", "unfinished", "damaged"]


def summary(shelved: Shelved) -> RunSummary:
    """The run's line in the list."""
    return RunSummary(**_common(shelved, *_read(shelved)))


def details(shelved: Shelved) -> RunDetails:
    """All that the page shows of a run beside its log."""
    description, ending = _read(shelved)
    common = _common(shelved, description, ending)
    if description is None:
        return RunDetails(**common)
    return RunDetails(
        **common,
        class_names=[printable(name) for name in description.data.class_names],
        image_size=description.data.image_size,
        epochs=description.recipe.epochs,
    )


def metrics(shelved: Shelved) -> Metrics:
    """The rows of the log, and what is wrong with it."""
    status, log = _status(*_read(shelved)), shelved.folder / run.METRICS
    try:
        if status == "unfinished" and not (log.exists() and log.stat().st_size):
            return Metrics(status=status, epochs=[], notes=[])  # it is not missing: its time has not come
        rows, notes = read_metrics(log)
    except (UserError, OSError):
        return Metrics(status=status, epochs=[], notes=[f"{run.METRICS} cannot be read."])
    return Metrics(status=status, epochs=[dict(row) for row in rows], notes=list(notes))


def _read(shelved: Shelved) -> tuple[RunDescription | None, dict[str, Any]]:
    """The run's description, None if it is damaged, and what its result says, if anything."""
    try:
        return run.read_description(shelved.folder), run.read_ending(shelved.folder) or {}
    except UserError:
        return None, {}


def _status(description: RunDescription | None, ending: dict[str, Any]) -> Status:
    if description is None:
        return "damaged"
    found: Status = ending.get("status", "unfinished")
    return found


def _common(shelved: Shelved, description: RunDescription | None, ending: dict[str, Any]) -> dict[str, Any]:
    known: dict[str, Any] = {
        "name": shelved.name,
        "origin": shelved.origin,
        "status": _status(description, ending),
        "has_report": os.path.isfile(shelved.folder / REPORT),  # unlike Path's, never raises
    }
    if description is None:
        return known
    return known | {
        "recipe": printable(description.recipe_name),
        "data": printable(description.data.name),
        "network": type(description.recipe.model).__name__,
        "seed": description.seed,
        "test_accuracy": _share(ending.get("test_accuracy")),
        "interval": _interval(ending.get("interval")),
        "test_images": _count(ending.get("test_images")),
        "usable": os.path.isfile(shelved.folder / run.WEIGHTS),
        "names_data": isinstance(ending.get("data_argument"), str) and bool(ending["data_argument"]),
    }


def _share(value: Any) -> float | None:
    """A number from 0 to 1; anything else is not told."""
    return float(value) if type(value) in (int, float) and 0 <= value <= 1 else None


def _count(value: Any) -> int | None:
    return value if type(value) is int and value >= 0 else None


def _interval(value: Any) -> tuple[float, float] | None:
    if not isinstance(value, list) or len(value) != 2:
        return None
    low, high = _share(value[0]), _share(value[1])
    return None if low is None or high is None else (low, high)
