"""``cifarlab explain``, from the words to the report."""

import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cifarlab.cli import main
from cifarlab.data.sources import open_source
from cifarlab.run import read_result
from cifarlab.train import train
from study_samples import RECIPE
from support import contents

DIGITS = "digits[100,40]"
HOSTILE = "evil\x1b[31m\n<script>alert(1)<.png"


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "tiny"
    train(RECIPE, open_source(DIGITS), folder, device="cpu", data_argument=DIGITS)
    return folder


@pytest.fixture
def copied(trained: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(trained, tmp_path / "tiny"))


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / HOSTILE.replace("/", "")
    pixels = np.random.RandomState(0).randint(0, 256, (40, 50, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    return path


def test_a_run_and_a_picture(copied: Path, picture: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", str(copied), str(picture), "--mistakes", "2", "--device", "cpu"]) == 0
    printed = capsys.readouterr()
    lines = printed.out.splitlines()
    assert printed.err == "" and all(line.isprintable() for line in lines)
    held_out = read_result(copied)["val_images"]
    assert (
        lines[0]
        == f"looking for similar pictures among {read_result(copied)['train_images']} training images"
    )
    assert lines[1] == "explaining 3 pictures"
    assert lines[2].startswith("evil")
    assert ", is " in lines[3] and "most similar training images: " in lines[3]
    assert f"fitted on {held_out} validation images" in lines[5]
    assert lines[6:] == [f"pictures: {copied / 'explain'}", f"report: {copied / 'report.html'}"]
    page = (copied / "report.html").read_text()
    assert '<section class="card" id="inside">' in page and "features.19" in page
    assert "<script" not in page and "evil" in page


WRONG = {
    "explain": "run folder",
    "explain nowhere": "nowhere does not exist",
    "explain tiny --layer all": "did you mean --layers?",
    "explain tiny --layers features.91": "no layer is called 'features.91'; did you mean features.",
    "explain tiny --layers classifier": "layer classifier has no map with height and width",
    "explain tiny --layers all,features.1": "give all alone, or the names of layers",
    "explain tiny --layers ,": "--layers needs names of layers",
    "explain tiny --mistakes 25": "a run keeps at most 24 of them; found 25",
    "explain tiny --device cuda:99": "the device 'cuda:99' is not available here",
    "explain tiny absent.png": "absent.png: no such file",
    "explain tiny tiny": "this is a folder, not a file",
    "explain tiny tiny/recipe.json": "recipe.json",
}


@pytest.mark.parametrize("typed", WRONG)
def test_wrong_use_is_one_line_and_changes_nothing(
    typed: str, trained: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(trained.parent)
    before = contents(trained, but=(".lock",))
    assert main(typed.split(" ")) == 2
    printed = capsys.readouterr()
    assert printed.err.count("\n") == 1 and WRONG[typed] in printed.err
    assert contents(trained, but=(".lock",)) == before


def test_without_the_extra_one_line_says_what_to_install(
    trained: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "captum", None)
    monkeypatch.setitem(sys.modules, "captum.attr", None)
    assert main(["explain", str(trained)]) == 2
    shown, error = capsys.readouterr()
    assert (
        error == "cifarlab: captum is not installed; run: pip install 'cifarlab[explain]'\n" and shown == ""
    )
