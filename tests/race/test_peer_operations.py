"""How many operations the peers' trainings take, against arithmetic and against what their authors say."""

import os
import sys
from pathlib import Path

import pytest
import torch

from cifarlab.race.peers.referee import Referee
from cifarlab.race.peers.script import load, read_script
from race.peer_samples import SAMPLES

HEAD = 2 * 3072 * 10
"""Of the samples' only layer, per image."""


def _convolution_and_head(width: int) -> tuple[int, int]:
    return 2 * 31 * 31 * width * 3 * 2 * 2, 2 * 961 * width * 10


def _faster() -> float:
    (small, small_head), (large, large_head) = (_convolution_and_head(width) for width in (4, 8))
    # The gradient of the images is not needed, that of the head's input is.
    proxy = small + small_head + (small + 2 * small_head) / 4
    return proxy + (2 * large + 3 * large_head) / 2


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("airbench94_muon.py", 2 * HEAD),
        ("cifar10_speedrun.py", 2 * HEAD),
        ("airbench96_faster.py", _faster()),
    ],
)
def test_operations_per_image_of_a_step(name: str, expected: float, tmp_path: Path) -> None:
    copy = tmp_path / name
    copy.write_text(SAMPLES[name])
    assert _operations(copy, tmp_path / "folder") == expected


@pytest.mark.parametrize(
    ("name", "steps", "batch", "published"),
    [
        ("airbench94_muon.py", 8 * 25, 2000, 0.29e15),
        ("cifar10_speedrun.py", 243, 1536, 0.27e15),
        ("airbench96_faster.py", 45 * 48, 1024, 3.1e15),
    ],
)
def test_the_published_runs_take_the_published_operations(
    name: str, steps: int, batch: int, published: float, tmp_path: Path
) -> None:
    """Which include the evaluation, about 2 % of the whole."""
    if "CIFARLAB_PEERS" not in os.environ:
        pytest.skip("CIFARLAB_PEERS names no folder with copies of the peers' scripts")
    found = _operations(Path(os.environ["CIFARLAB_PEERS"], name), tmp_path / "folder") * steps * batch
    assert 0.96 * published < found < 1.01 * published


def _operations(path: Path, folder: Path) -> float:
    folder.mkdir()
    script = read_script(path, torch.device("cpu"), None, None)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.backends.cudnn, "benchmark", torch.backends.cudnn.benchmark)  # the scripts set it
        module = load(script, Referee(), folder)
    del sys.modules[module.__name__]
    return script.peer.image_operations(module)
