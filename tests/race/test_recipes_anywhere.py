"""The race's recipes are recipes like any other: other data sets, ``train``, ``evaluate``, ``predict``."""

import json
from pathlib import Path

import pytest

from cifar_samples import BY_FOLDER, archive_bytes, official
from cifarlab.cli import main
from cifarlab.data.cifar import place
from cifarlab.data.cifar.official import ARCHIVES
from data_samples import HALVED, picture, write_pictures

IMAGES = 3
"""In each file of an archive."""


@pytest.fixture
def data_sets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What ``--data`` is given, by the kind of data; the archives are small ones of the official format."""
    monkeypatch.setattr(place, "ARCHIVES", official(ARCHIVES, IMAGES))
    monkeypatch.setenv("CIFARLAB_DATA", str(tmp_path))
    monkeypatch.setenv("CIFARLAB_CACHE", str(tmp_path / "cache"))
    for folder in ("cifar-10-batches-bin", "cifar-100-binary"):
        archive = BY_FOLDER[folder]
        (tmp_path / archive.file_name).write_bytes(archive_bytes(archive, IMAGES))
    write_pictures(tmp_path / "pictures", HALVED)
    names = {name: name for name in ("cifar100", "cifar12")}
    return {**names, "digits": "digits[200]", "folder": str(tmp_path / "pictures")}


@pytest.mark.parametrize(
    ("recipe", "kind"),
    [
        pytest.param("race-cpu85", "digits", marks=pytest.mark.soak),
        ("race-cpu85", "cifar100"),
        pytest.param("race-cpu85", "cifar12", marks=pytest.mark.soak),
        ("race-cpu85", "folder"),
        ("race-gpu94", "cifar12"),
    ],
)
def test_it_trains_evaluates_and_predicts(
    recipe: str, kind: str, data_sets: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, flags = str(tmp_path / "run"), ["--recipe.epochs", "2", "--recipe.precision", "fp32"]
    if recipe == "race-gpu94":
        flags += ["--recipe.no-compile"]  # the steps are recorded all the same, on a tape
    assert main(["train", recipe, "--data", data_sets[kind], "--out", out, "--device", "cpu", *flags]) == 0
    result = json.loads(Path(out, "result.json").read_text())
    assert result["status"] == "finished"
    capsys.readouterr()
    assert main(["evaluate", out, "--device", "cpu", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["accuracy"] == result["test_accuracy"]
    Path(tmp_path, "one.png").write_bytes(picture())
    assert main(["predict", str(tmp_path / "one.png"), "--run", out, "--device", "cpu", "--json"]) == 0
    (answer,) = json.loads(capsys.readouterr().out)
    assert sum(answer["probabilities"].values()) == pytest.approx(1, abs=1e-4)
