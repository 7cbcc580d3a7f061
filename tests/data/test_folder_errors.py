"""Folders and archives that make no data set: one line for whatever is wrong."""

import os
import random
import shutil
import stat
import tarfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path, PurePosixPath

import pytest

from cifarlab.data import archive, folder, memory
from cifarlab.data.folder import open_pictures
from cifarlab.data.layout import arrange
from cifarlab.data.pictures import Preparation
from cifarlab.errors import UserError
from data_samples import FLAT, HALVED, pack_pictures, write_pictures

pytestmark = pytest.mark.usefixtures("cache")


def assert_refused(path: Path, *parts: str) -> None:
    """Opening fails with one line that holds every one of ``parts``."""
    with pytest.raises(UserError) as caught:
        open_pictures(path)
    assert str(caught.value).isprintable()
    for part in parts:
        assert part in str(caught.value)


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
    assert_refused(Path("/dev/zero"), "neither a folder nor a tar or zip archive")


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
    monkeypatch.setattr(memory, "memory_left", lambda: 12 * 3 * 32**2 * memory.PREPARING_COPIES)
    open_pictures(root)
    write_pictures(root, [*HALVED, "train/cat/new.png"])
    with monkeypatch.context() as patch:
        patch.setattr(folder, "decode", _never)
        assert_refused(root, "13 pictures of 32 × 32 pixels need 119.8 KB of memory, and 110.6 KB are left")
        assert_refused(root, "use fewer pictures or a smaller --image-size")
    assert open_pictures(root, Preparation(size=30)).description.train_images == 7
    (root / "train/cat/new.png").unlink()
    source = open_pictures(root)
    monkeypatch.setattr(memory, "memory_left", lambda: 6 * 3 * 32**2 * memory.LOADING_COPIES - 1)
    with pytest.raises(UserError, match=r"6 pictures of 32 × 32 pixels need 36\.9 KB of memory"):
        source.read_train()


def _never(*_: object) -> None:
    raise AssertionError("a picture was decoded")


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

    def read_and_change(path: Path, wanted: Iterable[str]) -> Iterator[tuple[str, bytes | UserError]]:
        yield from read(path, wanted)
        write_pictures(root, ["train/dog/late.png"])

    monkeypatch.setattr(folder, "_read_folder", read_and_change)
    assert_refused(root, "pets changed while it was read")
