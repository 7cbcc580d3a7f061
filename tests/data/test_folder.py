"""Folders and archives of pictures: the same data from both, and one line for whatever is wrong."""

import io
import os
import random
import re
import shutil
import stat
import tarfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path, PurePosixPath

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from cifarlab.data import archive, folder
from cifarlab.data.folder import arrange, open_pictures
from cifarlab.data.pictures import Preparation
from cifarlab.data.split import Source, class_counts
from cifarlab.errors import UserError


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CIFARLAB_CACHE", str(tmp_path / "cache"))


def picture(seed: int = 0) -> bytes:
    pixels = np.random.RandomState(seed).randint(0, 256, (32, 32, 3)).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def write_pictures(root: Path, names: Iterable[str]) -> Path:
    for seed, name in enumerate(sorted(names)):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(picture(seed))
    return root


HALVED = [f"{half}/{kind}/{n}.png" for half in ("train", "test") for kind in ("cat", "dog") for n in range(3)]
FLAT = [f"{kind}/{n:02}.png" for kind in ("cat", "dog") for n in range(12)]


def pack(path: Path, members: Iterable[tuple[str, bytes]], mode: str = "w") -> Path:
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for name, content in members:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def pack_pictures(path: Path, names: Iterable[str], mode: str = "w") -> Path:
    """An archive of the pictures that ``write_pictures`` writes, in an order that is not sorted."""
    members = [(name, picture(seed)) for seed, name in enumerate(sorted(names))]
    random.Random(0).shuffle(members)
    return pack(path, members, mode)


def assert_same(one: Source, other: Source) -> None:
    assert one.description.train_sha256 == other.description.train_sha256
    assert one.description.test_sha256 == other.description.test_sha256
    assert torch.equal(one.read_train().images, other.read_train().images)
    assert torch.equal(one.read_test().labels, other.read_test().labels)


def assert_refused(path: Path, *parts: str) -> None:
    """Opening fails with one line that holds every one of ``parts``."""
    with pytest.raises(UserError) as caught:
        open_pictures(path)
    assert str(caught.value).isprintable()
    for part in parts:
        assert part in str(caught.value)


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


@pytest.mark.parametrize("target", [".", "..", "../.."])
def test_links_in_a_circle_end_in_one_line(tmp_path: Path, target: str) -> None:
    root = write_pictures(tmp_path / "pets", HALVED)
    for name in ("loop", "another loop"):  # two of them: following both for ever doubles with every level
        (root / "train/cat" / name).symlink_to(target)
    assert_refused(root, "loop", "is a folder where a picture is expected")


@pytest.mark.parametrize("target", ["link.png", "nowhere"])
def test_a_link_that_leads_nowhere_is_one_line(tmp_path: Path, target: str) -> None:
    root = write_pictures(tmp_path / "pets", HALVED)
    (root / "train/cat/link.png").symlink_to(target)
    assert_refused(root, "train/cat/link.png")


def test_what_is_no_plain_file_is_refused(tmp_path: Path) -> None:
    root = write_pictures(tmp_path / "pets", HALVED)
    os.mkfifo(root / "train/cat/pipe.png")
    assert_refused(root, "pipe.png is not a plain file")
    assert_refused(Path("/dev/zero"), "neither a folder nor a tar archive")


@pytest.mark.parametrize("size", [1, 8])
def test_the_preparation_decides_about_the_size(tmp_path: Path, size: int) -> None:
    source = open_pictures(write_pictures(tmp_path / "pets", HALVED), Preparation(size=size))
    assert source.description.image_size == size
    assert source.read_train().images.shape == (6, 3, size, size)


def _break_picture(root: Path) -> None:
    (root / "train/cat/0.png").write_bytes(b"hello")


def _empty_class(root: Path) -> None:
    (root / "train/bird").mkdir()


def _only_cats(root: Path) -> None:
    for half in ("train", "test"):
        shutil.rmtree(root / half / "dog")


def _missing_from(half: str) -> Callable[[Path], None]:
    return lambda root: shutil.rmtree(root / half / "dog")


def _add(name: str) -> Callable[[Path], None]:
    def add(root: Path) -> None:
        write_pictures(root, [name])

    return add


@pytest.mark.parametrize(
    ("breaking", "message"),
    [
        (_break_picture, "unreadable picture pets/train/cat/0.png: not a PNG, JPEG, WebP or BMP file"),
        (_add("train/cat/notes.doc/x.png"), "notes.doc/x.png is not in a class folder"),
        (_empty_class, "the class folder train/bird is empty"),
        (_missing_from("test"), "the class dog is missing from test"),
        (_missing_from("train"), "the class dog is missing from train"),
        (_add("train/Cat/0.png"), "two classes with one name, Cat and cat"),
        (_add("train/CAFE\u0301/0.png"), "the class CAF\u00c9 is missing from test"),
        (_add("top.png"), "top.png is not in a class folder"),
        (_add("train/top.png"), "train/top.png is not in a class folder"),
        (_add("val/cat/0.png"), "found test, train, val at the top"),
        (_add("train/a\nb/0.png"), "cannot be shown"),
        (lambda root: shutil.rmtree(root / "test"), "found train at the top"),
        (_only_cats, "found 1 class folders"),
    ],
)
def test_a_broken_data_set_is_refused_the_same_from_both(
    tmp_path: Path, breaking: Callable[[Path], None], message: str
) -> None:
    root = write_pictures(tmp_path / "pets", HALVED)
    breaking(root)
    assert_refused(root, message)
    packed = tmp_path / "pets"
    with tarfile.open(tmp_path / "packed", "w") as file:
        for entry in sorted(root.iterdir()):
            file.add(entry, entry.name)
    shutil.rmtree(root)
    (tmp_path / "packed").rename(packed)
    assert_refused(packed, message)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ([], "found 0 class folders"),
        (["cat/0.png", "cat/1.png"], "found 1 class folders"),
        (["cat/0.png", "cat/1.png", "dog/0.png"], "the class dog has 1 picture"),
        (["train/0.png", "test/0.png"], "found test, train at the top"),
        (["caf\u00e9/0.png", "cafe\u0301/0.png"], "two classes with one name"),
        (["Strasse/0.png", "stra\u00dfe/0.png"], "two classes with one name"),
    ],
)
def test_an_arrangement_that_makes_no_data_set_is_refused(names: list[str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        arrange([], map(PurePosixPath, names), "pets")


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


def test_a_path_that_does_not_exist_gets_the_nearest_sibling(tmp_path: Path) -> None:
    write_pictures(tmp_path / "flowers", FLAT)
    assert_refused(tmp_path / "flovers", "there is no file or folder", "did you mean flowers?")


def test_permission_denied_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = write_pictures(tmp_path / "pets", HALVED)

    def denied(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr(os, "scandir", denied)
        assert_refused(root, "pets", "permission denied")
    with monkeypatch.context() as patch:
        patch.setattr(Path, "read_bytes", denied)
        assert_refused(root, "train/cat/0.png", "permission denied")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_without_permission_is_one_line(tmp_path: Path) -> None:
    root = write_pictures(tmp_path / "pets", HALVED)
    (root / "train/cat").chmod(0)
    try:
        assert_refused(root, "train/cat", "permission denied")
    finally:
        (root / "train/cat").chmod(stat.S_IRWXU)


def test_a_data_set_too_large_for_memory_is_refused_with_its_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = write_pictures(tmp_path / "pets", HALVED)
    monkeypatch.setattr(os, "sysconf", {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": 4 * 9}.__getitem__)
    open_pictures(root)  # 12 pictures of 3 KiB are 9 pages
    monkeypatch.setattr(os, "sysconf", {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": 4 * 9 - 1}.__getitem__)
    write_pictures(root, [*HALVED, "train/cat/new.png"])
    assert_refused(root, "13 pictures of 32 × 32 pixels take 0.0 GB")


def test_a_huge_file_is_refused_by_name(tmp_path: Path) -> None:
    root = write_pictures(tmp_path / "pets", HALVED)
    with (root / "train/cat/huge.png").open("wb") as file:
        file.truncate(archive.MAX_MEMBER_BYTES + 1)
    assert_refused(root, "train/cat/huge.png is larger than 64 MiB")


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_a_mutated_archive_gives_a_data_set_or_one_line(tmp_path: Path, mode: str) -> None:
    content = pack_pictures(tmp_path / "whole", [f"{kind}/{n}.png" for kind in "ab" for n in range(2)], mode)
    original = content.read_bytes()
    draw = random.Random(0)
    refused = 0
    start = time.monotonic()
    for _ in range(100):
        mutated = bytearray(original)
        for _ in range(draw.randint(1, 4)):
            mutated[draw.randrange(len(mutated))] = draw.randrange(256)
        (tmp_path / "mutated").write_bytes(mutated)
        try:
            open_pictures(tmp_path / "mutated").read_train()
        except UserError as error:
            assert str(error).isprintable()
            refused += 1
    assert refused > 0
    assert time.monotonic() - start < 60


def test_a_data_set_that_changes_while_it_is_read_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = write_pictures(tmp_path / "pets", HALVED)
    read = folder._read_folder

    def read_and_change(path: Path, wanted: Iterable[str]) -> Iterable[tuple[str, bytes]]:
        yield from read(path, wanted)
        write_pictures(root, ["train/dog/late.png"])

    monkeypatch.setattr(folder, "_read_folder", read_and_change)
    assert_refused(root, "pets changed while it was read")


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
