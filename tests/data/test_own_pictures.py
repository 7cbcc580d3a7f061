"""Data sets as users have them: odd names, wrong arrangements, pictures that cannot be read."""

import os
import resource
import socket
import time
import zipfile
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

import pytest

from cifarlab.data.folder import MAX_UNREADABLE, open_pictures
from cifarlab.data.layout import arrange
from cifarlab.data.memory import PREPARING_COPIES
from cifarlab.errors import UserError
from data_samples import (
    FLAT,
    class_counts,
    pack,
    picture,
    write_pictures,
    zipped,
)

pytestmark = pytest.mark.usefixtures("cache")
STORED, DEFLATED = zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED


def refusal(path: Path) -> str:
    """The one line that opening ends in."""
    with pytest.raises(UserError) as caught:
        open_pictures(path)
    assert str(caught.value).isprintable()
    return str(caught.value)


NAMES = [
    "with spaces.png",
    "no ending",
    "wrong ending.gif",
    "na\u00efve.PNG",
    "nai\u0308ve.PNG",
    "\u5199\u771f.png",
    "\u05ea\u05de\u05d5\u05e0\u05d4.png",
    "\N{CAT FACE}.png",
    "a\nb\x1b[31m.png",
    "-rf.png",
    "%s{0}$HOME'\".png",
    os.fsdecode(b"latin\xe9.png"),
    "x" * 251 + ".png",
]


def test_any_name_will_do_for_a_picture(tmp_path: Path) -> None:
    root = tmp_path / "pets"
    for kind in ("with spaces", "\u732b \N{CAT FACE}"):
        (root / kind).mkdir(parents=True)
        for seed, name in enumerate(NAMES):
            (root / kind / name).write_bytes(picture(seed))
    source = open_pictures(root)
    assert source.description.class_names == ("with spaces", "\u732b \N{CAT FACE}")
    train, test = source.image_names()
    assert {PurePosixPath(name).name for name in [*train, *test]} == set(NAMES)
    assert len(train) + len(test) == 2 * len(NAMES)


def test_links_to_folders_and_files_are_followed_and_hard_links_are_files(tmp_path: Path) -> None:
    root = write_pictures(tmp_path / "pets", FLAT)
    before = open_pictures(root).description
    (root / "cat").rename(tmp_path / "cats")
    (root / "cat").symlink_to(tmp_path / "cats")
    (root / "dog/00.png").rename(tmp_path / "fido")
    (root / "dog/00.png").symlink_to("../../fido")
    os.link(root / "dog/01.png", tmp_path / "rex")
    assert open_pictures(root).description == before


def test_a_socket_is_named(tmp_path: Path) -> None:
    root = write_pictures(tmp_path / "pets", FLAT)
    with socket.socket(socket.AF_UNIX) as listening:
        here = os.getcwd()
        os.chdir(root / "cat")  # the name of a socket is a short one
        try:
            listening.bind("socket.png")
        finally:
            os.chdir(here)
        assert "cat/socket.png is not a plain file; remove it" in refusal(root)


@pytest.mark.parametrize("wrapped", ["", "photos/"])
def test_pictures_without_class_folders_are_told_how_it_must_look(wrapped: str) -> None:
    with pytest.raises(UserError, match=r"folder named after its class, as in pets/cat/1\.png and pets/dog"):
        arrange([], [PurePosixPath(f"{wrapped}{n}.jpg") for n in range(3)], "pets")


def test_pictures_beside_class_folders_are_named() -> None:
    with pytest.raises(UserError, match=r"pets: top\.jpg is not in a class folder; move or remove it"):
        arrange([], map(PurePosixPath, [*FLAT, "top.jpg"]), "pets")


def spoil(root: Path, names: Iterable[str]) -> None:
    for name in names:
        (root / name).write_bytes(b"GIF89a")


@pytest.mark.parametrize("kind", ["folder", "tar", "zip"])
def test_all_unreadable_pictures_are_counted_and_the_first_are_named(tmp_path: Path, kind: str) -> None:
    root = write_pictures(tmp_path / "pets", FLAT)
    spoil(root, FLAT[3:8])
    (root / FLAT[9]).write_bytes(b"")
    contents = [(name, (root / name).read_bytes()) for name in FLAT]
    path = root
    if kind == "zip":
        path = zipped(tmp_path / "pets.zip", contents)
    elif kind == "tar":
        path = pack(tmp_path / "pets.tar", contents)
    said = refusal(path)
    unreadable = {f"{path.name}/{name}" for name in [*FLAT[3:8], FLAT[9]]}
    assert said.startswith("6 of 24 pictures cannot be read: unreadable picture pets")
    assert sum(name in said for name in unreadable) == 4
    assert said.endswith(" and 2 more")


def test_two_unreadable_pictures_are_both_named(tmp_path: Path) -> None:
    root = write_pictures(tmp_path / "pets", FLAT)
    spoil(root, FLAT[:2])
    assert all(f"pets/{name}" in refusal(root) for name in FLAT[:2])
    assert "more" not in refusal(root)


def test_after_a_hundred_unreadable_pictures_the_others_are_not_tried(tmp_path: Path) -> None:
    root = write_pictures(tmp_path / "pets", FLAT)
    for n in range(3 * MAX_UNREADABLE):
        (root / f"cat/clip{n:03}.mp4").write_bytes(b"film")
    assert refusal(root).startswith(f"{MAX_UNREADABLE} of ")


def test_ten_pictures_and_a_thousand_to_one_are_data_sets(tmp_path: Path) -> None:
    few = open_pictures(
        write_pictures(tmp_path / "few", [f"{kind}/{n}.png" for kind in "ab" for n in range(5)])
    )
    assert (few.description.train_images, few.description.test_images) == (8, 2)
    rare = [*(f"often/{n:04}.png" for n in range(2000)), "rare/0.png", "rare/1.png"]
    source = open_pictures(zipped(tmp_path / "rare.zip", [(name, picture()) for name in rare], STORED))
    assert class_counts(source.read_train().labels, 2) == [1667, 1]
    assert class_counts(source.read_test().labels, 2) == [333, 1]


def test_a_hidden_file_does_not_make_it_another_data_set(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = write_pictures(tmp_path / "pets", FLAT)
    open_pictures(root)
    capsys.readouterr()
    (root / "cat/.DS_Store").write_bytes(b"what a file manager leaves")
    open_pictures(root)
    assert capsys.readouterr().err == ""


@pytest.mark.soak
def test_a_hundred_thousand_pictures_open_in_good_time_and_memory(tmp_path: Path) -> None:
    names = [f"class{kind:03}/{n}.png" for kind in range(1000) for n in range(100)]
    path = zipped(tmp_path / "many.zip", [(name, picture()) for name in names], STORED)
    before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.monotonic()
    source = open_pictures(path)
    assert time.monotonic() - start < 240
    assert (source.description.train_images, source.description.test_images) == (83_000, 17_000)
    assert len(source.description.class_names) == 1000
    growth = 1024 * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
    assert growth < PREPARING_COPIES * 100_000 * 3 * 32**2 + 2**28  # and the list of members
    start = time.monotonic()
    again = open_pictures(path)
    assert len(again.read_train()) + len(again.read_test()) == 100_000
    assert time.monotonic() - start < 15
