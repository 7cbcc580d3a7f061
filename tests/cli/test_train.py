"""``cifarlab train``: its flags in any order, the recipe's settings, and one small run from end to end."""

import importlib
import itertools
import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from cifarlab.augment import RandomCrop, Rotation
from cifarlab.cli import main
from cifarlab.cli import train as command
from cifarlab.config import to_json
from cifarlab.data.holdout import Counts
from cifarlab.distributed import Group
from cifarlab.errors import UserError
from cifarlab.models import PlainCnn
from cifarlab.optim import Adam
from cifarlab.recipe import EvaluationMode, Recipe
from cifarlab.recipes import RECIPES
from cifarlab.schedules import MultiStep

SMALL = ["--recipe.epochs", "1", "--recipe.train-images", "50", "--recipe.model.widths", "4", "4", "8"]


class Asked:
    """What the command line asked to be trained."""

    name: str
    recipe: Recipe
    data: str
    options: command.Options
    shown: str


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    """Nothing is trained; the arguments of the training are noted instead."""
    noted = Asked()

    def note(
        name: str, recipe: Recipe, data: str, options: command.Options, group: Group, shown: str
    ) -> None:
        noted.name, noted.recipe, noted.data, noted.options, noted.shown = name, recipe, data, options, shown

    monkeypatch.setattr(command, "train_and_report", note)
    return noted


def test_a_recipe_alone_is_trained_as_it_is(asked: Asked) -> None:
    assert main(["train", "demo"]) == 0
    assert (asked.name, asked.recipe, asked.data) == ("demo", RECIPES["demo"].make(), "digits")
    assert asked.options == command.Options()
    assert asked.shown == "cifarlab train demo"


FLAGS = [
    ["--seed", "5"],
    ["--out", "a b"],
    ["--recipe.optimizer.lr", "0.5"],
    ["--resume"],
    ["--recipe.epochs", "3"],
    ["--data", "digits"],
    ["--protocols", "B,C"],
    ["--from", "runs/x"],
    ["--device", "cpu"],
    ["--tensorboard"],
]


@pytest.mark.parametrize("shift", range(len(FLAGS)))
@pytest.mark.parametrize("place", [0, 4, len(FLAGS)], ids=["name first", "name in the middle", "name last"])
def test_flags_may_stand_in_any_order(asked: Asked, place: int, shift: int) -> None:
    flags = FLAGS[shift:] + FLAGS[:shift]
    arguments = list(itertools.chain(*flags[:place], ["cnn-final"], *flags[place:]))
    assert main(["train", *arguments]) == 0
    assert asked.name == "cnn-final"
    assert asked.options == command.Options(
        data="digits",
        out=Path("a b"),
        resume=True,
        start_from=Path("runs/x"),
        seed=5,
        protocols="B,C",
        device="cpu",
        tensorboard=True,
    )
    assert asked.recipe.epochs == 3
    assert asked.recipe.optimizer == Adam(lr=0.5, weight_decay=1e-4)
    assert "--out 'a b'" in asked.shown


@pytest.mark.parametrize(
    ("arguments", "name", "out", "start"),
    [
        (["cnn-basic", "--out", "demo"], "cnn-basic", "demo", None),
        (["--out", "demo", "cnn-basic"], "cnn-basic", "demo", None),
        (["--from", "cnn-regularized", "cnn-augmented"], "cnn-augmented", None, "cnn-regularized"),
        (["--out=demo", "--resume", "cnn-basic"], "cnn-basic", "demo", None),
        (["cnn-augmented", "--from", "cnn-regularized"], "cnn-augmented", None, "cnn-regularized"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_a_folder_may_be_called_like_a_recipe(
    asked: Asked, arguments: list[str], name: str, out: str | None, start: str | None
) -> None:
    assert main(["train", *arguments]) == 0
    assert asked.name == name
    assert asked.options.out == (None if out is None else Path(out))
    assert asked.options.start_from == (None if start is None else Path(start))


def test_every_kind_of_leaf_can_be_changed(asked: Asked) -> None:
    flags = {
        "--recipe.model.widths": "8 9 10",
        "--recipe.model.dropout": "0.5 0 0.25",
        "--recipe.augment.0.padding": "2",
        "--recipe.augment.1.degrees": "0",
        "--recipe.optimizer.weight-decay": "0.01",
        "--recipe.schedule.milestones": "1 2 3",
        "--recipe.epochs": "7",
        "--recipe.patience": "4",
        "--recipe.judging.select-by": "val_loss",
        "--recipe.judging.mode.batch-size": "32",
        "--recipe.precision": "fp32",
        "--recipe.compile": "",
    }
    words = [word for flag, values in flags.items() for word in (flag, *values.split())]
    assert main(["train", "demo", *words]) == 0
    recipe = asked.recipe
    # BatchNorm was not named: it stays.
    assert recipe.model == PlainCnn((8, 9, 10), batch_norm=True, dropout=(0.5, 0.0, 0.25))
    assert recipe.augment == (RandomCrop(2), Rotation(0.0))
    assert recipe.optimizer == Adam(lr=0.003, weight_decay=0.01)
    assert recipe.schedule == MultiStep((1, 2, 3), 0.2)
    assert (recipe.epochs, recipe.patience, recipe.precision, recipe.compile) == (7, 4, "fp32", True)
    assert (recipe.judging.select_by, recipe.judging.mode) == ("val_loss", EvaluationMode(32))


def test_counts_of_the_hold_out_can_be_changed(asked: Asked) -> None:
    words = ["--recipe.judging.holdout.train", "100", "--recipe.judging.holdout.validation", "50"]
    assert main(["train", "cnn-basic", *words]) == 0
    assert asked.recipe.judging.holdout == Counts(100, 50)


def with_other_flags() -> set[str]:
    """Recipes with a class of settings that no recipe before them has."""
    seen: set[str] = set()
    chosen = set()
    for name, entry in RECIPES.items():
        found = set(re.findall(r'"type": "(\w+)"', json.dumps(to_json(entry.make()))))
        if found - seen:
            chosen.add(name)
        seen |= found
    return chosen


OTHER_FLAGS = with_other_flags()


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if name in OTHER_FLAGS else pytest.mark.soak) for name in RECIPES]
)
def test_every_recipe_has_help(capsys: pytest.CaptureFixture[str], name: str) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["train", name, "--help"])
    assert not caught.value.code
    shown = capsys.readouterr().out
    for flag in ("--seed", "--resume", "--from", "--protocols", "--recipe.epochs", "--recipe.optimizer.lr"):
        assert flag in shown


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "train needs a recipe; cifarlab list recipes shows them"),
        (["--seed", "1"], "train needs a recipe; cifarlab list recipes shows them"),
        (["dmeo"], "no recipe is called 'dmeo'; did you mean demo?"),
        (["dmeo", "--out", "demo"], "no recipe is called 'dmeo'; did you mean demo?"),
        (["demo", "--sed", "1"], "train demo: unrecognized options: --sed, 1; did you mean --seed?"),
        (["demo", "--recipe.optimizer.lrr", "1"], "did you mean --recipe.optimizer.lr?"),
        (["demo", "--seed", "one"], "train demo: "),
        (["demo", "--seed"], "train demo: "),
        (["demo", "--recipe.epochs", "0"], "epochs must be at least 1"),
        (["demo", "--recipe.epochs", "1.5"], "train demo: "),
        (["demo", "--recipe.model.widths", "1", "2"], "train demo: "),
        (["demo", "--recipe.model.dropout", "0", "0", "2"], "dropout must lie in 0 … 1"),
        (["demo", "--recipe.precision", "fp16"], "train demo: "),
        (["demo", "--protocols", "B"], "train demo: "),
        (["demo", "surplus"], "train demo: "),
        (["demo", "--out", "x", "--recipe.optimizer.lr", "nan"], "lr"),
        (["demo", "--out", "x", "--recipe.optimizer.lr", "inf"], "lr"),
        (["demo", "--out", "x", "--recipe.optimizer.epsilon", "nan"], "epsilon"),
        (["demo", "--out", "x", "--recipe.normalize.mean", "nan", "0", "0"], "mean"),
        (["demo", "--out", "x", "--recipe.judging.mode.batch-size", "0"], "batch_size must be at least 1"),
        (["demo", "--out", "x", "--recipe.train-images", "15"], "15 images cannot be equal over 10 classes"),
        (["demo", "--out", "x", "--seed", "-1"], "seed: -1 is not between"),
        (["demo", "--out", "x", "--device", "cuda:99"], "the device 'cuda:99' is not available here"),
        (["demo", "--out", "x", "--data", "digit"], "did you mean digits?"),
        (["demo", "--out", "x", "--protocols", "A"], "protocol A"),
        (["demo", "--out", "x", "--from", "absent"], "absent does not exist"),
        (["demo", "--out", "file"], "file exists already and is no run folder"),
        (["demo", "--out", "file", "--data", "absent"], "file exists already and is no run folder"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_use_is_said_in_one_line_and_leaves_nothing(
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    message: str,
) -> None:
    (tmp_path / "file").write_text("mine")
    monkeypatch.chdir(tmp_path)
    assert main(["train", *arguments]) == 2
    shown, complaint = capsys.readouterr()
    assert shown == ""
    assert complaint.startswith("cifarlab: ")
    assert message in complaint
    assert complaint.count("\n") == 1
    left = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*")} - {"x", "x/.lock"}
    assert left == {"file"}


@pytest.mark.parametrize("given", ["pictures", "digits"])
def test_data_can_be_opened_again_from_anywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: str
) -> None:
    """`cifarlab evaluate` may be called in another folder than `cifarlab train` was."""
    for i in range(8):
        path = tmp_path / "pictures" / "ab"[i % 2] / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (32, 32), (i, i, i)).save(path)
    noted: dict[str, Any] = {}

    def note(*arguments: Any, **options: Any) -> None:
        noted.update(options)
        raise UserError("nothing is trained here")

    monkeypatch.setattr(importlib.import_module("cifarlab.train"), "train", note)
    monkeypatch.chdir(tmp_path)
    assert main(["train", "demo", "--data", given]) == 2
    assert noted["data_argument"] == (str(tmp_path / "pictures") if given == "pictures" else "digits")


def test_a_missing_tensorboard_is_said_before_the_training(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    assert main(["train", "demo", *SMALL, "--out", str(tmp_path / "run"), "--tensorboard"]) == 2
    assert capsys.readouterr().err.count("pip install 'cifarlab[tensorboard]'") == 1
    assert not (tmp_path / "run").exists()


def test_a_run_from_end_to_end(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    arguments = ["train", "--seed", "2", "--device", "cpu", "demo", *SMALL, "--tensorboard"]
    pytest.importorskip("tensorboard")
    assert main(arguments) == 0
    folder = tmp_path / "runs" / "demo-seed2"
    lines = capsys.readouterr().out.splitlines()
    result = json.loads((folder / "result.json").read_text())
    assert lines[0].startswith("epoch 1/1  train loss ")
    assert lines[-2].startswith(f"test accuracy {result['test_accuracy']:.2%} (n = 450, 95 % interval ")
    assert lines[-2].endswith("weights of epoch 1 of 1, chosen by val_accuracy")
    assert lines[-1] == "report: runs/demo-seed2/report.html"
    assert (folder / "report.html").read_text().startswith("<!")
    assert list((folder / "tensorboard").iterdir())
    assert result["command"] == "cifarlab " + " ".join(arguments)
    assert result["data_argument"] == "digits"

    description = json.loads((folder / "recipe.json").read_text())
    recipe: dict[str, Any] = description["recipe"]
    assert (recipe["epochs"], recipe["train_images"], recipe["model"]["widths"]) == (1, 50, [4, 4, 8])
    assert recipe["optimizer"]["lr"] == 0.003
    assert (description["seed"], description["recipe_name"], description["schema"]) == (2, "demo", 2)

    before = (folder / "result.json").read_bytes()
    assert main(["train", "--seed", "2", "demo"]) == 2
    assert (
        "runs/demo-seed2 exists already; go on with --resume, or choose another --out"
        in capsys.readouterr().err
    )
    assert main([*arguments[:-1], "--resume"]) == 0
    assert "is finished already" in capsys.readouterr().out
    assert main(["train", "--seed", "2", "demo", "--resume"]) == 2
    complaint = capsys.readouterr().err
    assert "holds another run: recipe.epochs: 1 -> 20; recipe.model.widths.0: 4 -> 16;" in complaint
    assert (folder / "result.json").read_bytes() == before
