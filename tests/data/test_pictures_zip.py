"""Zip archives: the same data as from the folder, and one line for a damaged or hostile one."""

import random
import stat
import struct
import tracemalloc
import zipfile
from pathlib import Path

import pytest

from cifarlab.data import zip_archive
from cifarlab.data.folder import open_pictures
from cifarlab.errors import UserError
from data_samples import FLAT, HALVED, Member, picture, write_pictures, zip_pictures, zipped

pytestmark = pytest.mark.usefixtures("cache")
STORED, DEFLATED = zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED


def refusal(path: Path) -> str:
    """The one line that opening ends in."""
    with pytest.raises(UserError) as caught:
        open_pictures(path)
    assert str(caught.value).isprintable()
    return str(caught.value)


@pytest.mark.parametrize("names", [HALVED, FLAT])
@pytest.mark.parametrize("method", [STORED, DEFLATED])
def test_a_zip_archive_gives_what_the_folder_gives(tmp_path: Path, names: list[str], method: int) -> None:
    folder = open_pictures(write_pictures(tmp_path / "pets", names))
    packed = open_pictures(zip_pictures(tmp_path / "pets.tar", names, method))  # its content decides
    wrapped = open_pictures(zip_pictures(tmp_path / "wrapped.zip", [f"pets/{name}" for name in names]))
    for other in (packed, wrapped):
        assert other.description.class_names == ("cat", "dog")
        assert other.description.train_sha256 == folder.description.train_sha256
        assert other.description.test_sha256 == folder.description.test_sha256
    assert packed.image_names() == folder.image_names()


def test_what_other_systems_put_into_a_zip_archive_is_passed_over(tmp_path: Path) -> None:
    path = zip_pictures(tmp_path / "pets.zip", FLAT)
    before = open_pictures(path).description
    with zipfile.ZipFile(path, "a") as archive:
        for name in ["__MACOSX/cat/._00.png", ".DS_Store", "cat/Thumbs.db", "cat/Icon\r", "notes.txt"]:
            archive.writestr(name, b"not a picture")
        archive.mkdir("cat/.hidden")
    assert open_pictures(path).description == before


def rename_members(content: bytes, old: bytes, new: bytes, flags: int = 0) -> bytes:
    """The archive with other names of equal length in both of its lists, and without the mark of UTF-8."""
    assert len(old) == len(new)
    content = content.replace(old, new)
    for magic, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        start = content.find(magic)
        while start >= 0:
            content = content[: start + place] + struct.pack("<H", flags) + content[start + place + 2 :]
            start = content.find(magic, start + 1)
    return content


@pytest.mark.parametrize(
    ("stored", "shown"), [(b"caf\xc3\xa9/", "caf\u00e9"), (b"caf\x82xx/", "caf\u00e9xx")]
)
def test_names_are_read_as_macos_and_as_old_programs_write_them(
    tmp_path: Path, stored: bytes, shown: str
) -> None:
    plain = "x" * (len(stored) - 1)
    path = zip_pictures(
        tmp_path / "drinks.zip", [f"{kind}/{n}.png" for kind in (plain, "tea") for n in range(2)]
    )
    path.write_bytes(rename_members(path.read_bytes(), plain.encode() + b"/", stored))
    assert open_pictures(path).description.class_names == (shown, "tea")


def test_backslashes_separate_folders_where_nothing_else_does(tmp_path: Path) -> None:
    path = zip_pictures(tmp_path / "pets.zip", FLAT)
    before = open_pictures(path).description
    with zipfile.ZipFile(path, "a") as archive:
        archive.mkdir("cat")
    path.write_bytes(path.read_bytes().replace(b"cat/", b"cat\\").replace(b"dog/", b"dog\\"))
    assert open_pictures(path).description == before


def link(name: str, target: str) -> tuple[zipfile.ZipInfo, bytes]:
    member = zipfile.ZipInfo(name)
    member.external_attr = (stat.S_IFLNK | 0o777) << 16
    return member, target.encode()


HONEST = [(name, picture(n)) for n, name in enumerate(FLAT)]


@pytest.mark.parametrize(
    ("member", "reason"),
    [
        (("../evil.png", picture()), "its name points outside of the archive"),
        (("/cat/evil.png", picture()), "its name points outside of the archive"),
        (("..\\evil.png", picture()), "its name points outside of the archive"),
        ((".hidden/../../evil", b""), "its name points outside of the archive"),
        (link("cat/link.png", "/etc/passwd"), "it is a link"),
        (("cat/huge.png", bytes(2**26 + 1)), "it is larger than 64 MiB"),
        (("cat/e\x1b[31mvil.gif", b"GIF89a"), "not a PNG, JPEG, WebP or BMP file"),
    ],
)
def test_a_hostile_member_is_refused_and_nothing_is_written(
    tmp_path: Path, member: Member, reason: str
) -> None:
    assert reason in refusal(zipped(tmp_path / "pets.zip", [*HONEST, member]))
    assert {path.name for path in tmp_path.iterdir()} <= {"pets.zip", "cache"}


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_unusual_packing_is_refused(tmp_path: Path, method: int) -> None:
    assert "not packed the usual way" in refusal(zipped(tmp_path / "pets.zip", HONEST, method))


def test_an_encrypted_archive_is_refused(tmp_path: Path) -> None:
    path = zip_pictures(tmp_path / "pets.zip", FLAT)
    path.write_bytes(rename_members(path.read_bytes(), b"", b"", flags=1))
    assert "it is encrypted; pack the pictures again without a password" in refusal(path)


def test_members_that_share_their_bytes_are_refused(tmp_path: Path) -> None:
    path = zipped(tmp_path / "pets.zip", [("cat/0.png", picture()), ("cat/1.png", bytes(10_000))], STORED)
    content = bytearray(path.read_bytes())
    first = content.index(b"PK\x01\x02")
    second = content.index(b"PK\x01\x02", first + 1)
    content[first + 20 : first + 28] = content[second + 20 : second + 28]
    path.write_bytes(content)
    assert "its members overlap" in refusal(path)


def test_a_member_that_unpacks_to_more_than_it_says_takes_no_memory(tmp_path: Path) -> None:
    """A hundred mebibytes of zeros in a hundred kilobytes, said to be 3,000 bytes."""
    path = zipped(tmp_path / "pets.zip", [*HONEST, ("dog/99.png", bytes(50 * 2**20))])
    content, said = bytearray(path.read_bytes()), struct.pack("<I", 3000)
    for magic, place in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        start = content.rindex(magic) + place
        content[start : start + 4] = said
    path.write_bytes(content)
    tracemalloc.start()
    try:
        assert "damaged or incomplete" in refusal(path)
        assert tracemalloc.get_traced_memory()[1] < 10 * 2**20
    finally:
        tracemalloc.stop()


def test_a_list_of_members_without_end_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = zip_pictures(tmp_path / "pets.zip", FLAT)
    monkeypatch.setattr(zip_archive, "_MAX_READ_BYTES", 1000)
    assert "a header asks for" in refusal(path)


@pytest.mark.parametrize("method", [STORED, DEFLATED])
def test_a_zip_archive_cut_short_or_mutated_gives_a_data_set_or_one_line(tmp_path: Path, method: int) -> None:
    path = zip_pictures(tmp_path / "pets.zip", [f"{kind}/{n}.png" for kind in "ab" for n in range(2)], method)
    whole, draw, refused = path.read_bytes(), random.Random(0), 0
    for trial in range(60):
        content = bytearray(whole[: draw.randrange(len(whole))] if trial % 3 == 0 else whole)
        for _ in range(draw.randint(1, 4) if trial % 3 else 0):
            content[draw.randrange(len(content))] = draw.randrange(256)
        path.write_bytes(content)
        try:
            open_pictures(path).read_train()
        except UserError as error:
            assert str(error).isprintable()
            refused += 1
    assert refused > 20
