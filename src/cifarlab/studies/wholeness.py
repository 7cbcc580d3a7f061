"""Whether a run that says that it has finished still holds what a study reads of it.

Disks fill up, files are lost in a copy, numbers are edited. One such run must not spoil a study: it is told
from the others here, and made again beside it.
"""

import functools
import sys
from pathlib import Path
from typing import Any

from cifarlab import run
from cifarlab.errors import UserError, printable
from cifarlab.studies.comparisons import read_answers

_CHECKED = (run.RECIPE, run.RESULT, run.TEST_LOGITS, run.WEIGHTS)
_LARGEST = sys.float_info.max
_Stamps = tuple[tuple[int, int, int] | None, ...]


def damage(folder: Path) -> str | None:
    """What is wrong with the run in ``folder``, in words; None where it is whole, or has not finished.

    What was found whole is not read again until one of its files changes.
    """
    try:
        ending = run.read_ending(folder) if run.is_run(folder) else None
        if ending is not None and ending["status"] == "finished":
            _require_whole(folder, _stamps(folder))
    except UserError as error:
        return str(error)
    return None


@functools.lru_cache(maxsize=10_000)
def _require_whole(folder: Path, stamps: _Stamps) -> None:
    """Raise a UserError unless the finished run is whole; ``stamps`` change with its files.

    An error is not remembered: the next look may find the disk well again.
    """
    result = run.read_result(folder)
    try:
        _require_fields(result)
    except (KeyError, TypeError) as error:
        what = f"it has no {error}" if isinstance(error, KeyError) else str(error)
        raise UserError(f"{folder / run.RESULT} is damaged: {what}") from error
    for path in (folder / run.TEST_LOGITS, folder / run.WEIGHTS):
        if not path.is_file():
            raise UserError(f"{path} is lost")
    try:
        answers = read_answers(folder)
    except RuntimeError as error:  # tensors of a kind that has no largest value
        raise UserError(f"{folder / run.TEST_LOGITS} is damaged: it does not hold logits") from error
    if (answers.accuracy, len(answers.right)) != (result["test_accuracy"], result["test_images"]):
        raise UserError(
            f"{folder / run.RESULT} is damaged: it tells another test accuracy than {run.TEST_LOGITS}"
        )
    try:
        run.load_network(folder)
    except UserError as error:
        reason = "it does not hold a network and its weights"
        raise UserError(f"{folder / run.WEIGHTS} is damaged: {reason}") from error


def _stamps(folder: Path) -> _Stamps:
    """For each file that is checked what changes when it is written."""
    return tuple(_stamp(folder / name) for name in _CHECKED)


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def _require_fields(result: dict[str, Any]) -> None:
    """Raise KeyError or TypeError unless every field that a study reads is there and possible."""
    _number(result, "test_accuracy", 0, 1)
    _whole_number(result, "test_images", 1)
    _number(_object(result, "last"), "test_accuracy", 0, 1)
    last_epoch = _whole_number(result, "last_epoch", 1)
    _whole_number(result, "best_epoch", 1, last_epoch)
    if result.get("val_accuracy") is not None:
        _number(result, "val_accuracy", 0, 1)
    if result.get("val_loss") is not None:
        _number(result, "val_loss", 0)
    if result.get("best_on_test") is not None:
        _number(_object(result, "best_on_test"), "test_accuracy", 0, 1)
    _whole_number(_object(result, "parameters"), "total", 0)
    _number(result, "seconds", 0)
    _number(result, "training_flops", 0)
    rows = result["per_class"]
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise TypeError("per_class is not a list of objects")
    for row in rows:
        if not isinstance(row["class"], str):
            raise TypeError("a class in per_class has no name")
        _whole_number(row, "images", 1)
        _number(row, "accuracy", 0, 1)


def _object(value: dict[str, Any], name: str) -> dict[str, Any]:
    found = value[name]
    if not isinstance(found, dict):
        raise TypeError(f"{name} is not an object")
    return found


def _number(value: dict[str, Any], name: str, lowest: float, highest: float = _LARGEST) -> None:
    found = value[name]
    is_number = isinstance(found, int | float) and not isinstance(found, bool)
    if not is_number or not lowest <= found <= highest:  # which NaN is not, either
        raise TypeError(f"{name} cannot be {printable(str(found)[:40])}")


def _whole_number(value: dict[str, Any], name: str, lowest: int, highest: float = _LARGEST) -> int:
    _number(value, name, lowest, highest)
    found: int = value[name]
    if not isinstance(found, int):
        raise TypeError(f"{name} is not a whole number")
    return found
