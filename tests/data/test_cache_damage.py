"""The cache: checked, not trusted; whole or absent."""

import errno
import json
import os
from pathlib import Path

import pytest
import safetensors.torch
import torch

from cifarlab import files
from cifarlab.config import fingerprint, from_json
from cifarlab.data.cache import Manifest
from cifarlab.data.folder import open_pictures
from cifarlab.data.pictures import Preparation
from cifarlab.errors import UserError
from data_samples import MADE_FILES, entry

pytestmark = pytest.mark.usefixtures("cache")


def flip_a_bit(path: Path, position: int) -> None:
    content = bytearray(path.read_bytes())
    content[position % len(content)] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("name", ["train.safetensors", "test.safetensors"])
@pytest.mark.parametrize("damage", ["flip start", "flip middle", "flip end", "cut", "empty", "gone"])
def test_a_damaged_half_is_prepared_again_and_said_so(
    pictures: Path, cache: Path, name: str, damage: str, capsys: pytest.CaptureFixture[str]
) -> None:
    description = open_pictures(pictures).description
    path = entry(cache) / name
    size = path.stat().st_size
    if damage.startswith("flip"):
        flip_a_bit(path, {"flip start": 8, "flip middle": size // 2, "flip end": -1}[damage])
    elif damage == "gone":
        path.unlink()
    else:
        os.truncate(path, 0 if damage == "empty" else size - 1)
    source = open_pictures(pictures)
    capsys.readouterr()
    halves = source.read_train(), source.read_test()
    assert f"is unusable ({name}" in capsys.readouterr().err.splitlines()[0]
    assert tuple(half.sha256() for half in halves) == (description.train_sha256, description.test_sha256)
    source.read_train(), source.read_test()
    assert capsys.readouterr().err == ""


def test_every_damaged_byte_of_the_manifest_is_found(
    pictures: Path, cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    description = open_pictures(pictures).description
    whole = (entry(cache) / "manifest.json").read_bytes()
    for position in range(0, len(whole), 37):
        if whole[position] in b" \n":
            continue
        flip_a_bit(entry(cache) / "manifest.json", position)
        capsys.readouterr()
        assert open_pictures(pictures).description == description
        assert "is unusable (manifest.json is damaged" in capsys.readouterr().err
        assert (entry(cache) / "manifest.json").read_bytes() == whole


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", "null", '{"manifest": {}, "sha256": ""}', "not JSON", "\0"]
)
def test_a_wrong_manifest_is_prepared_again(
    pictures: Path, cache: Path, content: str, capsys: pytest.CaptureFixture[str]
) -> None:
    description = open_pictures(pictures).description
    (entry(cache) / "manifest.json").write_text(content)
    capsys.readouterr()
    assert open_pictures(pictures).description == description
    assert "is unusable (manifest.json" in capsys.readouterr().err


def test_the_manifest_of_another_entry_is_not_believed(
    pictures: Path, cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    open_pictures(pictures, Preparation(size=16))
    other = (entry(cache) / "manifest.json").read_bytes()
    description = open_pictures(pictures).description
    for folder in (cache / "pictures").glob("*/"):
        (folder / "manifest.json").write_bytes(other)
    capsys.readouterr()
    assert open_pictures(pictures).description == description
    assert "of another entry" in capsys.readouterr().err


@pytest.mark.parametrize(
    "wrong",
    [
        {"images": torch.zeros(6, 3, 32, 31, dtype=torch.uint8)},
        {"images": torch.zeros(6, 3, 32, 32)},
        {"labels": torch.zeros(5, dtype=torch.int64)},
        {"labels": torch.zeros(6, dtype=torch.int32)},
        {"labels": torch.tensor([0, 0, 0, 1, 1, 2])},
        {"labels": torch.tensor([0, 0, 0, 1, 1, -1])},
    ],
)
def test_hashes_that_fit_do_not_excuse_wrong_tensors(
    pictures: Path, cache: Path, wrong: dict[str, torch.Tensor], capsys: pytest.CaptureFixture[str]
) -> None:
    description = open_pictures(pictures).description
    path, manifest_path = entry(cache) / "train.safetensors", entry(cache) / "manifest.json"
    path.write_bytes(safetensors.torch.save({**safetensors.torch.load(path.read_bytes()), **wrong}))
    document = json.loads(manifest_path.read_bytes())["manifest"]
    document["train"]["file_sha256"] = files.sha256_of(path)
    sealed = fingerprint(from_json(Manifest, document))
    manifest_path.write_text(json.dumps({"manifest": document, "sha256": sealed}))
    capsys.readouterr()
    assert open_pictures(pictures).read_train().sha256() == description.train_sha256
    assert "does not hold what manifest.json says" in capsys.readouterr().err


def fill_the_disk(monkeypatch: pytest.MonkeyPatch, whole_writes: int) -> None:
    """Let so many writes of 5,000 bytes succeed; the next one finds the disk full."""
    write = os.write
    left = iter(range(whole_writes))

    def write_until_full(descriptor: int, content: bytes) -> int:
        if next(left, None) is None:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(descriptor, content[:5_000])

    monkeypatch.setattr(os, "write", write_until_full)


ENOUGH_WRITES = 9  # four pieces of each half, and the manifest


@pytest.mark.parametrize("whole_writes", range(ENOUGH_WRITES))
def test_a_disk_full_at_any_write_leaves_nothing_half_written(
    pictures: Path, cache: Path, whole_writes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill_the_disk(monkeypatch, whole_writes)
    with pytest.raises(UserError, match=r"the disk is full.*CIFARLAB_CACHE") as caught:
        open_pictures(pictures)
    assert str(caught.value).isprintable()
    assert {path.suffix for path in (cache / "pictures").iterdir()} == {".lock"}


def test_a_disk_with_just_enough_space_suffices(pictures: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill_the_disk(monkeypatch, ENOUGH_WRITES)
    open_pictures(pictures)


def test_a_cache_that_cannot_be_written_names_the_variable(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    for place in (tmp_path / "file", tmp_path / "file/deeper", Path("/proc/cifarlab")):
        monkeypatch.setenv("CIFARLAB_CACHE", str(place))
        with pytest.raises(UserError, match="CIFARLAB_CACHE") as caught:
            open_pictures(pictures)
        assert str(caught.value).isprintable()


@pytest.mark.parametrize("culprit", ["mkdir", "exists"])
def test_a_cache_without_permission_names_the_variable(
    pictures: Path, cache: Path, culprit: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = getattr(Path, culprit)

    def denied(path: Path, *arguments: object, **options: object) -> object:
        if path.is_relative_to(cache):
            raise PermissionError(errno.EACCES, "Permission denied")
        return original(path, *arguments, **options)

    monkeypatch.setattr(Path, culprit, denied)
    with pytest.raises(UserError, match=r"permission denied.*CIFARLAB_CACHE"):
        open_pictures(pictures)


def test_a_failed_preparation_leaves_no_entry(pictures: Path, cache: Path) -> None:
    (pictures / "train/cat/0.png").write_bytes(b"hello")
    with pytest.raises(UserError, match="unreadable picture"):
        open_pictures(pictures)
    assert [path.suffix for path in (cache / "pictures").iterdir()] == [".lock"]


def test_leftovers_of_a_crash_are_removed(pictures: Path, cache: Path) -> None:
    open_pictures(pictures)
    (entry(cache) / "manifest.json").unlink()  # as if the power had failed before the last rename
    (entry(cache) / ".test.safetensors.0123abcd.tmp").write_bytes(b"half")
    open_pictures(pictures)
    assert {path.name for path in entry(cache).iterdir()} == MADE_FILES
