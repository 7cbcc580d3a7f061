"""Folders and archives of pictures: the same data from both, whatever their arrangement."""

import io
import os
import random
import re
import shutil
import tarfile
import time
from pathlib import Path, PurePosixPath

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from cifarlab.data.folder import open_pictures
from cifarlab.data.layout import arrange
from cifarlab.data.pictures import Preparation
from cifarlab.data.split import Source
from data_samples import FLAT, HALVED, class_counts, pack_pictures, picture, write_pictures

pytestmark = pytest.mark.usefixtures("cache")


def assert_same(one: Source, other: Source) -> None:
    assert one.description.train_sha256 == other.description.train_sha256
    assert one.description.test_sha256 == other.description.test_sha256
    assert torch.equal(one.read_train().images, other.read_train().images)
    assert torch.equal(one.read_test().labels, other.read_test().labels)


def test_train_and_test_folders_are_taken_as_given(tmp_path: Path) -> None:
    source = open_pictures(write_pictures(tmp_path / "pets", HALVED))
    description, train, test = source.description, source.read_train(), source.read_test()
    assert (description.name, description.test_set, description.image_size) == ("pets", "given", 32)
    assert description.class_names == ("cat", "dog") == train.class_names == test.class_names
    assert (description.train_images, description.test_images) == (6, 6) == (len(train), len(test))
    assert (description.train_sha256, description.test_sha256) == (train.sha256(), test.sha256())
    assert train.labels.tolist() == [0, 0, 0, 1, 1, 1]
    order = sorted(HALVED)
    for row, name in enumerate(name for name in order if name.startswith("train/")):
        expected = np.asarray(Image.open(io.BytesIO(picture(order.index(name))))).transpose(2, 0, 1)
        assert np.array_equal(train.images[row].numpy(), expected)


def test_a_sixth_of_each_class_is_split_off(tmp_path: Path) -> None:
    source = open_pictures(write_pictures(tmp_path / "pets", FLAT))
    train, test = source.read_train(), source.read_test()
    assert source.description.test_set == "one sixth of each class, seed 0"
    assert class_counts(train.labels, 2) == [10, 10]
    assert class_counts(test.labels, 2) == [2, 2]
    pictures = {image.numpy().tobytes() for image in torch.cat([train.images, test.images])}
    assert len(pictures) == len(FLAT)


def test_the_split_is_the_same_on_every_machine() -> None:
    layout = arrange([], map(PurePosixPath, FLAT), "pets")
    assert [file for file, _ in layout.test] == ["cat/06.png", "cat/11.png", "dog/02.png", "dog/05.png"]


@pytest.mark.parametrize("names", [HALVED, FLAT])
@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_an_archive_gives_what_the_folder_gives(tmp_path: Path, names: list[str], mode: str) -> None:
    packed = pack_pictures(tmp_path / "pets.zip", names, mode)  # its content decides, not its name
    assert_same(open_pictures(packed), open_pictures(write_pictures(tmp_path / "pets", names)))


@pytest.mark.parametrize("names", [HALVED, FLAT])
def test_one_wrapping_folder_does_not_matter(tmp_path: Path, names: list[str]) -> None:
    plain = open_pictures(pack_pictures(tmp_path / "plain.tar", names))
    dotted = open_pictures(pack_pictures(tmp_path / "dotted.tar", [f"./{name}" for name in names]))
    wrapped = open_pictures(pack_pictures(tmp_path / "wrapped.tar", [f"pets-1.0/{name}" for name in names]))
    assert_same(plain, dotted)
    assert_same(plain, wrapped)


def test_hidden_files_and_notes_are_passed_over(tmp_path: Path) -> None:
    root = write_pictures(tmp_path / "pets", HALVED)
    before = open_pictures(root)
    (root / ".git").mkdir()
    for name in [".git/x", ".DS_Store", "README.md", "train/cat/Thumbs.db", "train/labels.CSV", "notes.txt"]:
        (root / name).write_text("not a picture")
    (root / "__MACOSX" / "cat").mkdir(parents=True)
    assert_same(before, open_pictures(root))
    with tarfile.open(tmp_path / "pets.tar", "w") as packed:
        packed.add(root, "pets")
    assert_same(before, open_pictures(tmp_path / "pets.tar"))


def test_a_link_to_a_picture_is_a_picture(tmp_path: Path) -> None:
    root = write_pictures(tmp_path / "pets", HALVED)
    before = open_pictures(root)
    shutil.move(root / "train/cat/0.png", tmp_path / "elsewhere")
    (root / "train/cat/0.png").symlink_to(tmp_path / "elsewhere")
    assert_same(before, open_pictures(root))


@pytest.mark.parametrize("size", [1, 8])
def test_the_preparation_decides_about_the_size(tmp_path: Path, size: int) -> None:
    source = open_pictures(write_pictures(tmp_path / "pets", HALVED), Preparation(size=size))
    assert source.description.image_size == size
    assert source.read_train().images.shape == (6, 3, size, size)


def test_class_names_are_composed_whatever_the_file_system_made_of_them() -> None:
    names = [f"{kind}/{n}.png" for kind in ("cafe\u0301", "bar") for n in range(2)]
    assert arrange([], map(PurePosixPath, names), "drinks").class_names == ("bar", "caf\u00e9")


@given(counts=st.lists(st.integers(2, 40), min_size=2, max_size=5), shuffle=st.randoms(use_true_random=False))
@settings(max_examples=100, deadline=None)
def test_every_picture_is_in_one_half_whatever_the_order(counts: list[int], shuffle: random.Random) -> None:
    names = [
        PurePosixPath(f"class{label}/{n}.png") for label, count in enumerate(counts) for n in range(count)
    ]
    layout = arrange([], names, "x")
    assert sorted(file for file, _ in layout.train + layout.test) == sorted(map(str, names))
    for label, count in enumerate(counts):
        assert [of for _, of in layout.test].count(label) == max(1, round(count / 6))
    shuffle.shuffle(names)
    assert arrange([], names, "x") == layout


@pytest.fixture
def photographs() -> Path:
    place = os.environ.get("CIFARLAB_PHOTOS")
    if not place:
        pytest.skip("CIFARLAB_PHOTOS does not name the archive of the 60,000 photographs")
    return Path(place)


@pytest.mark.soak
def test_the_photographs_open_in_good_time(photographs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    start = time.monotonic()
    source = open_pictures(photographs)
    assert time.monotonic() - start < 90
    assert re.search(r"preparing 60,000 pictures from .* \(once; then cached in ", capsys.readouterr().err)
    assert (source.description.train_images, source.description.test_images) == (50_000, 10_000)
    start = time.monotonic()
    again = open_pictures(photographs)
    train, test = again.read_train(), again.read_test()
    assert time.monotonic() - start < 3
    assert capsys.readouterr().err == ""
    assert class_counts(train.labels, 10) == [5_000] * 10
    assert class_counts(test.labels, 10) == [1_000] * 10
    assert train.sha256() == source.description.train_sha256
