"""Lists of excluded images: what is written is read again, what is damaged is refused in a line."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cifarlab.errors import UserError
from cifarlab.exclusion import (
    ExcludedImage,
    Exclusions,
    Partner,
    chosen_indices,
    read_exclusions,
    write_exclusions,
)


def exclusions(*indices: int) -> Exclusions:
    partner = Partner("train", 3, "train/cat/3.png")
    images = tuple(ExcludedImage(index, f"test/{index}.png", "near", partner) for index in indices)
    return Exclusions("pets", "a" * 64, "b" * 64, images)


def chosen(path: Path, train: str = "a" * 64, test: str = "b" * 64) -> list[int]:
    return chosen_indices(path, train, test, test_images=10)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_exclusions(tmp_path, exclusions(0, 4, 9))
    return tmp_path


def test_the_list_is_read_from_its_folder_and_from_its_file(folder: Path) -> None:
    assert read_exclusions(folder) == (exclusions(0, 4, 9), folder / "exclude.json")
    assert read_exclusions(folder / "exclude.json")[0] == exclusions(0, 4, 9)
    assert chosen(folder) == [0, 4, 9]


def test_an_empty_list_is_one(tmp_path: Path) -> None:
    write_exclusions(tmp_path, exclusions())
    assert chosen(tmp_path) == []


def test_a_list_of_other_data_is_refused(folder: Path) -> None:
    with pytest.raises(UserError, match=r"made for another test set \(pets\)"):
        chosen(folder, test="c" * 64)
    with pytest.raises(UserError, match=r"made for another training set than the run's \(pets\)"):
        chosen(folder, train="c" * 64)


def set_index(value: Any) -> Callable[[dict[str, Any]], Any]:
    def change(document: dict[str, Any]) -> Any:
        document["images"][1]["index"] = value
        return document

    return change


def without(name: str) -> Callable[[dict[str, Any]], Any]:
    return lambda document: {key: value for key, value in document.items() if key != name}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (set_index(10), "names an image that a test set of 10 does not have"),
        (set_index(-1), "names an image that a test set of 10 does not have"),
        (set_index(10**400), "names an image that a test set of 10 does not have"),
        (set_index(0), "not in ascending order, or one is there twice"),
        (set_index(9), "not in ascending order, or one is there twice"),
        (set_index(4.0), "is damaged: images.1.index"),
        (set_index(True), "is damaged: images.1.index"),
        (set_index("4"), "is damaged: images.1.index"),
        (set_index(None), "is damaged: images.1.index"),
        (set_index("x" * 10_000), "is damaged: images.1.index"),
        (without("images"), "is damaged: images: this field is missing"),
        (without("test_sha256"), "is damaged: test_sha256: this field is missing"),
        (without("schema"), "is no list of excluded images"),
        (lambda document: {**document, "schema": 2}, "is no list of excluded images"),
        (lambda document: {**document, "schema": True}, "is no list of excluded images"),
        (lambda document: {**document, "more": 1}, "is damaged: more: no such field"),
        (lambda document: {**document, "images": {"0": 1}}, "is damaged: images: expected a list"),
        (lambda document: document["images"], "is no list of excluded images"),
    ],
)
def test_a_damaged_or_hostile_list_is_refused_in_one_short_line(
    folder: Path, change: Callable[[dict[str, Any]], Any], message: str
) -> None:
    path = folder / "exclude.json"
    path.write_text(json.dumps(change(json.loads(path.read_text()))))
    with pytest.raises(UserError) as caught:
        chosen(folder)
    assert message in str(caught.value)
    assert "exclude.json" in str(caught.value)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 400 + len(str(folder))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe\x00",
        b"[" * 100_000,
        b'{"schema": 1, "images": ' + b"[" * 100_000,
        b'{"schema": NaN}',
        b"7",
    ],
    ids=["empty", "binary", "nested", "nested inside", "not a number", "a number"],
)
def test_what_is_not_such_json_is_refused(folder: Path, content: bytes) -> None:
    (folder / "exclude.json").write_bytes(content)
    with pytest.raises(UserError, match=r"exclude\.json is (damaged|no list)"):
        chosen(folder)


def test_deep_nesting_that_json_forgives_is_refused(folder: Path) -> None:
    for depth in (50, 500, 900, 950, 980):
        text = '{"schema": 1, "data": ' + "[" * depth + "]" * depth + "}"
        (folder / "exclude.json").write_text(text)
        with pytest.raises(UserError, match=r"exclude\.json is damaged"):
            chosen(folder)


def test_no_list_is_said_with_what_makes_one(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such file or folder"):
        chosen(tmp_path / "absent")
    with pytest.raises(UserError, match=r"has no exclude\.json; finish the audit with data audit"):
        chosen(tmp_path)


def test_a_file_of_gigabytes_is_not_read(folder: Path) -> None:
    with (folder / "exclude.json").open("wb") as file:
        file.truncate(3 * 2**30)
    with pytest.raises(UserError, match="too large"):
        chosen(folder)
