"""What a peer's script cannot run on is refused in one line."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from cifarlab.errors import UserError
from cifarlab.race.peers.contestant import DATA
from race.peer_contestants import contestant
from race.peer_samples import MUON


def _spoiled(**changes: Callable[[torch.Tensor], torch.Tensor]) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        path = folder / DATA / "train.pt"
        split = torch.load(path, weights_only=True)
        torch.save({**split, **{name: change(split[name]) for name, change in changes.items()}}, path)

    return spoil


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (_spoiled(images=lambda x: x[:, :28, :28]), r"32 × 32 pixels, found \[28, 28, 3\]"),
        (_spoiled(images=lambda x: x.float()), "color images"),
        (_spoiled(labels=lambda x: x + 1), "10 classes"),
        (
            _spoiled(labels=lambda x: x[:5], images=lambda x: x[:5]),
            "trains on 10 images a step, and .* 5 in all",
        ),
        (_spoiled(labels=lambda x: x[:0], images=lambda x: x[:0]), "at least one image"),
    ],
)
def test_data_that_a_script_cannot_take_are_refused(
    spoil: Callable[[Path], None], message: str, folder: Path
) -> None:
    spoil(folder)
    with pytest.raises(UserError, match=message):
        contestant("airbench94_muon.py", folder)


def test_a_script_that_needs_another_package_is_refused_in_one_line(folder: Path) -> None:
    with pytest.raises(UserError, match=r"airbench94_muon.py could not be loaded: No module named 'no_such'"):
        contestant(
            "airbench94_muon.py", folder, text=MUON.replace("import sys\n", "import sys\nimport no_such\n")
        )
