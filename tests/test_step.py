"""Steps that are recorded and replayed, beside the same steps as Python comes to them: the same bits.

They are recorded on a tape, which keeps every number of Python as a CUDA graph does; see ``tape``.
"""

import json
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from cifarlab import captured, job, run, step
from cifarlab import train as loop
from cifarlab.augment import CutMix, HorizontalFlip, Mixup, RandomCrop
from cifarlab.averaging import MovingAverage
from cifarlab.captured import WARM_UP_STEPS, Recorder, Work, cuda_graphs
from cifarlab.data.holdout import NoHoldout
from cifarlab.distributed import Group
from cifarlab.errors import Diverged, Stopped, UserError
from cifarlab.freezing import LateFreezing
from cifarlab.guard import FiniteGuard
from cifarlab.job import Job
from cifarlab.losses import CrossEntropy
from cifarlab.models import FastCnn, ResNet, ShakeShake
from cifarlab.optim import Adadelta, Adagrad, Adam, AdamW, Muon, Optimizer, Sgd
from cifarlab.penalties import L2Penalty
from cifarlab.preconditions import check_capture
from cifarlab.progress import Progress, Stopwatch
from cifarlab.recipe import Judging, Recipe
from cifarlab.resolution import GrowingResolution
from cifarlab.schedules import Linear, Piecewise
from cifarlab.step import Taken, update
from support import metrics_of, small_recipe, stop_at, synthetic_source, without_timing
from tape import STREAMS_GIVEN_BACK, play_cuda

SOURCE = synthetic_source(train=28, test=6, size=16)
JUDGING = Judging(NoHoldout(), select_by="last")
MOVED = (RandomCrop(padding=1), HorizontalFlip())

RECIPES: dict[str, Recipe] = {
    "fast-cnn, muon": small_recipe(
        model=FastCnn((4, 4, 8)),
        augment=MOVED,
        optimizer=Muon(weight_decay=0.1),
        schedule=Linear(warmup=0.2),
        loss=CrossEntropy(label_smoothing=0.2),
        average=MovingAverage(decay=0.9, every=2),
        resolution=GrowingResolution((12,), (0.4,)),
        freezing=LateFreezing((0.2, 0.8)),
        judging=JUDGING,
    ),
    "resnet, sgd": small_recipe(
        model=ResNet(blocks=(1, 1), channels=(4, 8)),
        mix=Mixup(),
        optimizer=Sgd(lr=0.2, nesterov=True, weight_decay=0.01, decayed="weights"),
        schedule=Piecewise((1,), (0.5,)),
        clip_norm=0.5,
        penalty=L2Penalty(),
        judging=JUDGING,
    ),
    "dropout, adam": small_recipe(augment=MOVED, optimizer=Adam(), schedule=Linear(), judging=JUDGING),
    "shake-shake, adamw": small_recipe(
        model=ShakeShake(width=4, depth=8), mix=CutMix(), optimizer=AdamW(), judging=JUDGING, epochs=2
    ),
}


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> list[Work]:
    """Steps are recorded as on CUDA, but on tapes; as many as there are in the list."""
    made: list[Work] = []

    def recorder_for(device: torch.device, optimizer: torch.optim.Optimizer) -> Recorder:
        record = cuda_graphs(device, optimizer)

        def counted(work: Work) -> Work:
            made.append(record(work))
            return made[-1]

        return counted

    play_cuda(monkeypatch)
    monkeypatch.setattr(captured, "recorder_for", recorder_for)
    return made


def trained(recipe: Recipe, folder: Path, **options: Any) -> dict[str, Any]:
    """What two equal runs have in common, whether their steps are recorded or not."""
    loop.train(recipe, SOURCE, folder, **options)
    return {
        "weights": (folder / run.WEIGHTS).read_bytes(),
        "logits": (folder / run.TEST_LOGITS).read_bytes(),
        "metrics": [without_timing(line) for line in metrics_of(folder)],
    }


@pytest.mark.parametrize("name", RECIPES)
def test_recorded_steps_give_the_bits_of_eager_ones(name: str, recorded: list[Work], tmp_path: Path) -> None:
    recipe = RECIPES[name]
    assert SOURCE.description.train_images % recipe.batch_size, "the last batch is a smaller one"
    eager = trained(recipe, tmp_path / "eager")
    assert not recorded
    assert trained(replace(recipe, capture=True), tmp_path / "recorded") == eager
    # Whole and last batches; 12 pixels with 0 and 1 parts frozen, 16 with 1 (both) and 2 (the very last).
    assert len(recorded) == (6 if recipe.freezing else 2)


def test_elsewhere_than_on_cuda_python_repeats_the_step(tmp_path: Path) -> None:
    recipe = RECIPES["fast-cnn, muon"]
    found = trained(replace(recipe, capture=True), tmp_path / "again")
    assert found == trained(recipe, tmp_path / "eager")


def test_a_run_that_is_stopped_within_an_epoch_goes_on_recorded(
    recorded: list[Work], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = RECIPES["dropout, adam"]
    whole = trained(recipe, tmp_path / "whole")
    with monkeypatch.context() as patch:
        stop_at(patch, 5)
        with pytest.raises(Stopped, match="1 epochs and 1 steps"):
            trained(replace(recipe, capture=True), tmp_path / "parts")
    assert trained(replace(recipe, capture=True), tmp_path / "parts", resume=True) == whole
    assert len(recorded) == 4


@pytest.mark.parametrize("optimizer", [Muon(), Sgd(), AdamW()], ids=["muon", "sgd", "adamw"])
def test_a_bad_step_is_found_and_touches_nothing(
    optimizer: Optimizer, recorded: list[Work], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rate explodes in the second epoch; recorded steps go on in vain until somebody looks."""
    schedule = Piecewise((1,), (1e38,))
    recipe = replace(RECIPES["dropout, adam"], optimizer=optimizer, schedule=schedule)
    jobs: list[Job] = []

    def noted(*arguments: Any) -> Job:
        jobs.append(job.prepare(*arguments))
        return jobs[-1]

    monkeypatch.setattr(loop, "prepare", noted)
    with pytest.raises(Diverged) as eager:
        loop.train(recipe, SOURCE, tmp_path / "eager")
    monkeypatch.setattr(loop, "guard_for", lambda optimizer, device, group: FiniteGuard(optimizer, 50))
    with pytest.raises(Diverged) as late:
        loop.train(replace(recipe, capture=True), SOURCE, tmp_path / "recorded")
    assert str(late.value).partition("diverged: ")[2] == str(eager.value).partition("diverged: ")[2]
    first, second = (_learned(each) for each in jobs)
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert recorded


@pytest.mark.parametrize(("interval", "in_vain"), [(1, 0), (4, 3), (50, 6)])
def test_a_bad_step_ends_the_run_within_the_interval(
    interval: int, in_vain: int, recorded: list[Work], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The fifth step of a run is bad, and it ends at the next look: now and then, or when the epoch does."""
    recipe = replace(RECIPES["dropout, adam"], optimizer=Sgd(), batch_size=3, capture=True)
    monkeypatch.setattr(loop, "guard_for", lambda optimizer, device, group: FiniteGuard(optimizer, interval))
    rates = loop.learning_rate
    monkeypatch.setattr(loop, "learning_rate", lambda recipe, at: 1e38 if at.step == 3 else rates(recipe, at))
    counted = [0]

    def count(*arguments: Tensor | Progress) -> None:
        counted[0] += 1

    monkeypatch.setattr(Progress, "count", count)
    with pytest.raises(Diverged, match="in step 5 "):
        loop.train(recipe, SOURCE, tmp_path / "run")
    assert recorded
    assert counted[0] == 4 + in_vain


def _learned(run_of: Job) -> dict[str, Tensor]:
    """Parameters and the optimizer's state."""
    found = {name: value.detach() for name, value in run_of.network.named_parameters()}
    for place, slots in run_of.optimizer.state_dict()["state"].items():
        found |= {f"{place}.{name}": value for name, value in slots.items()}
    return found


def test_recording_is_timed_apart(tmp_path: Path) -> None:
    recipe = replace(RECIPES["dropout, adam"], epochs=1)
    results = []
    for capture in (False, True):
        folder = tmp_path / str(capture)
        loop.train(replace(recipe, capture=capture), SOURCE, folder)
        results.append(json.loads((folder / run.RESULT).read_text()))
    assert results[0]["preparation_seconds"] == 0
    assert results[1]["preparation_seconds"] > 0


@pytest.mark.parametrize(("module", "way"), [(captured, "capture"), (step, "compile")])
def test_preparation_is_timed_from_and_to_moments_when_the_device_is_done(
    module: ModuleType, way: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A device here that does work only when it is waited for, one second each time."""
    clock, asked = [0.0], [5]

    def wait(device: torch.device) -> None:
        assert device.type == "cpu"
        clock[0] += asked[0]
        asked[0] = 0

    def ask(*arguments: Any) -> Taken:
        asked[0] += 1
        return update(*arguments)

    class Watch(Stopwatch):
        def __init__(self) -> None:
            self._last = clock[0]

        def lap(self) -> float:
            return clock[0] - self._last

    monkeypatch.setattr(torch, "compile", lambda network, dynamic: network)
    monkeypatch.setattr(module, "wait_for", wait)
    monkeypatch.setattr(module, "Stopwatch", Watch)
    monkeypatch.setattr(module, "update", ask)
    recipe = replace(RECIPES["dropout, adam"], capture=way == "capture", compile=way == "compile")
    loop.train(recipe, SOURCE, tmp_path / "run")
    result = json.loads((tmp_path / "run" / run.RESULT).read_text())
    # Two kinds of steps; a recorded one is warmed up. What was asked for before is not counted.
    assert result["preparation_seconds"] == 2 * (WARM_UP_STEPS if way == "capture" else 1)


@pytest.mark.parametrize("optimizer", [Adadelta(), Muon()], ids=lambda each: type(each).__name__)
def test_compiling_is_timed_apart_and_leaves_no_trace(
    optimizer: Optimizer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a compiler that changes nothing; what is tried before the first step then shows alone."""
    asked: list[nn.Module] = []

    def compiled(network: nn.Module, dynamic: bool) -> nn.Module:
        assert not dynamic
        asked.append(network)
        return network

    recipe = replace(RECIPES["fast-cnn, muon"], optimizer=optimizer, epochs=2)
    plain = trained(recipe, tmp_path / "plain")
    monkeypatch.setattr(torch, "compile", compiled)
    assert trained(replace(recipe, compile=True), tmp_path / "compiled") == plain
    assert len(asked) == 1
    assert json.loads((tmp_path / "compiled" / run.RESULT).read_text())["preparation_seconds"] > 0


def test_what_cannot_be_recorded_is_refused_in_one_line(tmp_path: Path) -> None:
    recipe = replace(RECIPES["dropout, adam"], capture=True)
    with pytest.raises(UserError, match=r"one process only; leave it out$"):
        check_capture(recipe, Group(rank=0, size=2))
    for optimizer in (Adagrad(), Adadelta()):
        with pytest.raises(UserError, match=rf"^capture: {type(optimizer).__name__}'s step .* leave it out$"):
            loop.train(replace(recipe, optimizer=optimizer), SOURCE, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_recording_that_fails_gives_the_stream_back(monkeypatch: pytest.MonkeyPatch) -> None:
    play_cuda(monkeypatch)
    given_back = len(STREAMS_GIVEN_BACK)
    record = cuda_graphs(torch.device("cpu"), torch.optim.SGD([nn.Parameter(torch.zeros(1))]))

    def fails(error: RuntimeError) -> Taken:
        raise error

    with pytest.raises(UserError, match=r"\(it waits\); leave it out, in another --out$"):
        record(partial(fails, RuntimeError("it waits")))
    with pytest.raises(torch.OutOfMemoryError):
        record(partial(fails, torch.OutOfMemoryError("too large")))
    assert len(STREAMS_GIVEN_BACK) == given_back + 2


# What the tests above rest on: a tape that remembers too little, or too much, would show nothing.


def test_a_rate_that_is_a_number_would_stay_the_first_one(
    recorded: list[Work], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = RECIPES["dropout, adam"]
    eager = trained(recipe, tmp_path / "eager")
    monkeypatch.setattr(captured, "keep_rates_on", lambda device, optimizer: None)
    assert trained(replace(recipe, capture=True), tmp_path / "recorded")["weights"] != eager["weights"]
