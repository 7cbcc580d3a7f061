"""Wrong words, flags, values and paths: one line that names the right one, exit code 2, nothing made."""

import shutil
from pathlib import Path

import pytest

from cifarlab import cli
from cifarlab.train import train
from support import contents, small_recipe, synthetic_source

LONG = "x" * 300

# What is typed, and what the one line must contain. {tmp} is an empty folder, the working directory.
WRONG: dict[str, tuple[str, str]] = {
    "no command": ("", "a command is missing; cifarlab --help"),
    "command": ("tran demo", "no command is called 'tran'; did you mean train?"),
    "far command": (
        "xyzzy",
        "there are: check-table, compare, data, evaluate, explain, export, list, predict, race, reproduce, "
        "serve, study, train",
    ),
    "no recipe": ("train", "train needs a recipe; cifarlab list recipes shows them"),
    "no recipe but flags": ("train --seed 3", "train needs a recipe"),
    "recipe": ("train dmo", "no recipe is called 'dmo'; did you mean demo?"),
    "recipe beside a folder of a right name": ("train dmo --out demo", "did you mean demo?"),
    "far recipe": ("train resnet-9000", "no recipe is called 'resnet-9000'; "),
    "flag": ("train demo --recipe.epoch 3", "did you mean --recipe.epochs?"),
    "nested flag": ("train demo --recipe.optimizer.rl 3", "did you mean --recipe.optimizer.lr?"),
    "plain flag": ("train demo --sead 3", "did you mean --seed?"),
    "flag of another recipe": ("train demo --recipe.optimizer.momentum 0.9", "train demo: "),
    "no value": ("train demo --recipe.epochs", "--recipe.epochs"),
    "text for a number": ("train demo --recipe.epochs many", "--recipe.epochs"),
    "fraction for a whole number": ("train demo --recipe.epochs 1.5", "--recipe.epochs"),
    "too few values": ("train demo --recipe.model.widths 4 4", "--recipe.model.widths"),
    "zero epochs": ("train demo --recipe.epochs 0", "epochs must be at least 1, found 0"),
    "negative batch": ("train demo --recipe.batch-size -3", "batch_size must be at least 1"),
    "zero patience": ("train demo --recipe.patience 0", "patience must be at least 1"),
    "negative rate": ("train demo --recipe.optimizer.lr -1", "lr must be a finite number from 0"),
    "rate that is no number": ("train demo --recipe.optimizer.lr nan", "lr"),
    "endless rate": ("train demo --recipe.optimizer.lr inf", "lr"),
    "endless decay": ("train demo --recipe.optimizer.weight-decay inf", "weight_decay"),
    "factor that is no number": ("train demo --recipe.schedule.gamma nan", "gamma"),
    "mean that is no number": (
        "train demo --recipe.normalize.mean nan 0 0",
        "every mean must be finite",
    ),
    "width": ("train demo --recipe.model.widths 4 0 4", "every width must be at least 1"),
    "dropout": ("train demo --recipe.model.dropout 0 0 1", "dropout must lie in"),
    "milestones": ("train demo --recipe.schedule.milestones 4 2", "milestones must be ascending"),
    "hold-out": (
        "train demo --recipe.judging.holdout.fraction 0.9",
        "0.9 is not more than 0 and at most 0.5",
    ),
    "subset": ("train demo --recipe.train-images 31", "cannot be equal over 10 classes"),
    "seed": ("train demo --seed -1", "seed: -1 is not between"),
    "select by": ("train demo --recipe.judging.select-by accuracy", "--recipe.judging.select-by"),
    "device": ("train demo --device gpu", "the device 'gpu' is not available here; use --device cpu"),
    "absent device": ("train demo --device cuda:99", "the device 'cuda:99' is not available here"),
    "device without values": ("train demo --device meta", "the device 'meta' is not available here"),
    "protocols": ("train demo --protocols D", "--protocols"),
    "protocols not published": ("train demo --protocols A", "it has protocols C and B,C"),
    "choice on the test set": ("train demo --recipe.judging.select-by test_accuracy", "only protocol A"),
    "data": ("train demo --data digit", "did you mean digits?"),
    "data path": ("train demo --data ./no/such/folder", "no/such"),
    "data too long": (f"train demo --data {LONG}", LONG[:50]),
    "from": ("train demo --from nowhere", "nowhere does not exist"),
    "out too long": (f"train demo --out {LONG}", LONG[:50]),
    "resume too long": (f"train demo --resume --out {LONG}", LONG[:50]),
    "evaluate without run": ("evaluate", "run folder"),
    "evaluate nothing": ("evaluate nowhere", "nowhere does not exist"),
    "evaluate too long": (f"evaluate {LONG}", LONG[:50]),
    "evaluate a flag": ("evaluate run --prt test", "did you mean --part?"),
    "evaluate a part": ("evaluate run --part tests", "--part"),
    "predict without picture": ("predict --run nowhere", "predict needs at least one picture"),
    "predict too long": (f"predict --run {LONG} a.png", f"could not look at {LONG[:50]}"),
    "check a table too long": (f"check-table {LONG}", f"could not look at {LONG[:50]}"),
    "show too long": (f"data show demo --out {LONG}.png", f"could not look at {LONG[:50]}"),
    "predict with no run": ("predict --run nowhere a.png", "nowhere does not exist"),
    "explain without run": ("explain", "run folder"),
    "explain nothing": ("explain nowhere", "nowhere does not exist"),
    "list": ("list", "list"),
    "list what": ("list recipe", "did you mean recipes?"),
    "list flag": ("list runs --jsn", "did you mean --json?"),
    "race without tier": ("race", "race: "),
    "race": ("race gpu-94", "no race is called 'gpu-94'; did you mean gpu94?"),
    "race without runs": ("race cpu85 --runs 0", "--runs must be at least 1, found 0"),
    "race against nothing": ("race cpu85 --against nowhere", "nowhere is no script"),
    "race data": ("race cpu85 --data digit", "did you mean digits?"),
    "race with nothing to show": ("race cpu85 --show", "there is no race/cpu85.json"),
    "control characters": ("train \x1b[31mred\x07\n", "no recipe is called"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_use(
    case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    typed, expected = WRONG[case]
    monkeypatch.chdir(tmp_path)
    arguments = typed.split(" ") if typed else []
    _one_line(arguments, expected, capsys)
    assert list(tmp_path.iterdir()) == []


def _one_line(arguments: list[str], expected: str, capsys: pytest.CaptureFixture[str]) -> None:
    code = cli.main(arguments)
    printed = capsys.readouterr()
    assert code == 2, printed.err
    assert printed.err.count("\n") == 1 and printed.err.startswith("cifarlab: ")
    assert printed.err.removesuffix("\n").isprintable()
    assert expected in printed.err
    assert printed.out == ""
    assert "---" not in printed.err, "a line of tyro's box"
    assert "Traceback" not in printed.err


@pytest.fixture(scope="module")
def _runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    train(small_recipe(epochs=1), synthetic_source(), folder / "finished", data_argument="gone")
    (folder / "pictures").mkdir()
    (folder / "pictures" / "a.png").write_bytes(b"no picture")
    (folder / "file").write_bytes(b"mine")
    return folder


WRONG_RUNS: dict[str, tuple[str, str]] = {
    "a run that is there": ("train demo --out finished", "finished exists already; go on with --resume"),
    "another recipe": ("train demo --out finished --resume", "finished holds another run: "),
    "a folder of something else": (
        "train demo --out pictures",
        "pictures exists already and is no run folder",
    ),
    "a file": ("train demo --out file", "file exists already and is no run folder"),
    "a file in between": ("train demo --out file/run", "a part of this path is a file"),
    "weights of another network": (
        "train demo --out new --from finished",
        "holds another network than this recipe: model.widths.0: 4 -> 16",
    ),
    "nearly the run": ("evaluate finishd", "did you mean finished?"),
    "no run folder": ("evaluate pictures", "pictures is not a run folder"),
    "data that are gone": ("evaluate finished", "gone"),
    "other data": ("evaluate finished --data digits", "digits has other class names than finished"),
    "no published mode": ("evaluate finished --data digits --mode as-published", "has other class names"),
    "no picture": ("predict --run finished pictures/a.png", "pictures/a.png"),
    "absent picture": ("predict --run finished b.png", "b.png"),
    "a folder as picture": ("predict --run finished pictures", "pictures"),
}


@pytest.mark.parametrize("case", WRONG_RUNS)
def test_wrong_use_of_runs(
    case: str,
    _runs: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    shutil.copytree(_runs, tmp_path / "runs")
    monkeypatch.chdir(tmp_path / "runs")
    before, folders = contents(tmp_path), sorted(tmp_path.rglob("*"))
    typed, expected = WRONG_RUNS[case]
    _one_line(typed.split(" "), expected, capsys)
    assert contents(tmp_path) == before
    assert sorted(tmp_path.rglob("*")) == folders


@pytest.mark.parametrize(
    "typed", ["--help", "-h", "--version", "train --help", "train demo --help", "list --help"]
)
def test_help_is_no_error(typed: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Control: what is right goes to standard output with exit code 0."""
    try:
        assert cli.main(typed.split(" ")) == 0
    except SystemExit as end:
        assert not end.code
    printed = capsys.readouterr()
    assert printed.out and not printed.err
