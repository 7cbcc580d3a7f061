"""``cifarlab evaluate``, on a tiny run on the digits."""

import json
import shutil
from pathlib import Path

import pytest

from cifarlab import run
from cifarlab.cli import main
from cifarlab.data.digits import open_digits
from cifarlab.data.holdout import Fraction, NoHoldout
from cifarlab.exclusion import ExcludedImage, Exclusions, Partner, write_exclusions
from cifarlab.models import PlainCnn
from cifarlab.recipe import Judging, Recipe, TrainingMode
from cifarlab.train import train

HOSTILE = "evil\x1b[31m\nname"


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "tiny"
    recipe = Recipe(
        PlainCnn(widths=(4, 4, 8), batch_norm=True),
        epochs=1,
        batch_size=20,
        train_images=100,
        published=Judging(Fraction(0.1), "val_loss", TrainingMode(batch_size=25)),
    )
    train(recipe, open_digits(), folder, device="cpu", data_argument="digits")
    return folder


def test_json_holds_the_result_s_numbers(capsys: pytest.CaptureFixture[str], trained: Path) -> None:
    assert main(["evaluate", str(trained), "--device", "cpu", "--json"]) == 0
    shown, complaint = capsys.readouterr()
    found, result = json.loads(shown), json.loads((trained / "result.json").read_text())
    assert complaint == ""
    assert found["accuracy"] == result["test_accuracy"]
    assert found["confusion_matrix"] == result["confusion_matrix"]
    assert (found["run"], found["part"], found["mode"]) == (str(trained), "test", "evaluation")


def test_a_run_that_held_nothing_out_has_no_validation_images(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    recipe = Recipe(PlainCnn(widths=(4, 4, 8)), epochs=1, judging=Judging(NoHoldout(), "last"))
    train(recipe, open_digits(), tmp_path / "run", device="cpu", data_argument="digits")
    assert main(["evaluate", str(tmp_path / "run"), "--part", "validation"]) == 2
    complaint = capsys.readouterr().err
    assert complaint.count("\n") == 1
    assert complaint.endswith("run held out no images to validate on; take --part test or train\n")


def test_the_text_shows_accuracy_interval_and_classes(
    capsys: pytest.CaptureFixture[str], trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    result = json.loads((trained / "result.json").read_text())
    assert main(["evaluate", str(trained), "--device", "cpu"]) == 0
    lines = capsys.readouterr().out.splitlines()
    low, high = result["interval"]
    assert lines[0].startswith(
        f"test accuracy {result['test_accuracy']:.2%} (n = 450, 95 % interval {low:.2%} to {high:.2%}); "
    )
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in lines if line.startswith("│")]
    assert [row[0] for row in rows] == list("0123456789")
    for place, (row, figures) in enumerate(zip(rows, result["per_class"], strict=True)):
        assert row[1] == str(figures["images"])
        assert row[2] == f"{figures['accuracy']:.2%}"
        assert row[3] == f"{figures['interval'][0]:.2%} to {figures['interval'][1]:.2%}"
        mistaken = [count for other, count in enumerate(result["confusion_matrix"][place]) if other != place]
        most = max(mistaken)
        assert row[4].endswith(f"({most})") if most else row[4] == ""
        assert not row[4].startswith(f"{place} ")


@pytest.mark.parametrize(
    ("flags", "part", "mode", "images"),
    [
        (["--part", "validation"], "validation", "evaluation", 135),
        (["--part", "train"], "train", "evaluation", 100),
        (["--mode", "as-published", "--part", "train"], "train", "as-published", 100),
    ],
)
def test_parts_and_modes(
    capsys: pytest.CaptureFixture[str], trained: Path, flags: list[str], part: str, mode: str, images: int
) -> None:
    assert main(["evaluate", *flags, "--json", str(trained), "--device", "cpu"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["part"], found["mode"], found["images"]) == (part, mode, images)
    assert main(["evaluate", *flags, str(trained)]) == 0
    assert capsys.readouterr().out.startswith(f"{part} accuracy ")


def test_a_hostile_run_folder_is_named_safely(
    capsys: pytest.CaptureFixture[str], trained: Path, tmp_path: Path
) -> None:
    shutil.copytree(trained, tmp_path / HOSTILE)
    assert main(["evaluate", str(tmp_path / HOSTILE)]) == 0
    assert capsys.readouterr().out.replace("\n", "").isprintable()
    (tmp_path / HOSTILE / "result.json").unlink()
    for path in (tmp_path / HOSTILE, tmp_path / HOSTILE[:-1]):
        assert main(["evaluate", str(path)]) == 2
        complaint = capsys.readouterr().err
        assert "evil\ufffd[31m\ufffdnam" in complaint
        assert complaint[:-1].isprintable()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "evaluate: "),
        (["absent"], "absent does not exist"),
        (["TINY", "--part", "tset"], "evaluate: "),
        (["TINY", "--mode", "published"], "evaluate: "),
        (["TINY", "--data", "absent"], "absent"),
        (["TINY", "--device", "gpu"], "the device 'gpu' is not available here"),
        (["TINY", "--prat", "test"], "did you mean --part?"),
    ],
    ids=" ".join,
)
def test_wrong_use_is_said_in_one_line(
    capsys: pytest.CaptureFixture[str], trained: Path, arguments: list[str], message: str
) -> None:
    words = [str(trained) if word == "TINY" else word for word in arguments]
    assert main(["evaluate", *words]) == 2
    shown, complaint = capsys.readouterr()
    assert shown == ""
    assert message in complaint
    assert complaint.count("\n") == 1


def test_an_audit_s_list_shows_both_accuracies_side_by_side(
    capsys: pytest.CaptureFixture[str], trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    data = run.read_description(trained).data
    images = tuple(ExcludedImage(i, str(i), "exact", Partner("train", 0, "0")) for i in (2, 5, 8))
    write_exclusions(tmp_path, Exclusions("digits", data.train_sha256, data.test_sha256, images))
    arguments = ["evaluate", str(trained), "--exclude", str(tmp_path), "--device", "cpu"]
    assert main([*arguments, "--json"]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert main(arguments) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f"test accuracy {figures['accuracy']:.2%} (n = 450, ")
    without, alone = figures["without_excluded"], figures["only_excluded"]
    low, high = without["interval"]
    assert lines[1] == (
        f"without the excluded {without['accuracy']:.2%} (n = 447, 95 % interval {low:.2%} to {high:.2%})"
    )
    assert lines[2].startswith(f"the excluded alone {alone['accuracy']:.2%} (n = 3, ")
    write_exclusions(tmp_path, Exclusions("digits", data.train_sha256, data.test_sha256, ()))
    assert main(arguments) == 0
    assert capsys.readouterr().out.splitlines()[2] == "no test image is excluded"
    assert main([*arguments, "--part", "train"]) == 2
    assert "about the test set" in capsys.readouterr().err
    (tmp_path / "exclude.json").write_text("{")
    assert main(arguments) == 2
    shown, complaint = capsys.readouterr()
    assert shown == ""
    assert "is damaged" in complaint


def test_classes_that_differ_in_size_are_pointed_out(
    capsys: pytest.CaptureFixture[str], trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["evaluate", str(trained), "--device", "cpu"]) == 0
    assert "the balanced accuracy counts each class alike" not in capsys.readouterr().out
    monkeypatch.setattr("cifarlab.cli.evaluate.NOTEWORTHY_RATIO", 1.01)
    assert main(["evaluate", str(trained), "--device", "cpu"]) == 0
    assert "classes have 43 to 46 images here; the balanced accuracy" in capsys.readouterr().out
