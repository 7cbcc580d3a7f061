"""The safetensors export holds everything: the network, and all that is known of its run, come back."""

import json
from pathlib import Path

import pytest
import torch
from safetensors import safe_open

from cifarlab.augment import MeanImage
from cifarlab.errors import UserError
from cifarlab.export import export, open_exported
from cifarlab.models import LeNet, PlainCnn
from cifarlab.predict import Classifier
from cifarlab.run import read_description, trained_network
from export_samples import SKEWED, colored_digits, untrained_run
from support import contents

REGULARIZED = PlainCnn((4, 4, 8), batch_norm=True, dropout=(0.1, 0.2, 0.3))


@pytest.mark.parametrize("normalize", [SKEWED, MeanImage()], ids=["channels", "mean image"])
def test_the_file_alone_rebuilds_the_network_and_its_description(
    tmp_path: Path, normalize: MeanImage
) -> None:
    folder = untrained_run(tmp_path / "run", REGULARIZED, normalize)
    file = export(folder, "safetensors", tmp_path / "alone.safetensors")
    expected, description = Classifier.open(folder, "cpu"), read_description(folder)
    for path in folder.iterdir():
        path.unlink()
    exported = open_exported(file)
    pixels = colored_digits(20)
    with torch.no_grad():
        logits = exported.network(exported.trained.normalize.apply(pixels))
    assert torch.equal(logits, expected.logits(pixels))
    assert exported.trained == expected.trained == trained_network(description)
    assert exported.facts.description == description
    assert exported.facts.result == {"test_accuracy": 0.5, "test_images": 450, "interval": [0.45, 0.55]}


def test_it_is_read_without_cifarlab_as_its_documentation_says(tmp_path: Path) -> None:
    folder = untrained_run(tmp_path / "run", LeNet())
    with safe_open(export(folder, "safetensors"), "pt") as file:
        weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - it is no dict
        about = json.loads(file.metadata()["cifarlab"])
    assert weights.keys() == Classifier.open(folder, "cpu").network.state_dict().keys()
    assert set(about) == {"network", "run", "result", "cifarlab"}
    assert about["network"]["class_names"] == list("0123456789")


def test_equal_runs_give_equal_files_and_the_run_stays_as_it_was(tmp_path: Path) -> None:
    folders = [untrained_run(tmp_path / name, REGULARIZED) for name in ("one", "two")]
    before = contents(folders[0])
    first, second = (export(folder, "safetensors").read_bytes() for folder in folders)
    assert first == second
    assert str(tmp_path).encode() not in first
    assert contents(folders[0], but=["export.safetensors"]) == before


def test_a_file_that_is_no_export_is_refused_in_one_line(tmp_path: Path) -> None:
    folder = untrained_run(tmp_path / "run", LeNet())
    with pytest.raises(UserError, match="is not an export of cifarlab; it lacks cifarlab, result, run"):
        open_exported(folder / "model.safetensors")
    whole = export(folder, "safetensors").read_bytes()
    (tmp_path / "short").write_bytes(whole[:-100])
    with pytest.raises(UserError, match="is damaged, or not a file of cifarlab"):
        open_exported(tmp_path / "short")
    with pytest.raises(UserError, match="no such file or folder"):
        open_exported(tmp_path / "absent")
