"""Runs are found by what decides their numbers, whoever made them and however they are called."""

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cifarlab import run
from cifarlab.checkpoint import decode, encode
from cifarlab.studies import wholeness
from cifarlab.studies.comparisons import read_answers
from cifarlab.studies.plan import PlannedRun, folder_name, identity_of
from cifarlab.studies.store import RunStore, ending_by_key, ending_of, is_claimed
from cifarlab.studies.wholeness import damage
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


def without(field: str) -> Any:
    return lambda result: {name: value for name, value in result.items() if name != field}


def having(**fields: Any) -> Any:
    return lambda result: {**result, **fields}


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (lambda result: {"status": "finished"}, "has no 'test_accuracy'"),
        (without("last"), "has no 'last'"),
        (without("per_class"), "has no 'per_class'"),
        (lambda result: {**result, "test_accuracy": (result["test_accuracy"] + 0.5) % 1}, "another test acc"),
        (having(test_images=31), "another test accuracy"),
        (having(test_accuracy="0.5"), "test_accuracy cannot be 0.5"),
        (having(test_accuracy=True), "test_accuracy cannot be True"),
        (having(test_accuracy=float("nan")), "test_accuracy cannot be nan"),
        (having(last={"test_accuracy": 1.5}), "test_accuracy cannot be 1.5"),
        (having(last=[0.5]), "last is not an object"),
        (having(best_epoch=1.0), "best_epoch is not a whole number"),
        (having(best_epoch=2), "best_epoch cannot be 2"),
        (having(last_epoch=0), "last_epoch cannot be 0"),
        (having(parameters={}), "has no 'total'"),
        (having(seconds=-1), "seconds cannot be -1"),
        (having(training_flops=float("inf")), "training_flops cannot be inf"),
        (having(training_flops=10**400), "training_flops cannot be 1000"),
        (having(val_accuracy=101), "val_accuracy cannot be 101"),
        (having(val_loss="low"), "val_loss cannot be low"),
        (having(best_on_test={"epoch": 1}), "has no 'test_accuracy'"),
        (having(per_class=[{"class": 1, "images": 3, "accuracy": 0.5}]), "no name"),
        (having(per_class=[{"class": "cat", "images": 0, "accuracy": 0.5}]), "images cannot be 0"),
        (having(per_class={}), "not a list"),
    ],
)
def test_a_run_with_an_impossible_result_has_not_ended(edit: Any, said: str, finished: Path) -> None:
    path = finished / run.RESULT
    path.write_text(json.dumps(edit(json.loads(path.read_text()))))
    assert ending_of(finished) is None and ending_by_key(finished, key_of(finished)) is None
    complaint = damage(finished)
    assert complaint is not None and said in complaint and str(path) in complaint
    assert RunStore(finished.parent).find(key_of(finished)) is None


@pytest.mark.parametrize("field", ["val_accuracy", "val_loss", "best_on_test"])
@pytest.mark.parametrize("is_named", [False, True])
def test_what_a_run_need_not_have_measured_may_be_missing(field: str, is_named: bool, finished: Path) -> None:
    path = finished / run.RESULT
    edit = having(**{field: None}) if is_named else without(field)
    path.write_text(json.dumps(edit(json.loads(path.read_text()))))
    assert ending_of(finished) == ("finished", "")


@pytest.fixture
def finished(tmp_path: Path) -> Path:
    make(tmp_path / "run")
    return tmp_path / "run"


def test_a_run_whose_logits_or_weights_are_lost_cut_or_others_has_not_ended(finished: Path) -> None:
    for file in (run.TEST_LOGITS, run.WEIGHTS):
        path = finished / file
        content = path.read_bytes()
        for damaged in (b"", content[:-1], content[: len(content) // 2], encode({}, {})):
            path.write_bytes(damaged)
            assert ending_of(finished) is None and str(path) in str(damage(finished))
        path.unlink()
        assert ending_of(finished) is None and f"{path} is lost" in str(damage(finished))
        path.write_bytes(content)
        assert ending_of(finished) == ("finished", "")
    network, weights, _ = run.read_weights(finished)
    run.write_weights(finished, dict(list(weights.items())[1:]), network)
    assert ending_of(finished) is None and "its weights" in str(damage(finished))
    run.write_weights(finished, {name: each + 1 for name, each in weights.items()}, network)
    assert ending_of(finished) is None and "its weights" in str(damage(finished))
    run.write_weights(finished, weights, network)
    assert ending_of(finished) == ("finished", "")
    path = finished / run.TEST_LOGITS
    tensors, _ = decode(path.read_bytes(), path)
    path.write_bytes(encode({**tensors, "labels": tensors["logits"].argmax(1)}, {}))  # all are right
    assert ending_of(finished) is None and "another test accuracy" in str(damage(finished))


def test_a_damaged_run_is_passed_over_for_a_whole_and_for_an_unfinished_one(tmp_path: Path) -> None:
    asked = PlannedRun("asked", small_recipe(epochs=1), "synthetic")
    key = make(tmp_path / "a")
    for name in "bcd":
        shutil.copytree(tmp_path / "a", tmp_path / name)
    (tmp_path / "a" / run.WEIGHTS).unlink()
    (tmp_path / "b" / run.RESULT).unlink()
    (tmp_path / "c" / run.RESULT).write_text("{")
    store = RunStore(tmp_path)
    assert store.place(asked, key) == tmp_path / "d"
    assert list(store.damaged(key)) == [tmp_path / "a", tmp_path / "c"]
    shutil.rmtree(tmp_path / "d")
    assert store.place(asked, key) == tmp_path / "b"
    shutil.rmtree(tmp_path / "b")
    assert store.find(key) is None
    assert store.place(asked, key) == tmp_path / folder_name(asked, key)


def test_a_run_is_placed_beside_whatever_has_its_name(tmp_path: Path) -> None:
    asked = PlannedRun("asked", small_recipe(epochs=1), "synthetic")
    store, key = RunStore(tmp_path), "0" * 64
    name = folder_name(asked, key)
    (tmp_path / name).mkdir()
    (tmp_path / name / ".lock").touch()  # of a process that is about to begin this very run
    assert store.place(asked, key) == tmp_path / name
    (tmp_path / name / "notes.txt").touch()
    assert store.place(asked, key) == tmp_path / f"{name}-2"
    make(tmp_path / f"{name}-2")  # another run
    assert store.place(asked, key) == tmp_path / f"{name}-3"


def test_what_was_found_whole_is_not_read_again_until_it_changes(
    finished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads: list[Path] = []

    def note(folder: Path) -> Any:
        reads.append(folder)
        return read_answers(folder)

    monkeypatch.setattr(wholeness, "read_answers", note)
    for _ in range(5):
        assert ending_of(finished) == ("finished", "")
    assert len(reads) == 1
    for number, file in enumerate((run.RESULT, run.TEST_LOGITS, run.WEIGHTS), 2):
        os.utime(finished / file, ns=(number, number))
        assert ending_of(finished) == ("finished", "") and len(reads) == number


def test_a_claimed_run_shows(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    assert not is_claimed(folder) and not folder.exists()
    with run.claimed(folder):
        assert is_claimed(folder)
    assert not is_claimed(folder)
    with run.claimed(folder):  # the look has left no lock of its own
        pass
