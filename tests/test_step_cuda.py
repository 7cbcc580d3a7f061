"""Recorded steps on a GPU, beside eager ones: within rounding, since kernels there may add up in any order.

What needs no GPU is shown to the bit in ``test_step``.
"""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from cifarlab import run
from cifarlab.augment import HorizontalFlip, Mixup, RandomCrop
from cifarlab.averaging import MovingAverage
from cifarlab.captured import CapturedStep, cuda_graphs, steps_for
from cifarlab.data.holdout import NoHoldout
from cifarlab.errors import Diverged
from cifarlab.feed import feed_of_epoch
from cifarlab.freezing import LateFreezing
from cifarlab.guard import guard_for
from cifarlab.job import Job, prepare
from cifarlab.losses import CrossEntropy
from cifarlab.models import FastCnn, PlainCnn, ResNet
from cifarlab.optim import Adam, AdamW, Muon, Sgd, set_rate
from cifarlab.optim.muon import orthogonal_moves
from cifarlab.progress import start
from cifarlab.recipe import Judging, Recipe
from cifarlab.resolution import GrowingResolution
from cifarlab.run import RunDescription
from cifarlab.runtime import Precision, reseed
from cifarlab.schedules import Linear, Piecewise
from cifarlab.step import EagerStep
from cifarlab.train import train
from support import small_recipe, synthetic_source

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")

DEVICE = torch.device("cuda")
SOURCE = synthetic_source(train=28, test=6, size=16)
JUDGING = Judging(NoHoldout(), select_by="last")
DROPOUT = PlainCnn(widths=(8, 8, 16), batch_norm=True, dropout=(0.2, 0.3, 0.4))

RECIPES: dict[str, Recipe] = {
    "fast-cnn, muon": small_recipe(
        model=FastCnn((8, 8, 16)),
        augment=(RandomCrop(padding=1), HorizontalFlip()),
        optimizer=Muon(weight_decay=0.1),
        schedule=Linear(warmup=0.2),
        loss=CrossEntropy(label_smoothing=0.2),
        average=MovingAverage(decay=0.9, every=2),
        resolution=GrowingResolution((12,), (0.4,)),
        freezing=LateFreezing((0.2, 0.8)),
        judging=JUDGING,
    ),
    "resnet, sgd": small_recipe(
        model=ResNet(blocks=(1, 1), channels=(8, 16)),
        mix=Mixup(),
        optimizer=Sgd(lr=0.02, nesterov=True, weight_decay=0.01, decayed="weights"),
        schedule=Piecewise((1,), (0.5,)),
        clip_norm=0.5,
        judging=JUDGING,
    ),
    "dropout, adam": small_recipe(model=DROPOUT, optimizer=Adam(), schedule=Linear(), judging=JUDGING),
    "dropout, adamw": small_recipe(model=DROPOUT, optimizer=AdamW(), judging=JUDGING),
}


@pytest.fixture(autouse=True)
def repeatable() -> Iterator[None]:
    """cuDNN without algorithms that differ from call to call, and no TF32."""
    backend = torch.backends.cudnn
    before = backend.deterministic, backend.allow_tf32
    backend.deterministic, backend.allow_tf32 = True, False
    yield
    backend.deterministic, backend.allow_tf32 = before


def job_of(recipe: Recipe) -> Job:
    description = RunDescription("test", recipe, SOURCE.description, seed=3, protocols="C")
    return prepare(description, recipe.judging, SOURCE, None, DEVICE)


def weights_of(network: nn.Module) -> dict[str, Tensor]:
    return {name: value.detach().float().cpu() for name, value in network.state_dict().items()}


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("name", RECIPES)
def test_recorded_steps_do_what_eager_ones_do(name: str, precision: Precision, tmp_path: Path) -> None:
    weights = []
    for capture in (False, True):
        recipe = replace(RECIPES[name], precision=precision, capture=capture)
        folder = tmp_path / str(capture)
        result = train(recipe, SOURCE, folder, device="cuda")
        assert (result["preparation_seconds"] > 0) == capture
        weights.append(load_file(folder / run.WEIGHTS))
    assert weights[0].keys() == weights[1].keys()
    tolerance = 1e-4 if precision == "fp32" else 3e-2
    for part, value in weights[0].items():
        torch.testing.assert_close(weights[1][part], value, rtol=tolerance, atol=tolerance, msg=part)


@pytest.mark.parametrize("name", ["resnet, sgd", "dropout, adam", "fast-cnn, muon"])
def test_recording_leaves_the_run_as_it_was(name: str) -> None:
    job = job_of(replace(RECIPES[name], capture=True))
    before = weights_of(job.network)
    steps = steps_for(job, guard_for(job.optimizer, DEVICE))
    assert isinstance(steps, CapturedStep)
    steps.prepare(start(DEVICE))
    after = weights_of(job.network)
    assert all(torch.equal(after[part], value) for part, value in before.items())
    slots = [value for values in job.optimizer.state.values() for value in values.values()]
    assert slots
    assert not any(bool(value.any()) for value in slots)


def moves(job: Job, steps: CapturedStep | EagerStep, rate: float, seed: int) -> dict[str, Tensor]:
    """What one and the same step of a run changes, at a rate, with a seed of dropout."""
    before = weights_of(job.network)
    job.switch_to_training()
    feed = feed_of_epoch(job.description.recipe, job.training, 3, 3, 0)
    reseed(seed)
    set_rate(job.optimizer, rate)
    steps.take(feed, 0, 1)
    after = weights_of(job.network)
    with torch.no_grad():
        for name, value in job.network.state_dict().items():
            value.copy_(before[name])
    return {name: after[name] - before[name] for name, _ in job.network.named_parameters()}


def prepared(recipe: Recipe) -> tuple[Job, CapturedStep]:
    job = job_of(replace(recipe, capture=True, precision="fp32"))
    steps = CapturedStep(job, guard_for(job.optimizer, DEVICE), cuda_graphs(DEVICE, job.optimizer))
    steps.prepare(start(DEVICE))
    return job, steps


def test_a_replay_follows_the_rate() -> None:
    plain = Sgd(lr=0.1, momentum=0.0)
    job, steps = prepared(small_recipe(model=DROPOUT, optimizer=plain, judging=JUDGING))
    one, two, none = (moves(job, steps, rate, seed=1) for rate in (0.25, 0.5, 0.0))
    assert any(bool(value.any()) for value in one.values())
    for name in one:
        torch.testing.assert_close(two[name], 2 * one[name], rtol=1e-3, atol=1e-6)
        assert not none[name].any()


def test_a_replay_s_dropout_follows_the_seed() -> None:
    recipe = small_recipe(model=DROPOUT, optimizer=Sgd(lr=0.1, momentum=0.0), judging=JUDGING)
    job, steps = prepared(recipe)
    first, again, other = (moves(job, steps, 0.5, seed) for seed in (1, 1, 2))
    name = "classifier.weight"
    torch.testing.assert_close(again[name], first[name], rtol=1e-4, atol=1e-6)
    assert not torch.allclose(other[name], first[name], rtol=1e-2, atol=1e-5)
    # And what the seed means is what it means to an eager step.
    eager_job = job_of(replace(recipe, precision="fp32"))
    eager = moves(eager_job, EagerStep(eager_job, guard_for(eager_job.optimizer, DEVICE)), 0.5, 1)
    torch.testing.assert_close(first[name], eager[name], rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("optimizer", [Muon(), Sgd(), AdamW()], ids=["muon", "sgd", "adamw"])
def test_a_bad_step_is_found_and_touches_nothing(optimizer: Muon | Sgd | AdamW, tmp_path: Path) -> None:
    schedule = Piecewise((1,), (1e38,))
    recipe = replace(RECIPES["dropout, adam"], optimizer=optimizer, schedule=schedule, capture=True)
    with pytest.raises(Diverged, match=r"in step \d+ the loss or a gradient is not finite"):
        train(recipe, SOURCE, tmp_path / "run", device="cuda")
    assert json.loads((tmp_path / "run" / run.RESULT).read_text())["status"] == "diverged"


def test_the_compiled_network_can_be_recorded(tmp_path: Path) -> None:
    recipe = replace(RECIPES["fast-cnn, muon"], capture=True, compile=True)
    result = train(recipe, SOURCE, tmp_path / "run", device="cuda")
    eager = train(replace(recipe, capture=False, compile=False), SOURCE, tmp_path / "eager", device="cuda")
    assert result["test_loss"] == pytest.approx(eager["test_loss"], rel=0.05)


def test_orthogonal_moves_are_the_cpu_s() -> None:
    """In bf16 there, in batches padded with zeros, in fewer kernels."""
    randomness = torch.Generator().manual_seed(0)
    shapes = [(16, 3, 3, 3), (16, 16, 3, 3), (64, 16, 3, 3), (64, 16), (16, 16, 3, 3)]
    moves = [torch.randn(shape, generator=randomness) for shape in shapes]
    expected = orthogonal_moves(moves, 5)
    found = orthogonal_moves([move.to(DEVICE) for move in moves], 5)
    for one, other in zip(found, expected, strict=True):
        assert one.shape == other.shape
        alike = nn.functional.cosine_similarity(one.cpu().flatten(), other.flatten(), dim=0)
        assert alike > 0.99
