"""``cifarlab data verify``: sound and unsound archives, folders and pictures."""

import shutil
import tarfile
from pathlib import Path

import pytest

from cifar_samples import BY_FOLDER, archive_bytes, files, labels, official, packed, write_folder
from cifarlab.cli import main
from cifarlab.data.cifar import place as cifar_place
from cifarlab.data.cifar.official import ARCHIVES
from data_samples import HALVED, pack_pictures, write_pictures

TEN, HUNDRED = BY_FOLDER["cifar-10-batches-bin"], BY_FOLDER["cifar-100-python"]
IMAGES = 2


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of archives, where the archives of ``cifar_samples`` are the official ones."""
    (tmp_path / "archives").mkdir()
    monkeypatch.setenv("CIFARLAB_DATA", str(tmp_path / "archives"))
    monkeypatch.setattr(cifar_place, "ARCHIVES", official(ARCHIVES, IMAGES))
    monkeypatch.setenv("COLUMNS", "300")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "archives"


def test_all_that_lies_in_the_folder_of_archives_is_read(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / TEN.file_name).write_bytes(archive_bytes(TEN, IMAGES))
    write_folder(folder / HUNDRED.folder, HUNDRED, IMAGES)
    assert main(["data", "verify"]) == 0
    shown, complaint = capsys.readouterr()
    assert complaint == ""
    (ten,) = (each for each in official(ARCHIVES, IMAGES) if each.folder == TEN.folder)
    lines = shown.splitlines()
    assert lines[0] == (
        f"{folder / TEN.file_name}: {ten.size:,} bytes, MD5 {ten.md5}; the official cifar-10-binary.tar.gz"
    )
    assert lines[1:3] == ["  train: 10 images, in 10 classes", "  test: 2 images, in 10 classes"]
    assert f"{folder / HUNDRED.folder}: a folder of files; cifar100" in lines


def test_images_are_counted_per_class(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / TEN.file_name).write_bytes(archive_bytes(TEN, IMAGES))
    assert main(["data", "verify", "cifar10"]) == 0
    rows = [
        [cell.strip() for cell in line.split("│")[1:-1]]
        for line in capsys.readouterr().out.splitlines()
        if line.startswith("│")
    ]
    train = [own[0] for seed in range(5) for own in labels(IMAGES, seed, "cifar10")]
    test = [own[0] for own in labels(IMAGES, 5, "cifar10")]
    assert len(rows) == 10 and rows[5][0] == "dog"
    assert [row[1:] for row in rows] == [[str(train.count(c)), str(test.count(c))] for c in range(10)]


def test_equal_counts_take_a_line_each(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_pictures(Path("pets"), HALVED)
    pack_pictures(Path("pets.tar"), HALVED)
    shutil.make_archive("pets", "zip", "pets")
    for name in ("pets", "pets.tar", "pets.zip"):
        assert main(["data", "verify", name]) == 0
        assert capsys.readouterr().out.splitlines() == [
            f"{name}: 12 pictures",
            "  train: 6 images, 3 in each of 2 classes",
            "  test: 6 images, 3 in each of 2 classes",
        ]


def test_by_path_another_file_is_said_to_be_another(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("mine.tar.gz").write_bytes(archive_bytes(TEN, 1))
    assert main(["data", "verify", "mine.tar.gz"]) == 0
    first, *rest = capsys.readouterr().out.splitlines()
    assert "; not the official cifar-10-binary.tar.gz (" in first
    assert rest[0] == "  train: 5 images, in 10 classes"


def test_under_an_official_name_another_file_is_wrong(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / TEN.file_name).write_bytes(archive_bytes(TEN, 1))
    for arguments in ([], ["cifar10"]):
        assert main(["data", "verify", *arguments]) == 2
        complaint = capsys.readouterr().err
        assert "is not the official cifar10" in complaint and complaint.count("\n") == 1
        assert "run: cifarlab data fetch cifar10" in complaint


def test_the_last_byte_is_read(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    content = archive_bytes(TEN, 1)
    Path("cut.tar.gz").write_bytes(content[:-1])
    assert main(["data", "verify", "cut.tar.gz"]) == 2
    assert "cut.tar.gz is not a tar archive, or damaged or incomplete" in capsys.readouterr().err
    changed = files(TEN)
    changed["test_batch.bin"] = b"\x0a" + changed["test_batch.bin"][1:]
    Path("label.tar.gz").write_bytes(packed(changed, TEN.folder))
    assert main(["data", "verify", "label.tar.gz"]) == 2
    assert "test_batch.bin is damaged: image 0 has the label 10 of 10 classes" in capsys.readouterr().err


def test_one_that_is_wrong_does_not_hide_the_others(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("empty.tar").write_bytes(archive_bytes(TEN, 1)[:100])
    Path("good.tar").write_bytes(archive_bytes(TEN, 1))
    assert main(["data", "verify", "empty.tar", "good.tar"]) == 2
    shown, complaint = capsys.readouterr()
    assert "  wrong: empty.tar " in shown and "  train: 5 images" in shown
    assert complaint.count("\n") == 1 and "1 of 2 are not sound: empty.tar" in complaint


@pytest.mark.parametrize("form", ["folder", "archive"])
def test_every_unreadable_picture_is_named(
    folder: Path, capsys: pytest.CaptureFixture[str], form: str
) -> None:
    pets = write_pictures(Path("pets"), HALVED)
    broken = [pets / HALVED[1], pets / HALVED[-1]]
    for path in broken:
        path.write_bytes(path.read_bytes()[:60])
    if form == "archive":
        with tarfile.open("packed.tar", "w") as tar:
            tar.add(pets, "pets")
        pets = Path("packed.tar")
    assert main(["data", "verify", str(pets)]) == 2
    shown, complaint = capsys.readouterr()
    for path in broken:
        assert f"unreadable picture {pets.name}/" in shown and path.name in shown
    assert shown.count("unreadable picture") == 2
    assert f"{pets}: 2 of 12 pictures are unreadable" in complaint


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "there is no archive in "),
        (["cifar10"], "cifar10 is not on this machine; run: cifarlab data fetch cifar10;"),
        (["cifar12"], "cifar10 is not on this machine"),
        (["cifar1"], "did you mean cifar1"),
        (["x" * 5000], "could not read xxx"),
        (["/dev/null"], "/dev/null"),
        (["evil\nname"], "evil\N{REPLACEMENT CHARACTER}name"),
        (["--al"], "data verify: "),
    ],
    ids=lambda value: str(value)[:20],
)
def test_wrong_use_is_said_in_one_line(
    folder: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert main(["data", "verify", *arguments]) == 2
    shown, complaint = capsys.readouterr()
    assert shown == ""
    assert message in complaint and complaint.count("\n") == 1
