"""A small trained run on the digits, for tests that explain it."""

import shutil
from pathlib import Path

import pytest
import torch

from cifarlab import run
from cifarlab.checkpoint import encode
from cifarlab.data.sources import open_source
from cifarlab.train import train
from study_samples import RECIPE

DIGITS = "digits[100,40]"


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "tiny"
    train(RECIPE, open_source(DIGITS), folder, device="cpu", data_argument=DIGITS)
    return folder


@pytest.fixture
def copied(trained: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(trained, tmp_path / "tiny"))


def forget_mistakes(folder: Path) -> None:
    logits = torch.eye(10)[torch.arange(40) % 10]
    kept = {
        "logits": logits,
        "labels": torch.arange(40) % 10,
        "mistakes": torch.empty(0, dtype=torch.int64),
        "mistake_images": torch.empty(0, 3, 32, 32, dtype=torch.uint8),
    }
    (folder / run.TEST_LOGITS).write_bytes(encode(kept, {}))
