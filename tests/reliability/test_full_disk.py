"""A full disk at any write: the last good checkpoint survives, and one line says what is wrong."""

import functools
import itertools
from pathlib import Path
from typing import Any

import pytest
import torch

from cifarlab import run
from cifarlab.checkpoint import State, load_state, save_state
from cifarlab.errors import UserError
from cifarlab.train import train
from reliability.disk import FailingDisk, full_disk
from reliability.workers import command_line, end_of, small_files, start
from support import Recorder, contents, outcome, save_always, save_never, small_recipe, synthetic_source

SOURCE = synthetic_source()
RECIPE = small_recipe(epochs=2)
STATE = State({"weights": torch.arange(1000.0)}, {})


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("whole") / "run"
    train(RECIPE, SOURCE, folder)
    return outcome(folder)


def test_full_at_every_operation_of_a_save(tmp_path: Path) -> None:
    folder = tmp_path / "resume"
    for number in (1, 2):
        save_state(folder, number, STATE)
    before = contents(folder)
    for at in range(6):
        with pytest.MonkeyPatch.context() as patch:
            disk = full_disk(at).install(patch)
            with pytest.raises(UserError, match=r"write .*/resume/state-.*: the disk is full") as error:
                save_state(folder, 3, STATE)
        assert "\n" not in str(error.value)
        after = contents(folder)
        assert all(after.get(name) == content for name, content in before.items()), disk.operations
        assert not [name for name in after if name.endswith(".tmp")]
        assert load_state(folder)[1] == []
        if at < 4:
            assert after == before
    assert disk.operations[-1] == "fsync"
    with pytest.MonkeyPatch.context() as patch:
        full_disk(at + 2).install(patch)
        save_state(folder, 4, STATE)  # what is left to do is a deletion, for which there is space


def test_full_at_every_operation_of_a_run(tmp_path: Path) -> None:
    """Stopped with one line wherever the space ends; gone on with when there is space again."""
    recipe, failed = small_recipe(epochs=1), 0
    train(recipe, SOURCE, tmp_path / "whole")
    whole = outcome(tmp_path / "whole")
    for at in itertools.count():
        folder = tmp_path / str(at)
        with pytest.MonkeyPatch.context() as patch:
            save_never(patch)
            disk = full_disk(at).install(patch)
            try:
                train(recipe, SOURCE, folder)
                break
            except UserError as error:
                failed += 1
                assert "the disk is full; free some space" in str(error)
                assert str(folder) in str(error) and "\n" not in str(error), disk.operations
        assert not list(folder.rglob("*.tmp"))
        with pytest.MonkeyPatch.context() as patch:
            save_never(patch)
            train(recipe, SOURCE, folder, resume=True)
        assert outcome(folder) == whole
    assert failed >= 6 * 6, "recipe, metrics, state, logits, weights, result"


def test_the_last_good_state_survives(
    whole: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Full from the middle of the second epoch on: nothing before it is done again."""
    save_always(monkeypatch)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Recorder, "epoch", lambda self, line: full_disk(6 * 3).install(patch))
        with pytest.raises(UserError, match="the disk is full"):
            train(RECIPE, SOURCE, tmp_path / "run", display=Recorder())
    display = Recorder()
    train(RECIPE, SOURCE, tmp_path / "run", resume=True, display=display)
    assert display.said[0].startswith("resumed after 1 epochs and ")
    assert outcome(tmp_path / "run") == whole


def test_full_while_a_line_of_metrics_is_written(whole: dict[str, Any], tmp_path: Path) -> None:
    """``metrics.jsonl`` is appended to; /dev/full lets the system itself say that the disk is full."""
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("no /dev/full on this system")
    folder = tmp_path / "run"

    class Filled(Recorder):
        def begin(self, steps: int) -> None:
            (folder / run.METRICS).unlink()
            (folder / run.METRICS).symlink_to(full)

    with pytest.raises(UserError, match=r"write .*metrics.jsonl: the disk is full"):
        train(RECIPE, SOURCE, folder, display=Filled())
    train(RECIPE, SOURCE, folder, resume=True)
    assert outcome(folder) == whole


def test_the_command_line_ends_with_one_line(tmp_path: Path) -> None:
    """A real limit of the system: no file may be larger than 8 kB, so no state can be written."""
    out = tmp_path / "run"
    arguments = ["train", "demo", "--data=digits", "--out", str(out), "--device=cpu", "--recipe.epochs=1"]
    process = start(command_line, arguments, tmp_path / "printed", functools.partial(small_files, 8_000))
    assert end_of(process) not in (0, 130)
    complaint = (tmp_path / "printed" / "err").read_text()
    assert complaint.count("\n") == 1 and complaint.startswith(
        f"cifarlab: could not write {out}/resume/state-"
    )
    assert not list(out.rglob("*.tmp"))
    assert not (out / run.RESULT).exists()


def test_a_disk_with_space_is_not_called_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = FailingDisk().install(monkeypatch)
    save_state(tmp_path, 1, STATE)
    assert len(disk.operations) == 6
