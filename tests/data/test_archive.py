"""Damaged and hostile archives: one line, bounded memory, and nothing is ever written."""

import io
import tarfile
from pathlib import Path

import pytest

from cifarlab.data import archive
from cifarlab.data.archive import list_archive, read_archive
from cifarlab.data.layout import is_ignored
from cifarlab.errors import UserError

CONTENT = {f"pets/{kind}/{n}.png": bytes([n + 1]) * 700 for kind in ("cat", "dog") for n in range(4)}
MODES = ["w", "w:gz", "w:bz2", "w:xz"]


def pack(path: Path, mode: str = "w") -> bytes:
    with tarfile.open(path, mode) as packed:  # type: ignore[call-overload]
        for name, content in CONTENT.items():
            packed.addfile(special(name, tarfile.REGTYPE, size=len(content)), io.BytesIO(content))
    return path.read_bytes()


def special(name: str, kind: bytes, target: str = "", size: int = 0) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname, member.size = kind, target, size
    return member


def read_all(path: Path) -> dict[str, bytes]:
    _, files = list_archive(path, is_ignored)
    return dict(read_archive(path, {str(file) for file in files}))


def assert_refused(path: Path, *parts: str) -> None:
    """Reading fails with one line that names the archive and holds every one of ``parts``."""
    with pytest.raises(UserError) as caught:
        read_all(path)
    assert str(caught.value).isprintable()
    for part in (path.name, *parts):
        assert part in str(caught.value)


@pytest.mark.parametrize("mode", MODES)
def test_the_content_decides_about_the_compression(tmp_path: Path, mode: str) -> None:
    pack(tmp_path / "pets.zip", mode)
    assert read_all(tmp_path / "pets.zip") == CONTENT


def test_only_what_is_wanted_is_read(tmp_path: Path) -> None:
    pack(tmp_path / "pets.tar")
    assert [name for name, _ in read_archive(tmp_path / "pets.tar", {"pets/dog/2.png"})] == ["pets/dog/2.png"]


@pytest.mark.parametrize("content", [b"", b"hello", b"\x1f\x8b", b"BZh9", b"\xfd7zXZ\x00", b"PK\x03\x04"])
def test_what_is_no_archive_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "pets.tar").write_bytes(content)
    assert_refused(tmp_path / "pets.tar", "is not a tar archive")


@pytest.mark.parametrize("mode", MODES)
def test_an_archive_cut_anywhere_is_refused(tmp_path: Path, mode: str) -> None:
    content = pack(tmp_path / "whole", mode)
    if mode == "w":
        content = content.rstrip(b"\0")  # behind it are the end mark and padding, and padding may be missing
    boundaries = range(0, len(content), 512) if mode == "w" else []
    for length in [*boundaries, *(len(content) * part // 100 for part in range(100)), len(content) - 1]:
        (tmp_path / "cut").write_bytes(content[:length])
        assert_refused(tmp_path / "cut")


@pytest.mark.parametrize(
    ("member", "message"),
    [
        (special("../escaped.png", tarfile.REGTYPE), "outside"),
        (special("pets/cat/../../../escaped.png", tarfile.REGTYPE), "outside"),
        (special("/tmp/escaped.png", tarfile.REGTYPE), "outside"),
        (special("pets/cat/link.png", tarfile.SYMTYPE, "/etc/passwd"), "a link or a device"),
        (special("pets/cat/link.png", tarfile.LNKTYPE, "pets/cat/0.png"), "a link or a device"),
        (special("pets/cat/null.png", tarfile.CHRTYPE), "a link or a device"),
        (special("pets/cat/disk.png", tarfile.BLKTYPE), "a link or a device"),
        (special("pets/cat/pipe.png", tarfile.FIFOTYPE), "a link or a device"),
        (special("pets/cat/bomb.png", tarfile.REGTYPE, size=2**40), "larger than 64 MiB"),
        (special("pets/cat/.hidden", tarfile.REGTYPE, size=2**40), "larger than 64 MiB"),
        (special("bomb", tarfile.XHDTYPE, size=2**40), "a header asks for"),
        (special("bomb", tarfile.GNUTYPE_LONGNAME, size=2**40), "a header asks for"),
        # The message for a negative size depends on the release of Python; some looped for ever on it.
        (special("pets/cat/back.png", tarfile.REGTYPE, size=-(2**20)), ""),
        (special("back", tarfile.XHDTYPE, size=-(2**20)), ""),
    ],
)
def test_a_hostile_member_is_refused_and_nothing_is_written(
    tmp_path: Path, member: tarfile.TarInfo, message: str
) -> None:
    honest = pack(tmp_path / "honest.tar")
    (tmp_path / "hostile.tar").write_bytes(member.tobuf(tarfile.GNU_FORMAT) + honest)
    assert_refused(tmp_path / "hostile.tar", message)
    assert {path.name for path in tmp_path.rglob("*")} == {"honest.tar", "hostile.tar"}


def test_a_hidden_link_is_passed_over(tmp_path: Path) -> None:
    header = special("pets/cat/._0.png", tarfile.SYMTYPE, "/etc/passwd").tobuf()
    (tmp_path / "links.tar").write_bytes(header + pack(tmp_path / "honest.tar"))
    assert read_all(tmp_path / "links.tar") == CONTENT


def test_a_damaged_header_in_the_middle_is_not_taken_for_the_end(tmp_path: Path) -> None:
    content = bytearray(pack(tmp_path / "pets.tar"))
    content[3 * 1536] ^= 1  # the first letter of the fourth member's name: its checksum is wrong now
    (tmp_path / "pets.tar").write_bytes(content)
    assert_refused(tmp_path / "pets.tar", "no end mark")


def test_a_second_archive_behind_the_first_is_not_lost_in_silence(tmp_path: Path) -> None:
    (tmp_path / "two.tar").write_bytes(2 * pack(tmp_path / "one.tar"))
    assert_refused(tmp_path / "two.tar", "more data after its end mark")


def test_members_without_end_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pack(tmp_path / "pets.tar")
    monkeypatch.setattr(archive, "MAX_MEMBERS", len(CONTENT))
    assert read_all(tmp_path / "pets.tar") == CONTENT
    monkeypatch.setattr(archive, "MAX_MEMBERS", len(CONTENT) - 1)
    assert_refused(tmp_path / "pets.tar", "more than 7 members")
