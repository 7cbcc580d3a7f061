"""Runs are found by what decides their numbers, whoever made them and however they are called."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from cifarlab import run
from cifarlab.studies.plan import PlannedRun, folder_name, identity_of
from cifarlab.studies.store import RunStore, ending_by_key, ending_of, is_claimed
from cifarlab.train import train
from support import small_recipe, synthetic_source


def make(folder: Path, seed: int = 0, name: str = "own") -> str:
    """A finished run of the user's own, and its identity key."""
    train(small_recipe(epochs=1), synthetic_source(), folder, seed=seed, recipe_name=name)
    return key_of(folder)


def key_of(folder: Path) -> str:
    return identity_of(run.read_description(folder)).key


def test_a_run_is_found_whatever_it_is_called(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    asked = PlannedRun("asked", small_recipe(epochs=1), "synthetic")
    key = make(tmp_path / "some name", name="other")
    assert store.find(key) == tmp_path / "some name"
    assert store.place(asked, key) == tmp_path / "some name"
    assert store.find("0" * 64) is None
    assert store.place(asked, "0" * 64) == tmp_path / folder_name(asked, "0" * 64)


def test_another_seed_recipe_protocol_or_version_is_another_run(tmp_path: Path) -> None:
    make(tmp_path / "run")
    made = run.read_description(tmp_path / "run")
    others = [
        replace(made, seed=1),
        replace(made, recipe=small_recipe(epochs=2)),
        replace(made, protocols="B,C"),
        replace(made, numerics=made.numerics - 1),
        replace(made, data=replace(made.data, train_sha256="0" * 64)),
        replace(made, data=replace(made.data, test_sha256="0" * 64)),
        replace(made, initial_weights=run.InitialWeights("first", "0" * 64)),
    ]
    assert len({identity_of(each).key for each in [made, *others]}) == len(others) + 1
    same = replace(made, recipe_name="x", data=replace(made.data, name="y"))
    assert identity_of(same).key == identity_of(made).key


def test_a_finished_run_comes_before_an_unfinished_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = make(tmp_path / "b")
    shutil.copytree(tmp_path / "b", tmp_path / "a")
    (tmp_path / "a" / run.RESULT).unlink()
    assert RunStore(tmp_path).find(key) == tmp_path / "b"
    (tmp_path / "b" / run.RESULT).unlink()
    assert RunStore(tmp_path).find(key) == tmp_path / "a"
    run.mark_diverged(tmp_path / "b", "the loss was not finite")
    assert RunStore(tmp_path).find(key) == tmp_path / "b"


def test_damaged_and_foreign_folders_are_passed_over(tmp_path: Path) -> None:
    key = make(tmp_path / "good")
    for name, content in [("empty", b""), ("list", b"[]"), ("bytes", b"\xff\x00"), ("old", b'{"schema": 1}')]:
        (tmp_path / name).mkdir()
        (tmp_path / name / run.RECIPE).write_bytes(content)
    (tmp_path / "folder" / run.RECIPE).mkdir(parents=True)
    (tmp_path / "file").write_text("no run")
    assert RunStore(tmp_path).find(key) == tmp_path / "good"
    assert RunStore(tmp_path / "absent").find(key) is None


def test_a_run_that_appears_later_is_found(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    make(tmp_path / "first")
    first = key_of(tmp_path / "first")
    assert store.find(first) is not None
    second = make(tmp_path / "second", seed=1)
    assert store.find(second) == tmp_path / "second"
    shutil.rmtree(tmp_path / "second")
    assert store.find(second) is None


def test_how_a_run_has_ended(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    assert ending_of(folder) is None and ending_by_key(folder, "0" * 64) is None
    key = make(folder)
    assert ending_of(folder) == ending_by_key(folder, key) == ("finished", "")
    assert ending_by_key(folder, "0" * 64) is None
    run.mark_diverged(folder, "the loss was not finite")
    assert ending_of(folder) == ending_by_key(folder, key) == ("diverged", "the loss was not finite")
    (folder / run.RESULT).write_text("{")
    assert ending_of(folder) is None and ending_by_key(folder, key) is None
    (folder / run.RESULT).unlink()
    assert ending_of(folder) is None


def test_a_claimed_run_shows(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    assert not is_claimed(folder) and not folder.exists()
    with run.claimed(folder):
        assert is_claimed(folder)
    assert not is_claimed(folder)
    with run.claimed(folder):  # the look has left no lock of its own
        pass
