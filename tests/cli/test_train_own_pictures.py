"""Pictures of the user's own through train, evaluate and predict: sizes, unbalanced classes, few pictures."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from cifarlab.cli import main

FOURTH = ["--recipe.judging.holdout.fraction", "0.25"]
"""Enough to hold out one of each class where there are four."""
LAST = ["--recipe.judging.select-by", "last"]  # by accuracy the epoch would win that ignores the rare
QUICK = ["--recipe.optimizer.lr", "0.01", "--recipe.model.dropout", "0", "0", "0"]
TINY = ["--recipe.model.widths", "4", "4", "8", "--device", "cpu"]


def colored(path: Path, brightness: float, size: int = 8) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (size, size), (round(brightness),) * 3).save(path)


@pytest.fixture
def unbalanced(tmp_path: Path) -> Path:
    """Gray pictures, 200 against 10: "often" is darker than "rare" by 1.6 standard deviations."""
    draw = np.random.RandomState(0)
    for half, counts in (("train", (200, 10)), ("test", (100, 100))):
        for kind, mean, count in zip(("often", "rare"), (105, 145), counts, strict=True):
            for number, value in enumerate(draw.normal(mean, 25, count).clip(0, 255)):
                colored(tmp_path / "data" / half / kind / f"{number}.png", value)
    return tmp_path / "data"


def trained(out: Path, data: Path, *flags: str) -> dict[str, Any]:
    """What ``result.json`` says after ``cifarlab train demo``."""
    assert main(["train", "demo", "--data", str(data), "--out", str(out), *TINY, *flags]) == 0
    result: dict[str, Any] = json.loads((out / "result.json").read_text())
    return result


def test_balanced_weights_find_the_rare_class(tmp_path: Path, unbalanced: Path) -> None:
    """A rule by brightness alone could reach 79 %, and one that believes the counts hardly more than 50 %."""
    flags = ["--image-size", "8", "--recipe.epochs", "10", "--recipe.batch-size", "16", *LAST, *QUICK]
    equal = trained(tmp_path / "equal", unbalanced, *flags)
    weights = ["--recipe.loss.class-weights", "balanced"]
    balanced = trained(tmp_path / "balanced", unbalanced, *flags, *weights)
    recipe = json.loads((tmp_path / "balanced/recipe.json").read_text())
    assert recipe["recipe"]["loss"]["class_weights"] == "balanced"
    assert equal["balanced_accuracy"] < 0.6
    assert balanced["balanced_accuracy"] > 0.65


def test_another_resolution_goes_through_train_evaluate_and_predict(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for kind, value in (("dark", 40), ("light", 200)):
        for number in range(12):
            colored(tmp_path / f"data/{kind}/{number}.png", value + number, size=70)
    run = tmp_path / "run"
    flags = ["--image-size", "64", "--fit", "stretch", "--recipe.epochs", "1"]
    result = trained(run, tmp_path / "data", *flags)
    described = json.loads((run / "recipe.json").read_text())["data"]
    assert described["image_size"] == 64
    assert described["preparation"]["size"] == 64
    assert described["preparation"]["fit"] == "stretch"
    capsys.readouterr()
    assert main(["evaluate", str(run), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["accuracy"] == result["test_accuracy"]
    assert main(["predict", "--run", str(run), "--json", str(tmp_path / "data/dark/0.png")]) == 0
    (found,) = json.loads(capsys.readouterr().out)
    assert set(found["probabilities"]) == {"dark", "light"}


def test_ten_pictures_in_two_classes_are_enough(tmp_path: Path) -> None:
    for number in range(10):
        colored(tmp_path / f"data/{'ab'[number % 2]}/{number}.png", 20 * number)
    result = trained(tmp_path / "run", tmp_path / "data", "--recipe.epochs", "1", *FOURTH)
    assert result["test_images"] == 2
    assert (tmp_path / "run/report.html").stat().st_size > 1000


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--image-size", "2000"], "size: 2000 is not between 1 and 1024 pixels"),
        (["--image-size", "0"], "size: 0 is not between 1 and 1024 pixels"),
        (["--image-size", "30"], "multiple of 8, not 30 pixels"),
        (["--data", "digits", "--image-size", "64"], "--image-size is for pictures of your own"),
        (["--fit", "squeeze"], "squeeze"),
    ],
)
def test_a_size_that_cannot_be_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], flags: list[str], message: str
) -> None:
    for kind in "ab":
        for number in range(2):
            colored(tmp_path / f"data/{kind}/{number}.png", 100)
    data = [] if "--data" in flags else ["--data", str(tmp_path / "data")]
    assert main(["train", "demo", *data, "--out", str(tmp_path / "run"), *flags]) == 2
    shown, complaint = capsys.readouterr()
    assert shown == ""
    assert message in complaint.splitlines()[-1]
    assert not (tmp_path / "run").exists()
