"""Compiled networks: one variant for each kind of step, once in a process. Nothing is generated here.

torch's ``eager`` backend traces, guards and recompiles as the real ones do, and needs no compiler.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch._dynamo.utils import counters

from cifarlab import job as jobs
from cifarlab.freezing import LateFreezing
from cifarlab.models import FastCnn
from cifarlab.optim import Muon
from cifarlab.resolution import GrowingResolution
from cifarlab.train import train
from support import small_recipe, synthetic_source

SOURCE = synthetic_source(train=28, test=6, size=16)
RECIPE = small_recipe(
    model=FastCnn((4, 4, 8)),
    optimizer=Muon(),
    resolution=GrowingResolution((10, 12, 14), (0.25, 0.5, 0.75)),
    freezing=LateFreezing((0.4, 0.6)),
    epochs=12,
    batch_size=10,
    compile=True,
)


@pytest.fixture(autouse=True)
def _traced_only(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    compiler = torch.compile

    def traced(network: nn.Module, dynamic: bool) -> Any:
        return compiler(network, dynamic=dynamic, backend="eager")

    monkeypatch.setattr(torch, "compile", traced)
    torch.compiler.reset()
    limit = torch.compiler.config.recompile_limit
    yield
    torch.compiler.config.recompile_limit = limit
    torch.compiler.reset()


def variants() -> int:
    return int(counters["stats"]["unique_graphs"])


def test_every_kind_of_step_is_compiled_and_in_the_first_run_alone(tmp_path: Path) -> None:
    """Six kinds of images and frozen parts, each with whole batches and a smaller last one."""
    before = variants()
    for seed in (0, 1):
        train(RECIPE, SOURCE, tmp_path / str(seed), seed=seed, device="cpu")
        assert variants() - before == 12, f"after the run with seed {seed}"


@pytest.mark.soak
def test_torch_s_own_limit_would_be_too_low(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Control."""
    monkeypatch.setattr(jobs, "MOST_VARIANTS", 1)
    before = variants()
    with torch.compiler.config.patch(recompile_limit=8):  # type: ignore[attr-defined]
        train(RECIPE, SOURCE, tmp_path / "run", device="cpu")
    assert variants() - before == 8
