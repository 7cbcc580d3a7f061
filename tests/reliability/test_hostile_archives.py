"""Damaged and hostile CIFAR archives load or are refused in one line, in bounded time and memory."""

import bz2
import gzip
import os
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from cifar_samples import archive_bytes, write_folder
from cifarlab.data import archive
from cifarlab.data.archive import Limits, list_archive
from cifarlab.data.cifar import place as cifar_place
from cifarlab.data.cifar.official import OfficialArchive
from cifarlab.data.sources import open_source
from cifarlab.errors import UserError
from reliability.hostile_kinds import (
    PYTHON_TEN,
    TEN,
    archive_trials,
    headers,
    mended,
    opened,
    with_headers,
    with_member,
)
from reliability.mutations import little_memory, mutations, refused_in_one_line, run_trials

KINDS = [kind.name for kind in archive_trials(Path())]
MOST_GROWTH_MIB = 100
"""Of the process over all mutations of a kind, whose honest files have less than a tenth of a megabyte."""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CIFARLAB_CACHE", str(tmp_path / "cache"))
    (tmp_path / "work" / "files").mkdir(parents=True)
    return tmp_path / "work" / "files"


def assert_refused(path: Path, reason: str) -> None:
    with pytest.raises(UserError) as caught:
        opened(path)
    message = str(caught.value)
    assert message.isprintable() and path.name in message and reason in message


@pytest.mark.parametrize(
    "count", [200, pytest.param(10_000, marks=[pytest.mark.soak, pytest.mark.timeout(3600)])]
)
@pytest.mark.parametrize("name", KINDS)
def test_mutations_load_or_are_refused(name: str, count: int, folder: Path) -> None:
    (kind,) = (kind for kind in archive_trials(folder) if kind.name == name)
    outcome = run_trials(kind, count, seed=max(count, 500))
    assert outcome.loaded + outcome.refused == count
    assert outcome.refused > count // 4
    assert outcome.memory_growth_mib < MOST_GROWTH_MIB
    assert [path.name for path in folder.parent.iterdir()] == ["files"]


def test_through_the_front_door_a_mutation_leaves_nothing_half_made(folder: Path) -> None:
    """As a user opens it, cache and all: a refused archive leaves no entry, a loaded one a whole one."""
    loaded = 0
    path = folder / "cifar.tar"
    for _, content in mutations(archive_bytes(TEN, mode=""), 60, seed=1):
        path.write_bytes(content)
        refused = refused_in_one_line(lambda: open_source(str(path)))
        entries = [each for each in (folder.parent.parent / "cache" / "pictures").iterdir() if each.is_dir()]
        loaded += not refused
        assert len(entries) == loaded
        assert all((entry / "manifest.json").exists() for entry in entries)
    assert 0 < loaded < 60


def field_values() -> Iterator[bytes]:
    """What may stand in a number of a tar header: octal, base 256, negative, too long, no number."""
    for value in (0, 1, 511, 513, 2**20, 2**31, 8**11 - 1):
        yield f"{value:011o}\0".encode()
    for number in (1, 2**33, 2**62, 2**64, 2**88 - 1):
        yield b"\x80" + number.to_bytes(11, "big")
    yield from (
        b"\xff" * 12,
        b"\xff" + bytes(11),
        bytes(12),
        b" " * 12,
        b"-1          ",
        b"99999999999\0",
        b"7" * 12,
    )


def test_every_number_in_every_header(folder: Path) -> None:
    """Extreme integers with right sums, in the fields in which tarfile reads numbers."""
    honest = headers(archive_bytes(TEN, mode=""))
    fields = {"mode": (100, 8), "uid": (108, 8), "size": (124, 12), "mtime": (136, 12), "devmajor": (329, 8)}
    refused = 0
    for start in (0, 512, len(honest) - 512):
        for place, width in fields.values():
            for value in field_values():
                changed = bytearray(honest)
                changed[start + place : start + place + width] = value[:width]
                (folder / "cifar.tar").write_bytes(with_headers(bytes(changed)))
                refused += refused_in_one_line(lambda: opened(folder / "cifar.tar"))
    assert refused > 40


def test_every_type_of_member(folder: Path) -> None:
    """A header of each type in the place of a batch's: only plain files are read."""
    path = folder / "cifar.tar"
    for code in range(256):
        changed = bytearray(headers(archive_bytes(TEN, mode="")))
        changed[512 + 156] = code
        path.write_bytes(with_headers(bytes(changed)))
        loaded = not refused_in_one_line(lambda: opened(path))
        assert loaded == (bytes([code]) in (tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.CONTTYPE)), code


def special(name: str, kind: bytes, target: str = "", size: int = 0) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname, member.size = kind, target, size
    return member


@pytest.mark.parametrize(
    ("member", "reason"),
    [
        (special("../test_batch.bin", tarfile.REGTYPE), "outside"),
        (special("cifar-10-batches-bin/../../../evil", tarfile.REGTYPE), "outside"),
        (special("/etc/evil", tarfile.REGTYPE), "outside"),
        (special("x/test_batch.bin", tarfile.SYMTYPE, "/etc/passwd"), "a link or a device"),
        (special("x/test_batch.bin", tarfile.LNKTYPE, "x/data_batch_1.bin"), "a link or a device"),
        (special("x/readme.html", tarfile.SYMTYPE, "/etc/passwd"), "a link or a device"),
        (special("x/null", tarfile.CHRTYPE), "a link or a device"),
        (special("x/disk", tarfile.BLKTYPE), "a link or a device"),
        (special("x/pipe", tarfile.FIFOTYPE), "a link or a device"),
        (special("x/readme.html", tarfile.REGTYPE, size=2**40), "larger than 160 MiB"),
        (special("x/readme.html", tarfile.REGTYPE, size=-512), ""),
        (special("x/batches.meta.txt", tarfile.REGTYPE, size=2**17), "larger than 65,536 bytes"),
        (special("x/test_batch.bin", tarfile.REGTYPE, size=2**26), "larger than 30,730,000 bytes"),
        (special("long", tarfile.GNUTYPE_LONGNAME, size=2**30), "a header asks for"),
        (special("long", tarfile.GNUTYPE_LONGLINK, size=2**30), "a header asks for"),
        (special("more", tarfile.XHDTYPE, size=2**30), "a header asks for"),
        (special("all", tarfile.XGLTYPE, size=2**30), "a header asks for"),
    ],
    ids=lambda value: value.name if isinstance(value, tarfile.TarInfo) else "",
)
def test_a_hostile_member_is_refused_and_nothing_is_written(
    member: tarfile.TarInfo, reason: str, folder: Path
) -> None:
    (folder / "cifar.tar").write_bytes(with_member(member.tobuf(tarfile.GNU_FORMAT)))
    with little_memory(8):
        assert_refused(folder / "cifar.tar", reason)
    assert [path.name for path in folder.iterdir()] == ["cifar.tar"]
    assert [path.name for path in folder.parent.iterdir()] == ["files"]


def test_a_name_that_is_not_utf_8_stays_on_one_line(folder: Path) -> None:
    header = bytearray(special("x/readme.html", tarfile.SYMTYPE, "y").tobuf(tarfile.GNU_FORMAT))
    header[2:7] = b"\xff\n\x1b[3"
    (folder / "cifar.tar").write_bytes(with_member(mended(bytes(header[:512]))))
    assert_refused(folder / "cifar.tar", "x/\N{REPLACEMENT CHARACTER}")
    header[156:157] = tarfile.REGTYPE
    (folder / "cifar.tar").write_bytes(with_member(mended(bytes(header[:512]))))
    assert opened(folder / "cifar.tar") is not None  # a file that nobody asked for may have any name


def test_a_member_with_holes_is_refused(folder: Path) -> None:
    """A sparse member of some bytes that claims to be as long as a batch."""
    header = bytearray(special("x/test_batch.bin", tarfile.GNUTYPE_SPARSE).tobuf(tarfile.GNU_FORMAT)[:512])
    header[483:495] = f"{3_073:011o}\0".encode()
    (folder / "cifar.tar").write_bytes(with_member(mended(bytes(header))))
    assert_refused(folder / "cifar.tar", "packed with holes")


def test_a_chain_of_headers_does_not_pile_up(folder: Path) -> None:
    """tarfile keeps each of them in memory until the member itself comes."""
    link = special("long", tarfile.GNUTYPE_LONGNAME, size=2**20 - 512).tobuf(tarfile.GNU_FORMAT)
    chain = 60 * (link + bytes(2**20 - 512))
    (folder / "cifar.tar.gz").write_bytes(gzip.compress(chain + archive_bytes(TEN, mode=""), 1))
    with little_memory(8):
        assert_refused(folder / "cifar.tar.gz", "")
        with pytest.raises(UserError, match="a header asks for"):
            list_archive(folder / "cifar.tar.gz", lambda path: False)


@pytest.mark.parametrize("name", ["test_batch.bin", "readme.html"])
def test_a_bomb_is_refused_before_it_goes_off(name: str, folder: Path) -> None:
    """200 MB of zeros in 200 kB."""
    batch = special("x/data_batch_1.bin", tarfile.REGTYPE, size=3_073).tobuf() + bytes(3_584)
    bomb = special(f"x/{name}", tarfile.REGTYPE, size=200_000_000).tobuf()
    with gzip.open(folder / "cifar.tar.gz", "wb", compresslevel=1) as file:
        file.write(batch + bomb)
        for _ in range(200):
            file.write(bytes(1_000_000))
    with little_memory(8):
        assert_refused(folder / "cifar.tar.gz", "larger than")


def test_the_unpacked_size_has_a_limit(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    honest = archive_bytes(TEN, mode="")
    (folder / "cifar.tar").write_bytes(honest)
    end = len(honest.rstrip(b"\0")) // 512 * 512 + 1024
    monkeypatch.setattr(cifar_place, "_LIMITS", Limits(1_000, 2**20, total_bytes=end))
    assert opened(folder / "cifar.tar") is not None
    monkeypatch.setattr(cifar_place, "_LIMITS", Limits(1_000, 2**20, total_bytes=end - 1_024))
    assert_refused(folder / "cifar.tar", "it unpacks to more than")


def test_a_bomb_of_pictures_is_refused_by_its_ratio(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Zeros that are passed over, in a two-thousandth of their size, would still take their time."""
    monkeypatch.setattr(archive, "_FREE_BYTES", 2**26)
    piece = bz2.compress(special("pets/cat/.hidden", tarfile.REGTYPE, size=2**24).tobuf() + bytes(2**24))
    (folder / "pets.tar.bz2").write_bytes(3 * piece + bz2.compress(bytes(1024)))
    assert list_archive(folder / "pets.tar.bz2", lambda path: path.name.startswith(".")) == ([], [])
    (folder / "pets.tar.bz2").write_bytes(5 * piece + bz2.compress(bytes(1024)))
    with little_memory(16), pytest.raises(UserError, match="it unpacks to more than"):
        list_archive(folder / "pets.tar.bz2", lambda path: path.name.startswith("."))


def test_a_bomb_is_not_unpacked_to_be_passed_over(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "_FREE_BYTES", 2**20)
    content = special("pets/.hidden", tarfile.REGTYPE, size=2**25).tobuf() + bytes(2**25)
    (folder / "pets.tar.gz").write_bytes(gzip.compress(content, 9))
    seek, reached = gzip.GzipFile.seek, [0]

    def recorded(file: gzip.GzipFile, position: int, whence: int = 0) -> int:
        reached.append(position)
        return seek(file, position, whence)

    monkeypatch.setattr(gzip.GzipFile, "seek", recorded)
    with pytest.raises(UserError, match="it unpacks to more than"):
        list_archive(folder / "pets.tar.gz", lambda path: path.name.startswith("."))
    assert max(reached) < 2**20 + 100 * 2**17


def test_members_without_end_are_refused(folder: Path) -> None:
    empty = special("x/note", tarfile.REGTYPE).tobuf(tarfile.GNU_FORMAT)
    (folder / "cifar.tar").write_bytes(with_member(1_001 * empty))
    with little_memory(8):
        assert_refused(folder / "cifar.tar", "more than 1,000 members")


@pytest.mark.parametrize("sample", [TEN, PYTHON_TEN], ids=lambda sample: sample.kind)
@pytest.mark.parametrize("mode", ["gz", ""])
def test_an_archive_cut_anywhere_is_refused(sample: OfficialArchive, mode: str, folder: Path) -> None:
    content = archive_bytes(sample, mode=mode)
    # Of a plain archive also all but the end mark; some of the zeros behind that may be missing.
    longest = len(content) - 1 if mode else len(content.rstrip(b"\0")) // 512 * 512 + 512
    for length in [*range(0, longest, max(1, longest // 150)), longest - 1, longest]:
        (folder / "cut").write_bytes(content[:length])
        assert refused_in_one_line(lambda: opened(folder / "cut")), length


@pytest.mark.parametrize("kind", ["pipe", "link to a device", "folder", "too large", "gone", "empty"])
def test_a_folder_with_something_else_in_the_place_of_a_file(kind: str, folder: Path) -> None:
    place = write_folder(folder / "cifar", PYTHON_TEN)
    file = place / "test_batch"
    file.unlink()
    if kind == "pipe":
        os.mkfifo(file)
    elif kind == "link to a device":
        file.symlink_to("/dev/zero")
    elif kind == "folder":
        file.mkdir()
    elif kind == "too large":
        file.touch()
        os.truncate(file, 2**40)
    elif kind == "empty":
        file.touch()
    with little_memory(8), pytest.raises(UserError) as caught:
        opened(place)
    assert str(caught.value).isprintable() and "test_batch" in str(caught.value)
