"""CIFAR from archives and folders by name and by path; the archives are made here in the official format."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch

from cifar_samples import (
    BY_FOLDER,
    FINE_TO_COARSE,
    archive_bytes,
    files,
    labels,
    names_as_python2,
    official,
    pixels,
    write_folder,
)
from cifarlab.data.cifar import place as cifar_place
from cifarlab.data.cifar.batch import class_names
from cifarlab.data.cifar.official import ARCHIVES, OfficialArchive
from cifarlab.data.cifar.sets import CIFAR12_CLASS_NAMES
from cifarlab.data.pictures import Preparation
from cifarlab.data.sources import open_source
from cifarlab.data.split import Split
from cifarlab.errors import UserError
from data_samples import MADE_FILES, entry

pytestmark = pytest.mark.usefixtures("cache")

IMAGES = 3
"""In each file of an archive."""
EVERY = pytest.mark.parametrize("archive", ARCHIVES, ids=lambda archive: archive.folder)
TEN, HUNDRED = BY_FOLDER["cifar-10-batches-bin"], BY_FOLDER["cifar-100-binary"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of archives, empty, where the archives of ``cifar_samples`` are the official ones."""
    (tmp_path / "archives").mkdir()
    monkeypatch.setenv("CIFARLAB_DATA", str(tmp_path / "archives"))
    monkeypatch.setattr(cifar_place, "ARCHIVES", official(ARCHIVES, IMAGES))
    return tmp_path / "archives"


def write(path: Path, archive: OfficialArchive) -> str:
    path.write_bytes(archive_bytes(archive, IMAGES))
    return str(path)


def expected(archive: OfficialArchive) -> tuple[Split, Split]:
    """Both halves, from what the archives were made of."""
    seeds = {
        half: [s for s, file in enumerate(archive.files) if file.half == half] for half in ("train", "test")
    }
    names = class_names(archive.data_set)
    train, test = (
        Split(
            torch.from_numpy(np.concatenate([pixels(IMAGES, seed) for seed in of_half])).reshape(
                -1, 3, 32, 32
            ),
            torch.tensor([own[-1] for seed in of_half for own in labels(IMAGES, seed, archive.data_set)]),
            names,
        )
        for of_half in seeds.values()
    )
    return train, test


@EVERY
def test_an_archive_gives_the_images_in_their_order(archive: OfficialArchive, tmp_path: Path) -> None:
    source = open_source(write(tmp_path / "any name", archive))
    for found, right in zip((source.read_train(), source.read_test()), expected(archive), strict=True):
        assert found.images.dtype == torch.uint8 and torch.equal(found.images, right.images)
        assert found.labels.dtype == torch.int64 and torch.equal(found.labels, right.labels)
        assert found.class_names == right.class_names
    description = source.description
    assert (description.preparation, description.test_set) == (Preparation(), "given")
    assert (description.train_images, description.test_images) == tuple(map(len, expected(archive)))


@pytest.mark.parametrize("data_set", ["cifar10", "cifar100"])
def test_every_form_gives_the_same_bits(data_set: str, tmp_path: Path) -> None:
    hashes = set()
    for archive in (each for each in ARCHIVES if each.data_set == data_set):
        plain = tmp_path / "plain.tar"
        plain.write_bytes(archive_bytes(archive, IMAGES, mode=""))
        root = tmp_path / f"root-{archive.kind}"
        paths = (
            write(tmp_path / archive.file_name, archive),
            plain,
            write_folder(root / archive.folder, archive, IMAGES),
            root,
        )
        for path in paths:
            description = open_source(str(path)).description
            hashes.add((description.train_sha256, description.test_sha256))
    train, test = expected(archive)
    assert hashes == {(train.sha256(), test.sha256())}


@EVERY
def test_by_path_only_the_official_files_have_the_bare_name(
    archive: OfficialArchive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    places = [write(tmp_path / "one.tar.gz", archive), write_folder(tmp_path / "one", archive, IMAGES)]
    names = [open_source(str(place)).description.name for place in places]
    assert names == [f"unofficial {archive.data_set} ({name})" for name in ("one.tar.gz", "one")]
    monkeypatch.setattr(cifar_place, "ARCHIVES", official(ARCHIVES, IMAGES))
    names = [open_source(str(place)).description.name for place in places]
    by_sizes = f"{archive.data_set} (one, known by its sizes only)"
    assert names == [archive.data_set, by_sizes if archive.kind == "binary" else archive.data_set]


def test_one_other_byte_is_unofficial(tmp_path: Path, folder: Path) -> None:
    place = write_folder(tmp_path / "one", BY_FOLDER["cifar-10-batches-py"], IMAGES)
    assert open_source(str(place)).description.name == "cifar10"
    content = bytearray((place / "data_batch_3").read_bytes())
    content[content.index(pixels(IMAGES, 2).tobytes())] ^= 1
    (place / "data_batch_3").write_bytes(content)
    assert open_source(str(place)).description.name == "unofficial cifar10 (one)"


@EVERY
@pytest.mark.parametrize("form", ["archive", "folder"])
def test_by_name_it_is_found_in_every_form(archive: OfficialArchive, form: str, folder: Path) -> None:
    if form == "archive":
        write(folder / archive.file_name, archive)
    else:
        write_folder(folder / archive.folder, archive, IMAGES)
    description = open_source(archive.data_set).description
    sizes_only = form == "folder" and archive.kind == "binary"
    assert description.name == archive.data_set + (
        f" ({archive.folder}, known by its sizes only)" if sizes_only else ""
    )
    assert description.train_sha256 == expected(archive)[0].sha256()


def test_by_name_the_binary_archive_comes_first(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for archive in reversed([each for each in ARCHIVES if each.data_set == "cifar10"]):
        for name in (archive.folder, archive.file_name):
            if name == archive.folder:
                write_folder(folder / name, archive, IMAGES)
            else:
                write(folder / name, archive)
            capsys.readouterr()
            open_source("cifar10")
            assert capsys.readouterr().err.startswith(f"reading cifar10 from {name} (once; ")


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("cifar-10-binary.tar.gz", "one byte"),
        ("cifar-10-binary.tar.gz", "longer"),
        ("cifar-10-batches-py", "one byte"),
        ("cifar-10-batches-py", "longer"),
        ("cifar-10-batches-bin", "longer"),  # for these files no sums are published
    ],
)
def test_by_name_anything_but_the_official_is_refused(folder: Path, name: str, damage: str) -> None:
    archive = next(each for each in ARCHIVES if name in (each.file_name, each.folder))
    if name == archive.folder:
        changed = write_folder(folder / name, archive, IMAGES) / archive.files[2].name
    else:
        changed = Path(write(folder / name, archive))
    content = changed.read_bytes()
    middle = len(content) // 2
    other = bytes([content[middle] ^ 1])
    changed.write_bytes(
        content + b"\0" if damage == "longer" else content[:middle] + other + content[middle + 1 :]
    )
    with pytest.raises(
        UserError, match=rf"{name} is not the official.*remove it and run: .*data fetch cifar10$"
    ):
        open_source("cifar10")


@pytest.mark.parametrize("data_set", ["cifar10", "cifar100", "cifar12"])
def test_what_is_not_there_is_said_with_all_ways_to_get_it(data_set: str, folder: Path) -> None:
    with pytest.raises(UserError) as caught:
        open_source(data_set)
    first = "cifar100" if data_set == "cifar100" else "cifar10"
    archive = next(each for each in ARCHIVES if each.data_set == first)
    for part in (
        f"cifarlab data fetch {first};",
        f" {folder / archive.file_name};",
        "CIFARLAB_DATA",
        "torchvision",
    ):
        assert part in str(caught.value)


def test_cifar12_is_cifar10_with_fish_and_flowers(folder: Path) -> None:
    write(folder / TEN.file_name, TEN)
    write(folder / HUNDRED.file_name, HUNDRED)
    source = open_source("cifar12")
    assert source.description.name == "cifar12"
    assert source.description.class_names == CIFAR12_CLASS_NAMES
    assert CIFAR12_CLASS_NAMES[9:] == ("truck", "fish", "flowers")
    chosen = 0
    for found, ten, hundred in zip(
        (source.read_train(), source.read_test()), expected(TEN), expected(HUNDRED), strict=True
    ):
        coarse = torch.tensor([FINE_TO_COARSE[int(label)] for label in hundred.labels])
        taken = (coarse == 1) | (coarse == 2)
        chosen += int(taken.sum())
        assert torch.equal(found.images, torch.cat([ten.images, hundred.images[taken]]))
        assert torch.equal(found.labels, torch.cat([ten.labels, coarse[taken] + 9]))
    assert chosen == 4  # neither all six nor none


def test_cifar12_needs_both(folder: Path) -> None:
    write(folder / TEN.file_name, TEN)
    with pytest.raises(UserError, match="cifarlab data fetch cifar100;"):
        open_source("cifar12")


def test_a_folder_of_two_data_sets_asks_which(tmp_path: Path) -> None:
    for archive in ARCHIVES[::2]:
        write_folder(tmp_path / "root" / archive.folder, archive, IMAGES)
    with pytest.raises(UserError, match=r"one of them: .*cifar-10-batches-bin or .*cifar-100-binary$"):
        open_source(str(tmp_path / "root"))


def test_a_torchvision_root_has_archive_and_folder(tmp_path: Path) -> None:
    archive = BY_FOLDER["cifar-100-python"]
    write_folder(tmp_path / "data" / archive.folder, archive, IMAGES)
    write(tmp_path / "data" / archive.file_name, archive)
    assert open_source(str(tmp_path / "data")).description.train_sha256 == expected(archive)[0].sha256()


def test_files_of_two_data_sets_in_one_folder_are_refused(tmp_path: Path) -> None:
    for archive in ARCHIVES[:2]:
        for name, content in files(archive).items():
            (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match="holds files of cifar-10-batches-bin and cifar-10-batches-py"):
        open_source(str(tmp_path))


def test_the_second_time_it_comes_from_the_cache(
    tmp_path: Path, cache: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / TEN.file_name, TEN)
    first = open_source(path)
    assert {each.name for each in entry(cache).iterdir()} == MADE_FILES
    read_bytes, opened = Path.read_bytes, []

    def recorded(path: Path) -> bytes:
        opened.append(path.name)
        return read_bytes(path)

    monkeypatch.setattr(Path, "read_bytes", recorded)
    capsys.readouterr()
    again = open_source(path)
    again.read_train()
    assert capsys.readouterr().err == ""
    assert again.description == first.description
    assert "train.safetensors" in opened and "test.safetensors" not in opened


def test_its_size_stays_whatever_preparation_is_asked_for(tmp_path: Path) -> None:
    source = open_source(write(tmp_path / TEN.file_name, TEN), Preparation(size=64))
    assert source.description.image_size == 32
    assert source.description.preparation == Preparation()


@pytest.mark.parametrize(
    ("name", "md5"),
    [("batches.meta", "5ff9c542aee3614f3951f8cda6e48888"), ("meta", "7973b15100ade9c7d40fb424638fde48")],
)
def test_the_samples_are_written_as_the_official_files_were(name: str, md5: str) -> None:
    """The sums are the published ones: names, their order and every opcode are those of the official file."""
    assert hashlib.md5(names_as_python2(name)).hexdigest() == md5
    assert md5 in {file.md5 for archive in ARCHIVES for file in archive.files}
