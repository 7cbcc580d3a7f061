"""``cifarlab predict``, on a tiny run on the digits."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cifarlab.cli import main
from cifarlab.data.digits import open_digits
from cifarlab.models import PlainCnn
from cifarlab.recipe import Recipe
from cifarlab.run import read_result
from cifarlab.train import train

HOSTILE = "evil\x1b[31m\nname.png"


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "tiny"
    recipe = Recipe(PlainCnn(widths=(4, 4, 8)), epochs=1, batch_size=20, train_images=100)
    train(recipe, open_digits(), folder, device="cpu")
    return folder


@pytest.fixture
def pictures(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / "a.png", tmp_path / "b.jpg", tmp_path / HOSTILE]
    for i, path in enumerate(paths):
        pixels = np.random.RandomState(i).randint(0, 256, (20 + i, 50, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(path)
    return paths


def test_json_is_an_array_of_file_class_and_probabilities(
    capsys: pytest.CaptureFixture[str], trained: Path, pictures: list[Path]
) -> None:
    assert main(["predict", "--run", str(trained), "--json", *map(str, pictures)]) == 0
    shown, said = capsys.readouterr()
    accuracy = read_result(trained)["test_accuracy"]
    assert said == (
        f"network: custom in {trained}, trained on digits; test accuracy {accuracy:.2%} (n = 450)\n"
    )
    found = json.loads(shown)
    assert [each["file"] for each in found] == list(map(str, pictures))
    for each in found:
        assert set(each) == {"file", "class", "probabilities"}
        assert sum(each["probabilities"].values()) == pytest.approx(1, abs=1e-9)
        assert list(each["probabilities"]) == list("0123456789")
        assert each["probabilities"][each["class"]] == max(each["probabilities"].values())


def test_the_text_shows_the_likeliest_classes_and_no_control_characters(
    capsys: pytest.CaptureFixture[str], trained: Path, pictures: list[Path]
) -> None:
    assert main(["predict", "--run", str(trained), "--json", *map(str, pictures)]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert main(["predict", *map(str, pictures), "--device", "cpu", "--run", str(trained)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3
    for line, row in zip(lines, rows, strict=True):
        best = sorted(row["probabilities"].items(), key=lambda item: -item[1])[:3]
        assert line.endswith(": " + ", ".join(f"{name} {share:.1%}" for name, share in best))
        assert line.isprintable()
    assert lines[0].startswith(f"{pictures[0]}: ")
    assert "evil\ufffd[31m\ufffdname.png: " in lines[2]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "predict needs at least one picture"),
        (["--run", "TINY"], "predict needs at least one picture"),
        (["--run", "TINY", "absent.png"], "could not read absent.png: no such file or folder"),
        (["--run", "TINY", "BAD"], "unreadable picture"),
        (["--run", "absent", "PICTURE"], "absent does not exist"),
        (["--rum", "TINY", "PICTURE"], "did you mean --run?"),
    ],
    ids=" ".join,
)
def test_wrong_use_is_said_in_one_line(
    capsys: pytest.CaptureFixture[str],
    trained: Path,
    pictures: list[Path],
    tmp_path: Path,
    arguments: list[str],
    message: str,
) -> None:
    bad = tmp_path / f"bad {HOSTILE}"
    bad.write_bytes(b"no picture")
    named = {"PICTURE": str(pictures[0]), "TINY": str(trained), "BAD": str(bad)}
    assert main(["predict", *[named.get(word, word) for word in arguments]]) == 2
    shown, complaint = capsys.readouterr()
    assert shown == ""
    assert message in complaint
    assert complaint.count("\n") == 1
    assert complaint[:-1].isprintable()
