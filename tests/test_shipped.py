"""The weights that come with the package: found where the package is, whole, and as good as they say."""

import os
from pathlib import Path

import pytest

from cifarlab import shipped
from cifarlab.cli import main
from cifarlab.data.sources import open_source
from cifarlab.errors import UserError
from cifarlab.metrics import correct_count
from cifarlab.models import LeNet
from cifarlab.predict import Classifier
from cifarlab.run import read_description, read_result
from cifarlab.shipped import DEFAULT, default_run, run_or_shipped, shipped_runs
from export_samples import untrained_run

needs_weights = pytest.mark.skipif(not shipped_runs(), reason="this copy of the package has no weights yet")
CIFAR = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


def test_runs_are_found_by_name_and_the_default_is_one_of_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shipped, "_FOLDER", tmp_path)
    assert shipped_runs() == {}
    for name in ("another", DEFAULT):
        untrained_run(tmp_path / name, LeNet())
    assert shipped_runs() == {name: tmp_path / name for name in ("another", DEFAULT)}
    assert default_run() == tmp_path / DEFAULT


def test_a_copy_without_weights_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shipped, "_FOLDER", tmp_path / "absent")
    with pytest.raises(UserError, match="came without its trained fast-cnn; name a run of your own"):
        default_run()


@needs_weights
def test_the_default_weights_know_cifar_s_classes_and_say_how_good_they_are() -> None:
    classifier = Classifier.open(default_run(), "cpu")
    assert len(classifier.trained.class_names) == 10 and classifier.trained.image_size == 32
    assert set(classifier.trained.class_names) == set(CIFAR)
    result = read_result(default_run())
    assert result["test_accuracy"] >= 0.87
    assert read_description(default_run()).data.class_names == classifier.trained.class_names


@needs_weights
def test_shipped_runs_hold_no_pictures_no_paths_and_little_else() -> None:
    for folder in shipped_runs().values():
        names = {path.name for path in folder.iterdir()}
        assert names == {"recipe.json", "metrics.jsonl", "result.json", "model.safetensors", "card.md"}
        assert sum(path.stat().st_size for path in folder.iterdir()) < 8 * 2**20
        assert "/root" not in (folder / "result.json").read_text()
        assert "/home" not in (folder / "result.json").read_text()


def test_predict_without_a_run_takes_the_weights_of_the_package_and_names_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(shipped, "_FOLDER", tmp_path / "weights")
    untrained_run(tmp_path / "weights" / DEFAULT, LeNet())
    from PIL import Image

    Image.new("RGB", (40, 30), (200, 40, 40)).save(tmp_path / "photo.png")
    assert main(["predict", str(tmp_path / "photo.png")]) == 0
    shown, said = capsys.readouterr()
    assert shown.count("\n") == 1 and shown.startswith(str(tmp_path / "photo.png"))
    folder = tmp_path / "weights" / DEFAULT
    assert said == (f"network: sample in {folder}, trained on digits; test accuracy 50.00% (n = 450)\n")


def test_a_shipped_network_goes_by_its_name_unless_a_folder_of_that_name_is_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("onnx", reason="the extra export is not installed")
    pytest.importorskip("onnxruntime", reason="the extra export is not installed")
    monkeypatch.setattr(shipped, "_FOLDER", tmp_path / "weights")
    monkeypatch.chdir(tmp_path)
    inside = untrained_run(tmp_path / "weights" / "small", LeNet())
    held = set(inside.iterdir())
    assert main(["export", "small"]) == main(["export", "small", "--format", "safetensors"]) == 0
    assert (tmp_path / "small.onnx").exists() and (tmp_path / "small.safetensors").exists()
    assert set(inside.iterdir()) == held, "the package is left as it is"
    untrained_run(tmp_path / "small", LeNet())
    assert run_or_shipped(Path("small")) == Path("small")
    capsys.readouterr()
    assert main(["export", "absent"]) == 2
    assert "absent does not exist" in capsys.readouterr().err


@needs_weights
def test_the_digits_network_comes_with_the_package_and_knows_digits() -> None:
    test = open_source("digits").read_test()
    logits = Classifier.open(run_or_shipped(Path("digits")), "cpu").logits(test.images)
    assert (
        correct_count(logits, test.labels) / len(test)
        == read_result(shipped_runs()["digits"])["test_accuracy"]
    )


@needs_weights
@pytest.mark.skipif("CIFARLAB_PHOTOS" not in os.environ, reason="CIFARLAB_PHOTOS names no photographs")
def test_the_default_weights_know_photographs_that_they_were_not_trained_on() -> None:
    test = open_source(f"{os.environ['CIFARLAB_PHOTOS']}[100,500]").read_test()
    logits = Classifier.open(default_run(), "cpu").logits(test.images)
    accuracy = correct_count(logits, test.labels) / len(test)
    assert accuracy >= 0.8
    confidence = float(logits.softmax(1).amax(1).mean())
    assert confidence == pytest.approx(accuracy, abs=0.05), "as sure as it is right"
