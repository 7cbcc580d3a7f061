"""An audit from beginning to end: what it leaves, how it goes on, what it refuses."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import support
from audit.planted import TRANSFORMS, pictures, source_with
from cifarlab import run
from cifarlab.audit import audit, conduct
from cifarlab.data.split import Source
from cifarlab.errors import Stopped, UserError
from cifarlab.exclusion import read_exclusions

RECIPE = support.small_recipe(epochs=1)


def planted() -> Source:
    """20 training images; test images 1 and 3 repeat training images, 4 repeats test image 0."""
    train, test = pictures(20, seed=1), pictures(6, seed=2)
    test[1] = TRANSFORMS["shift"](train[7:8])[0]
    test[3] = train[4]
    test[4] = test[0].flip(2)
    return source_with(train, test)


def with_folds(source: Source, folder: Path, **options: Any) -> dict[str, Any]:
    return audit(
        source, folder, folds=2, recipe=RECIPE, recipe_name="small", device="cpu", epochs=1, **options
    )


def test_the_list_names_what_repeats_and_nothing_else(tmp_path: Path) -> None:
    source = planted()
    found = audit(source, tmp_path / "audit", command="cifarlab data audit planted")
    exclusions, file = read_exclusions(tmp_path / "audit")
    assert file == tmp_path / "audit" / "exclude.json"
    assert [
        (each.index, each.reason, each.partner.half, each.partner.index) for each in exclusions.images
    ] == [
        (1, "near", "train", 7),
        (3, "exact", "train", 4),
        (4, "mirrored", "test", 0),
    ]
    assert [each.name for each in exclusions.images] == ["test[1]", "test[3]", "test[4]"]
    assert [each.partner.name for each in exclusions.images] == ["train[7]", "train[4]", "test[0]"]
    assert exclusions.data == "planted"
    assert exclusions.train_sha256 == source.description.train_sha256
    assert exclusions.test_sha256 == source.description.test_sha256
    assert json.loads((tmp_path / "audit" / "audit.json").read_text()) == found


def test_the_findings_add_up(tmp_path: Path) -> None:
    found = audit(planted(), tmp_path / "audit", command="cifarlab data audit planted")
    duplicates = found["duplicates"]
    assert duplicates["counts"] == {
        "train": {"exact": 0, "mirrored": 0, "near": 0},
        "test": {"exact": 0, "mirrored": 1, "near": 0},
        "across": {"exact": 1, "mirrored": 0, "near": 1},
    }
    assert duplicates["images"] == {"train": 0, "test": 2, "across": 4}
    assert duplicates["test_with_train_duplicate"]["images"] == 2
    assert duplicates["test_with_train_duplicate"]["share"] == 2 / 6
    assert duplicates["excluded"] == 3
    # Image 4 of the training set is even, its copy is the test set's number 3; 7 and 1 are both odd.
    assert duplicates["with_different_labels"] == 1
    assert [pair["kind"] for pair in duplicates["pairs"]] == ["exact", "mirrored", "near"]
    assert duplicates["pairs"][0]["first"] == {"half": "train", "index": 4, "name": "train[4]", "label": 0}
    assert len(duplicates["groups"]) == 3
    assert found["balance"]["train"]["counts"] == [10, 10]
    assert found["data"]["name"] == "planted"
    assert found["command"] == "cifarlab data audit planted"
    assert found["labels"] is None


def test_labels_are_judged_by_ordinary_runs_of_folds(tmp_path: Path) -> None:
    source = support.synthetic_source()
    found = with_folds(source, tmp_path / "audit")
    folds = [run.read_description(tmp_path / "audit" / "folds" / name) for name in ("fold-1", "fold-2")]
    assert [fold.data.name for fold in folds] == ["synthetic, fold 1 of 2", "synthetic, fold 2 of 2"]
    assert sum(fold.data.test_images for fold in folds) == 60
    assert {fold.recipe_name for fold in folds} == {"small"}
    for half, images in (("train", 60), ("test", 30)):
        labels = found["labels"][half]
        assert labels["images"] == images
        assert 0 <= labels["interval"][0] <= labels["accuracy"] <= labels["interval"][1] <= 1
        assert sum(labels["per_class"].values()) == len(labels["suspects"])
        margins = [suspect["margin"] for suspect in labels["suspects"]]
        assert margins == sorted(margins)
        assert all(suspect["half"] == half for suspect in labels["suspects"])
    assert "These are suspects, not errors" in (tmp_path / "audit" / "audit.html").read_text()


def test_suspects_are_not_excluded(tmp_path: Path) -> None:
    source = support.shuffled_labels(support.synthetic_source())
    found = with_folds(source, tmp_path / "audit")
    assert found["labels"]["train"]["suspects"]
    assert found["labels"]["test"]["suspects"]
    excluded = {image.index for image in read_exclusions(tmp_path / "audit")[0].images}
    pairs = found["duplicates"]["pairs"]
    assert excluded <= {pair[side]["index"] for pair in pairs for side in ("first", "second")}
    assert not {s["index"] for s in found["labels"]["test"]["suspects"]} <= excluded


def test_a_stopped_audit_goes_on_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = support.synthetic_source()
    whole = with_folds(source, tmp_path / "whole")
    with monkeypatch.context() as patch:
        calls = support.stop_at(patch)
        with_folds(source, tmp_path / "counted")
    for stop in (1, calls[0] // 2, calls[0] - 1):
        folder = tmp_path / f"stopped-{stop}"
        with monkeypatch.context() as patch:
            support.stop_at(patch, stop)
            with pytest.raises(Stopped, match="give the same command again to go on"):
                with_folds(source, folder)
        assert not (folder / "audit.json").exists()
        assert with_folds(source, folder) == whole


def test_what_is_done_is_not_done_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = support.synthetic_source()
    first = with_folds(source, tmp_path / "audit")
    monkeypatch.setattr(conduct, "find_duplicates", None)
    kept = support.contents(tmp_path / "audit" / "folds")
    assert with_folds(source, tmp_path / "audit") == first
    assert support.contents(tmp_path / "audit" / "folds") == kept


@pytest.mark.parametrize("damage", ["", "[]", "{", '{"pairs": [1], "flat_images": 0}', "far"])
def test_damaged_pairs_are_found_again(tmp_path: Path, damage: str) -> None:
    first = audit(planted(), tmp_path / "audit")
    path = tmp_path / "audit" / "duplicates.json"
    text = path.read_text().replace('"second": 24', '"second": 2400') if damage == "far" else damage
    assert path.read_text() != text
    path.write_text(text)
    said: list[str] = []
    assert audit(planted(), tmp_path / "audit", say=said.append) == first
    assert "looking for duplicates again" in said[0]


def test_another_audit_s_folder_is_refused_with_the_difference(tmp_path: Path) -> None:
    audit(planted(), tmp_path / "audit")
    with pytest.raises(UserError, match=r"audit of something else \(.*seed: 0 -> 1"):
        audit(planted(), tmp_path / "audit", seed=1)


@pytest.mark.parametrize("content", ["file", "folder", "run"])
def test_what_is_no_audit_is_not_touched(tmp_path: Path, content: str) -> None:
    folder = tmp_path / "mine"
    if content == "file":
        folder.write_text("mine")
    else:
        folder.mkdir()
        (folder / ("recipe.json" if content == "run" else "photo.png")).write_text("mine")
    before = support.contents(tmp_path)
    with pytest.raises(UserError, match="exists already and is no audit; choose another --out"):
        audit(planted(), folder)
    assert support.contents(tmp_path) == before


def test_folds_without_a_recipe_are_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="name a recipe"):
        audit(planted(), tmp_path / "audit", folds=2)
    with pytest.raises(UserError, match="has 10 training images"):
        audit(planted(), tmp_path / "audit", folds=6, recipe=RECIPE)
    assert not (tmp_path / "audit").exists()


def test_a_group_of_duplicates_lies_in_one_fold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folds: list[Tensor] = []

    def remember(source: Source, fold_of: Tensor, *rest: Any, **options: Any) -> list[Path]:
        folds.append(fold_of)
        raise Stopped("that is enough")

    images = pictures(60, seed=5)
    images[30:42] = images[0:12]
    monkeypatch.setattr(conduct, "train_folds", remember)
    with pytest.raises(Stopped):
        audit(
            source_with(images, pictures(4, seed=6)),
            tmp_path / "audit",
            folds=2,
            recipe=support.small_recipe(),
            device="cpu",
        )
    assert torch.equal(folds[0][0:12], folds[0][30:42])
    assert folds[0].unique().tolist() == [0, 1]
