"""CIFAR archives and folders with something wrong in them: refused in one line that names it."""

import dataclasses
import gzip
from pathlib import Path

import pytest

from cifar_samples import (
    BY_FOLDER,
    Python2Pickle,
    archive_bytes,
    batch_values,
    files,
    packed,
    pixels,
    write_folder,
)
from cifarlab.data.cifar import place as cifar_place
from cifarlab.data.cifar.official import ARCHIVES, OfficialArchive
from cifarlab.data.sources import open_source
from cifarlab.errors import UserError

pytestmark = pytest.mark.usefixtures("cache")

IMAGES = 3
"""In each file of an archive."""
EVERY = pytest.mark.parametrize("archive", ARCHIVES, ids=lambda archive: archive.folder)
TEN = BY_FOLDER["cifar-10-batches-bin"]


@EVERY
def test_every_file_must_be_there_once(archive: OfficialArchive, tmp_path: Path) -> None:
    whole = files(archive)
    for name in whole:
        rest = {other: content for other, content in whole.items() if other != name}
        (tmp_path / "archive").write_bytes(packed(rest, archive.folder))
        with pytest.raises(UserError, match=f"{name} is missing; fetch it again"):
            open_source(str(tmp_path / "archive"))
        twice = [*whole.items(), (name, whole[name])]
        (tmp_path / "archive").write_bytes(packed(twice, archive.folder))
        with pytest.raises(UserError, match=f"/{name}': there is another file of this name"):
            open_source(str(tmp_path / "archive"))


@EVERY
def test_a_folder_misses_a_file(archive: OfficialArchive, tmp_path: Path) -> None:
    for file in archive.files:
        place = write_folder(tmp_path / file.name, archive)
        (place / file.name).unlink()
        with pytest.raises(UserError, match="no such file or folder"):
            open_source(str(place))


@EVERY
def test_other_class_names_are_refused(archive: OfficialArchive, tmp_path: Path) -> None:
    for file in (each for each in archive.files if each.half == "names"):
        changed = files(archive)
        changed[file.name] = changed[file.name].replace(b"tr", b"rt", 1)  # truck, trout, trees
        (tmp_path / "archive").write_bytes(packed(changed, archive.folder))
        with pytest.raises(
            UserError, match=f"{file.name} is damaged: its class names are not the official ones"
        ):
            open_source(str(tmp_path / "archive"))


@EVERY
def test_a_label_of_no_class_is_refused(archive: OfficialArchive, tmp_path: Path) -> None:
    changed = files(archive)
    batch = archive.files[0].name
    if archive.kind == "binary":
        changed[batch] = b"\xc8" + changed[batch][1:]
    else:
        key = b"labels" if archive.data_set == "cifar10" else b"fine_labels"
        place = changed[batch].index(
            b"K", changed[batch].index(b"]", changed[batch].index(b"U" + bytes([len(key)]) + key))
        )
        changed[batch] = changed[batch][: place + 1] + b"\xc8" + changed[batch][place + 2 :]
    (tmp_path / "archive").write_bytes(packed(changed, archive.folder))
    with pytest.raises(
        UserError, match=rf"{batch} is damaged: image 0 has the label 200 of (10|20|100) classes"
    ):
        open_source(str(tmp_path / "archive"))


def test_more_images_than_the_official_file_has_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = write_folder(tmp_path / "folder", TEN, IMAGES)
    (tmp_path / "archive").write_bytes(archive_bytes(TEN, IMAGES))
    smaller = tuple(dataclasses.replace(each, most_bytes=IMAGES * 3_073 - 1) for each in TEN.files)
    monkeypatch.setattr(cifar_place, "ARCHIVES", (dataclasses.replace(TEN, files=smaller),))
    for path in (place, tmp_path / "archive"):
        with pytest.raises(UserError, match="larger than 9,218 bytes"):
            open_source(str(path))


def test_a_compressed_archive_of_something_else_is_not_taken_for_cifar(tmp_path: Path) -> None:
    (tmp_path / "archive").write_bytes(packed({"notes": b"", "train/cat.png": b""}, "folder"))
    with pytest.raises(UserError, match="archive: "):
        open_source(str(tmp_path / "archive"))
    (tmp_path / "archive").write_bytes(gzip.compress(b"hello"))
    with pytest.raises(UserError, match="is not a tar archive"):
        open_source(str(tmp_path / "archive"))


@pytest.mark.parametrize(
    ("key", "value", "reason"),
    [
        ("labels", [1, 2], "it has 2 labels for 3 images"),
        ("labels", [1, 2, 3, 4], "it has 4 labels for 3 images"),
        ("labels", "123", "it has no list 'labels'"),
        ("labels", None, "it has no list 'labels'"),
        ("labels", [1, "2", 3], "its labels are not numbers from 0 on"),
        ("labels", [1, -1, 3], "its labels are not numbers from 0 on"),
        ("labels", [1, 2, 10], "image 2 has the label 10 of 10 classes"),
        ("data", None, "it has no array 'data' of 3,072 values per image"),
        ("data", [1, 2, 3], "it has no array 'data' of 3,072 values per image"),
        ("data", pixels(3, 0).reshape(6, 1536), "it has no array 'data' of 3,072 values per image"),
    ],
)
def test_a_pickle_of_other_values_is_refused(key: str, value: object, reason: str, tmp_path: Path) -> None:
    values = batch_values([(1,), (2,), (3,)], pixels(3, 0))
    values = {name: each for name, each in {**values, key: value}.items() if each is not None}
    archive = BY_FOLDER["cifar-10-batches-py"]
    place = write_folder(tmp_path / "folder", archive, IMAGES)
    (place / "data_batch_4").write_bytes(Python2Pickle().dump(values))
    with pytest.raises(UserError, match=f"folder/data_batch_4 is damaged: {reason}; fetch it again"):
        open_source(str(place))


@pytest.mark.parametrize("content", [b"", bytes(3_072), bytes(3_074), bytes(2 * 3_073 + 1)], ids=len)
def test_a_binary_file_of_other_than_whole_records_is_refused(content: bytes, tmp_path: Path) -> None:
    place = write_folder(tmp_path / "folder", TEN, IMAGES)
    (place / "test_batch.bin").write_bytes(content)
    with pytest.raises(UserError, match=r"test_batch\.bin is damaged: its .* bytes are not records of 3,073"):
        open_source(str(place))
