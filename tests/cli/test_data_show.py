"""``cifarlab data show``: a picture of what a recipe does, and one line for what it cannot do."""

from pathlib import Path

import pytest

from cifarlab.cli import main


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_picture_of_a_recipe(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "show", "tiny-attention", "--data", "digits", "--images", "2"]) == 0
    assert capsys.readouterr().out == "5 stages of 2 images: tiny-attention-stages.png\n"
    assert Path("tiny-attention-stages.png").read_bytes()[:4] == b"\x89PNG"


def test_settings_can_be_changed_as_for_training(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--images", "2", "--seed", "3", "data.png"]
    assert main(["data", "show", "--out", arguments[-1], "demo", *arguments[:-1]]) == 0
    flag = ["--recipe.augment.0.padding", "0", "--recipe.augment.1.degrees", "0"]
    assert main(["data", "show", "demo", *arguments[:-1], *flag, "--out", "still.png"]) == 0
    assert Path("still.png").read_bytes() != Path("data.png").read_bytes()
    assert "3 stages" not in capsys.readouterr().err


def test_a_picture_that_is_there_is_not_touched(capsys: pytest.CaptureFixture[str]) -> None:
    Path("demo-stages.png").write_text("mine")
    assert main(["data", "show", "demo"]) == 2
    assert "demo-stages.png exists already; choose another --out" in capsys.readouterr().err
    assert Path("demo-stages.png").read_text() == "mine"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "data show needs a recipe"),
        (["demmo"], "did you mean demo?"),
        (["demo", "--out", "a.gif"], "a.gif: a picture ends in .png, .svg or .pdf"),
        (["demo", "--out", "a"], "a: a picture ends in"),
        (["demo", "--images", "0"], "--images 0: show at least 1"),
        (["demo", "--images", "33"], "at most 32 images"),
        (["demo", "--epoch", "0"], "epochs are counted from 1"),
        (["demo", "--data", "nowhere"], "nowhere"),
        (["demo", "--nonsense", "1"], "--nonsense"),
        (["demo", "--recipe.augment.0.padding", "-1"], "padding must lie in 0 … 1,024 pixels, found -1"),
        (["demo", "--out", "missing/a.png"], "missing"),
    ],
    ids=" ".join,
)
def test_wrong_use_is_said_in_one_line_and_leaves_nothing(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main(["data", "show", *arguments]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert said in captured.err
    assert not list(tmp_path.iterdir())
