"""After a crash at any operation of a save, the new state or the previous one loads."""

import itertools
from pathlib import Path
from typing import Any

import pytest
import torch

from cifarlab import checkpoint, run
from cifarlab.checkpoint import State, load_state, save_state
from cifarlab.files import write_atomic
from cifarlab.parameter_statistics import PARAMETERS
from cifarlab.train import train
from reliability.disk import FailingDisk, VolatileDisk
from support import Crash, outcome, save_never, small_recipe, stop_at, synthetic_source

SOURCE = synthetic_source()
HISTORIES = {
    "first": [7],
    "second": [3, 7],
    "third": [1, 3, 7],
    "same number twice": [1, 7, 7],
    "leftover": [1, 3, 7],
}


def _state(place: int) -> State:
    return State({"weights": torch.full((40,), float(place))}, {"place": place})


@pytest.fixture(params=HISTORIES)
def history(request: pytest.FixtureRequest, tmp_path: Path) -> list[int]:
    """Saves all of a history's states but the last one into ``resume``; returns the numbers of all."""
    numbers = HISTORIES[request.param]
    (tmp_path / "resume").mkdir()
    for place, number in enumerate(numbers[:-1]):
        save_state(tmp_path / "resume", number, _state(place))
    if request.param == "leftover":
        (tmp_path / "resume" / ".state-00000003.12345678.tmp").write_bytes(b"half a st")
    return numbers


def _save_last(folder: Path, history: list[int]) -> None:
    save_state(folder, history[-1], _state(len(history) - 1))


def _loadable(disk: VolatileDisk, scratch: Path) -> set[int | None]:
    """The places of the states that may load after a loss of power; None where none does."""
    found: set[int | None] = set()
    for folder in disk.after_power_loss(scratch):
        state, damaged = load_state(folder)
        assert state is not None or not damaged, "a run that has begun would be refused"
        found.add(None if state is None else state.values["place"])
        if state is not None:
            assert torch.equal(state.tensors["weights"], _state(state.values["place"]).tensors["weights"])
    return found


def test_power_fails_before_every_operation(history: list[int], tmp_path: Path) -> None:
    new, previous = len(history) - 1, len(history) - 2 if len(history) > 1 else None
    folder, seen = tmp_path / "resume", set()
    kept = {path.name: path.read_bytes() for path in folder.iterdir()}
    for at in itertools.count():
        with pytest.MonkeyPatch.context() as patch:
            disk = VolatileDisk(folder, at)
            disk.install(patch)
            crashed = False
            try:
                _save_last(folder, history)
            except Crash:
                crashed = True
        found = _loadable(disk, tmp_path / f"after{at}")
        assert found <= {new, previous}, f"before operation {disk.operations[-1]}"
        seen |= found
        if not crashed:
            assert found == {new}, "a save that has returned lasts"
            break
        for path in folder.iterdir():
            path.unlink()
        for name, content in kept.items():
            (folder / name).write_bytes(content)
    assert seen == {new, previous}
    assert at >= 6, "open, write, flush, rename, open and flush of the folder"


@pytest.mark.parametrize("forgotten", ["file", "folder"])
def test_a_save_without_a_flush_is_noticed(
    forgotten: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Control: the test above fails for code that leaves out one of the two flushes."""
    for place, number in enumerate((1, 3)):
        save_state(tmp_path / "resume", number, _state(place))
    disk = VolatileDisk(tmp_path / "resume", forgets=(forgotten,))
    disk.install(monkeypatch)
    _save_last(tmp_path / "resume", [1, 3, 7])
    monkeypatch.undo()
    assert _loadable(disk, tmp_path / "after") == {1, 2}


def test_one_state_without_a_flush_is_not_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Control: it is the flush, or else the second state, that keeps a run alive."""
    save_state(tmp_path / "resume", 1, _state(0))
    disk = VolatileDisk(tmp_path / "resume", forgets=("file",))
    disk.install(monkeypatch)
    monkeypatch.setattr(checkpoint, "KEPT_STATES", 1)
    _save_last(tmp_path / "resume", [1, 7])
    monkeypatch.undo()
    with pytest.raises(AssertionError, match="would be refused"):
        _loadable(disk, tmp_path / "after")


def test_other_files_are_old_or_new(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "file"
    path.parent.mkdir()
    path.write_bytes(b"old")
    for at in range(7):
        with pytest.MonkeyPatch.context() as patch:
            disk = VolatileDisk(path.parent, at if at < 6 else None)
            disk.install(patch)
            try:
                write_atomic(path, b"new, and longer")
            except Crash:
                assert at < 6
        found = {(left / "file").read_bytes() for left in disk.after_power_loss(tmp_path / str(at))}
        assert found <= {b"old", b"new, and longer"}
        assert at < 6 or found == {b"new, and longer"}
        path.write_bytes(b"old")


def test_a_new_folder_lasts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder's own name lies in its parent, which must be flushed too."""
    folder = tmp_path / "runs" / "run" / "resume"
    disk = VolatileDisk(folder)
    disk.install(monkeypatch)
    save_state(folder, 1, _state(0))
    assert {folder, folder.parent, folder.parent.parent, tmp_path} <= disk.flushed_folders


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("whole")
    train(small_recipe(epochs=1), SOURCE, folder / "run")
    return outcome(folder / "run")


def test_killed_before_every_operation_of_a_run(
    whole: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the claim of the folder to the deletion of the last state."""
    save_never(monkeypatch)
    for at in itertools.count():
        folder = tmp_path / str(at)
        with pytest.MonkeyPatch.context() as patch:
            disk = FailingDisk(at)
            disk.install(patch)
            try:
                train(small_recipe(epochs=1), SOURCE, folder)
                break
            except Crash:
                pass
        train(small_recipe(epochs=1), SOURCE, folder, resume=True)
        assert outcome(folder) == whole, f"killed before {disk.operations[-1]}"
    assert at >= 6 * 6, "recipe, metrics, state, logits, weights, result"


@pytest.mark.parametrize(
    "interrupted", [run.RECIPE, run.METRICS, PARAMETERS, run.TEST_LOGITS, run.WEIGHTS, run.RESULT]
)
def test_a_crash_leaves_nothing_half_written(
    interrupted: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The temporary file of the write that was cut short is gone when the run is finished."""
    counted = FailingDisk()
    with pytest.MonkeyPatch.context() as patch:
        save_never(monkeypatch)
        counted.install(patch)
        train(small_recipe(epochs=1), SOURCE, tmp_path / "whole")
    begins = next(
        i for i, name in enumerate(counted.operations) if f"open {tmp_path}/whole/.{interrupted}" in name
    )
    with pytest.MonkeyPatch.context() as patch, pytest.raises(Crash):
        FailingDisk(begins + 2).install(patch)
        train(small_recipe(epochs=1), SOURCE, tmp_path / "run")
    assert len(list((tmp_path / "run").glob(".*.tmp"))) == 1
    train(small_recipe(epochs=1), SOURCE, tmp_path / "run", resume=True)
    assert not list((tmp_path / "run").glob(".*.tmp"))


def test_a_line_of_metrics_cut_short(
    whole: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "run"
    stop_at(monkeypatch, 9, error=Crash())
    with pytest.raises(Crash):
        train(small_recipe(epochs=1), SOURCE, folder)
    with (folder / run.METRICS).open("a") as file:
        file.write('{"epoch": 2, "trai')
    assert [line["epoch"] for line in run.read_metrics(folder)] == [1]
    train(small_recipe(epochs=1), SOURCE, folder, resume=True)
    assert outcome(folder) == whole
