"""``cifarlab data audit``, from the words to the files."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cifarlab.cli import main
from cifarlab.cli.data import audit as command

HOSTILE = "evil\x1b[31m\nname"


def write(path: Path, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    small = Image.fromarray(np.random.RandomState(seed).randint(0, 256, (6, 6, 3), dtype=np.uint8))
    small.resize((32, 32), Image.Resampling.BICUBIC).save(path)


@pytest.fixture
def pets(tmp_path: Path) -> Path:
    """Seven training and three test pictures; a test cat is a training cat, and another a training dog."""
    folder = tmp_path / "pets"
    for place, name in enumerate(["train/cat/0", "train/cat/1", "train/cat/2", "train/cat/3", "train/cat/4"]):
        write(folder / f"{name}.png", place)
    for place, name in enumerate(["train/dog/0", "train/dog/1", "test/cat/0", "test/dog/0", "test/dog/1"]):
        write(folder / f"{name}.png", 10 + place)
    (folder / "test/cat/same.png").write_bytes((folder / "train/cat/3.png").read_bytes())
    (folder / "test/cat/strange.png").write_bytes((folder / "train/dog/1.png").read_bytes())
    return folder


def test_a_folder_of_pictures_is_audited_and_summed_up(
    pets: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "audit"
    assert main(["data", "audit", str(pets), "--folds", "0", "--out", str(out)]) == 0
    shown = capsys.readouterr().out
    assert "across: 2 exact, 0 mirrored, 0 near pairs" in shown
    assert "repeat a training image: 2 of 5 (40.00%); pairs with different labels: 1" in shown
    assert "largest to smallest 2.50" in shown
    assert "class weights: --recipe.loss.class-weights balanced" in shown
    assert f"page: {out / 'audit.html'}" in shown
    listed = json.loads((out / "exclude.json").read_text())
    assert [image["name"] for image in listed["images"]] == ["test/cat/same.png", "test/cat/strange.png"]
    assert [image["partner"]["name"] for image in listed["images"]] == ["train/cat/3.png", "train/dog/1.png"]
    found = json.loads((out / "audit.json").read_text())
    assert found["command"].startswith("cifarlab data audit ")


def test_the_folder_is_named_after_the_data_and_audited_again_without_complaint(
    pets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for _ in range(2):
        assert main(["data", "audit", str(pets), "--folds", "0"]) == 0
    assert (tmp_path / "runs" / "audit-pets" / "audit.json").is_file()
    assert main(["data", "audit", str(pets), "--folds", "0", "--image-size", "24"]) == 2
    assert "audit of something else" in capsys.readouterr().err
    out = ["--out", "small"]
    assert main(["data", "audit", str(pets), "--folds", "0", "--image-size", "24", *out]) == 0
    assert json.loads((tmp_path / "small" / "audit.json").read_text())["data"]["image_size"] == 24


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "data audit: "),
        (["absent"], "there is no file or folder absent"),
        (["digits", "--folds", "1"], "folds: 1 is not possible; 0 leaves the labels out"),
        (["digits", "--folds", "-3"], "folds: -3 is not possible"),
        (["digits", "--epochs", "0"], "epochs must be at least 1"),
        (["digits", "--recipe", "dmeo"], "did you mean demo?"),
        (["digits", "--fold", "3"], "did you mean --folds?"),
        (["digits", "--device", "gpu"], "the device 'gpu' is not available here"),
    ],
    ids=" ".join,
)
def test_wrong_use_is_said_in_one_line(
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["data", "audit", *arguments]) == 2
    shown, complaint = capsys.readouterr()
    assert shown == ""
    assert message in complaint
    assert complaint.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_too_few_pictures_for_the_folds_are_refused_with_the_way_out(
    pets: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["data", "audit", str(pets), "--out", str(tmp_path / "audit")]) == 2
    assert "--folds 0 leaves the labels out" in capsys.readouterr().err
    assert not (tmp_path / "audit").exists()


def test_ctrl_c_ends_with_130_and_the_way_on(
    pets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(train: object, test: object, thresholds: object, check_stop: Callable[[], None]) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        check_stop()

    with monkeypatch.context() as patch:
        patch.setattr("cifarlab.audit.conduct.find_duplicates", interrupted)
        arguments = ["data", "audit", str(pets), "--folds", "0", "--out", str(tmp_path / "audit")]
        assert main(arguments) == 130
    assert "stopped by SIGINT; give the same command again to go on" in capsys.readouterr().err
    assert main(arguments) == 0


def test_hostile_names_are_said_safely(
    pets: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hostile = pets.rename(tmp_path / HOSTILE)
    assert (
        main(["data", "audit", str(hostile), "--folds", "0", "--out", str(tmp_path / HOSTILE / ".audit")])
        == 0
    )
    assert capsys.readouterr().out.replace("\n", "").isprintable()


def test_help_does_not_load_torch() -> None:
    code = (
        "import sys\nfrom cifarlab.cli import main\n"
        "try:\n    main(['data', 'audit', '--help'])\n"
        "except SystemExit as end:\n    assert not end.code\n"
        "assert 'torch' not in sys.modules\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=os.environ, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "--folds" in done.stdout


def test_the_summary_counts_suspects() -> None:
    found = {
        "data": {"test_images": 50},
        "duplicates": {
            "counts": {half: {"exact": 1, "mirrored": 2, "near": 3} for half in ("train", "test", "across")},
            "test_with_train_duplicate": {"images": 5, "share": 0.1},
            "with_different_labels": 2,
            "crowded": True,
        },
        "labels": {"train": {"suspects": [{}] * 7}, "test": {"suspects": [{}]}},
        "balance": {"train": {"ratio": None, "majority": 0.5, "unbalanced": False}},
    }
    lines = command.summary(found)
    assert "doubtful labels (suspects, not errors): 7 training, 1 test images" in lines
    assert any("look at the page" in line for line in lines)
    assert lines[-1] == "classes: a class is empty; always saying the largest is 50.00% right"
