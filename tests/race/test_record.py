"""The file of a race: what is read of it, and what is refused."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cifarlab.errors import UserError
from cifarlab.race.record import read_record
from race.fakes import Lane


def test_the_record_of_another_version_is_refused(lane: Lane) -> None:
    lane.race(1)
    lane.path.write_text(lane.path.read_text().replace('"schema": 1', '"schema": 2'))
    with pytest.raises(UserError, match="one of another version"):
        lane.race(2)
    lane.path.write_text("[]")
    with pytest.raises(UserError, match="no file of a race"):
        lane.race(2)


def test_a_damaged_record_is_refused(lane: Lane) -> None:
    lane.race(1)
    text = lane.path.read_text()
    lane.path.write_text(text.replace('"accuracy": 0.94', '"accuracy": 94'))
    with pytest.raises(UserError, match=r"is damaged: accuracy must lie in 0 … 1, found 94"):
        lane.race(2)


def test_the_record_next_door_keeps_its_temporary_files(lane: Lane) -> None:
    """Another tier's race may be writing them."""
    folder = lane.path.parent
    folder.mkdir(parents=True)
    own, other = folder / ".tiny.half.json.0123abcd.tmp", folder / ".gpu94.json.0123abcd.tmp"
    for path in (own, other, folder / ".tiny.json.0123abcd.tmp"):
        path.touch()
    lane.race(1)
    assert [path.name for path in folder.glob(".*.tmp")] == [other.name]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda record: record.pop("data"), "data must be an object"),
        (lambda record: record["data"].pop("test_images"), "test_images must be a whole number"),
        (lambda record: record.update(machine_peaks={"bf16": "x"}), "bf16 must be a finite number"),
        (lambda record: record.update(hardware=3), "hardware must be an object"),
        (lambda record: record.update(peer=["rival"]), "peer must be an object"),
        (lambda record: record["peer"].update(facts=3), "facts must be an object"),
        (lambda record: record.update(commands=[{"runs": "2"}]), "runs must be a whole number"),
        (lambda record: record.update(pairs=3), "is damaged"),
        (lambda record: record["pairs"].append(5), "is damaged"),
        (lambda record: record["pairs"][0].pop("first"), "'first' is missing"),
        (lambda record: record["pairs"].append(record["pairs"][0]), "the seed 0 is there twice"),
        (lambda record: record["pairs"][0]["peer"].update(seed=5), "a pair has two seeds, 0 and 5"),
        (lambda record: record["pairs"][0]["ours"].update(seconds=10**400), "seconds must be a finite"),
        (
            lambda record: record["pairs"][0]["ours"]["details"].update(training_flops="x"),
            "training_flops must be a finite number, found 'x'",
        ),
        (lambda record: record["failures"].append({"side": "ours", "seed": 0.5}), "seed must be a whole"),
        (lambda record: record.update(tier="gpu94"), "is a race of 'gpu94', not of 'tiny'"),
    ],
)
def test_a_record_that_nothing_can_be_computed_from_is_refused(
    change: Callable[[dict[str, Any]], object], message: str, finished: dict[str, Any], tmp_path: Path
) -> None:
    record = json.loads(json.dumps(finished))
    change(record)
    path = tmp_path / "record.json"
    path.write_text(json.dumps(record))
    with pytest.raises(UserError) as refusal:
        read_record(path, "tiny")
    assert message in str(refusal.value)


@pytest.fixture
def finished(lane: Lane) -> dict[str, Any]:
    """The file of a race."""
    lane.race(1, against=lane.opponent())
    document: dict[str, Any] = json.loads(lane.path.read_text())
    return document
