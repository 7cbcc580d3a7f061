"""The cache: prepared once, told apart by source and preparation, shared by processes."""

import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from PIL import Image

from cifarlab.config import from_json, to_json
from cifarlab.data.cache import Manifest
from cifarlab.data.folder import open_pictures
from cifarlab.data.locations import cache_folder
from cifarlab.data.pictures import Preparation
from cifarlab.errors import UserError
from data_samples import MADE_FILES, entry

pytestmark = pytest.mark.usefixtures("cache")


def test_what_was_prepared_once_is_not_prepared_again(
    pictures: Path, cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = open_pictures(pictures)
    said = capsys.readouterr().err.splitlines()
    assert said[0] == f"preparing 12 pictures from pets (once; then cached in {cache})"
    assert said[1].startswith("prepared in ")
    assert {path.name for path in entry(cache).iterdir()} == MADE_FILES
    again = open_pictures(pictures)
    assert capsys.readouterr().err == ""
    assert again.description == first.description
    assert again.read_train().sha256() == first.description.train_sha256
    assert again.read_test().sha256() == first.description.test_sha256


def test_the_test_set_stays_closed_until_it_is_asked_for(
    pictures: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_pictures(pictures)
    read_bytes, opened = Path.read_bytes, []

    def recorded(path: Path) -> bytes:
        opened.append(path.name)
        return read_bytes(path)

    monkeypatch.setattr(Path, "read_bytes", recorded)
    source = open_pictures(pictures)
    source.read_train()
    assert "train.safetensors" in opened
    assert "test.safetensors" not in opened
    source.read_test()
    assert "test.safetensors" in opened


def test_the_entry_is_shared_by_copies_but_keeps_their_names(pictures: Path, cache: Path) -> None:
    open_pictures(pictures)
    pictures.rename(pictures.parent / "animals")
    assert open_pictures(pictures.parent / "animals").description.name == "animals"
    entry(cache)


@pytest.mark.parametrize("change", ["content", "name", "time", "preparation"])
def test_another_source_or_preparation_is_another_entry(pictures: Path, cache: Path, change: str) -> None:
    open_pictures(pictures)
    changed = pictures / "train/cat/0.png"
    if change == "content":
        changed.write_bytes((pictures / "train/dog/0.png").read_bytes())
    elif change == "name":
        changed.rename(changed.with_name("9.png"))
    elif change == "time":
        os.utime(changed, ns=(0, 1))
    open_pictures(pictures, Preparation(background=(0, 0, 0) if change == "preparation" else (255, 255, 255)))
    assert len([path for path in (cache / "pictures").iterdir() if path.is_dir()]) == 2


def test_files_that_change_names_are_another_set_though_sizes_and_times_are_equal(pictures: Path) -> None:
    one, other, away = (pictures / "train" / name for name in ("cat/0.png", "dog/0.png", "cat/1.png.away"))
    for path, color in ((one, 10), (other, 200)):
        Image.new("RGB", (8, 8), (color, color, color)).save(path, "BMP")
        os.utime(path, ns=(0, 1))
    before = open_pictures(pictures).description.train_sha256
    one.rename(away)
    other.rename(one)
    away.rename(other)
    assert open_pictures(pictures).description.train_sha256 != before


def test_an_archive_is_known_by_its_content(pictures: Path, cache: Path) -> None:
    with tarfile.open(pictures.parent / "pets.tar", "w") as packed:
        packed.add(pictures, "pets")
    open_pictures(pictures.parent / "pets.tar")
    os.utime(pictures.parent / "pets.tar", ns=(0, 1))
    open_pictures(pictures.parent / "pets.tar")
    entry(cache)


OPEN = """
import sys
import tarfile
from pathlib import Path
from cifarlab.data.folder import open_pictures
sys.stdin.readline()
source = open_pictures(Path(sys.argv[1]))
print(source.read_train().sha256(), source.read_test().sha256())
"""


def test_two_processes_that_prepare_at_once_agree(pictures: Path, cache: Path) -> None:
    for number in range(3, 150):  # enough work for the two to meet
        (pictures / f"train/cat/{number}.png").write_bytes((pictures / "train/cat/0.png").read_bytes())
    command = [sys.executable, "-c", OPEN, str(pictures)]
    pipe = subprocess.PIPE
    processes = [subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True) for _ in range(2)]
    results = []
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in processes:
        results.append(process.communicate(timeout=120))
        assert process.returncode == 0, results
    hashes, said = [out for out, _ in results], "".join(err for _, err in results)
    assert hashes[0] == hashes[1]
    assert said.count("preparing 159 pictures") == 1
    description = open_pictures(pictures).description
    assert hashes[0].split() == [description.train_sha256, description.test_sha256]


def test_the_folder_is_found_as_the_documentation_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CIFARLAB_CACHE", "/a")
    monkeypatch.setenv("XDG_CACHE_HOME", "/b")
    monkeypatch.setenv("HOME", "/c")
    assert cache_folder() == Path("/a")
    monkeypatch.delenv("CIFARLAB_CACHE")
    assert cache_folder() == Path("/b/cifarlab")
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    assert cache_folder() == Path("/c/.cache/cifarlab")


def test_no_home_folder_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("CIFARLAB_CACHE")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", homeless)
    with pytest.raises(UserError, match="CIFARLAB_CACHE"):
        cache_folder()


def test_a_manifest_survives_its_round_trip(pictures: Path, cache: Path) -> None:
    open_pictures(pictures)
    document = json.loads((entry(cache) / "manifest.json").read_bytes())["manifest"]
    assert to_json(from_json(Manifest, document)) == document
