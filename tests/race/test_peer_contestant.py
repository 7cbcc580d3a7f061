"""Runs of scripts of the peers' shape, under a clock that the test owns."""

import contextlib
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from cifarlab.race.peers.contestant import DATA
from cifarlab.race.peers.peer import PeerPrecision
from cifarlab.race.peers.referee import CpuEvent, Referee
from race.peer_contestants import contestant
from race.peer_samples import SAMPLES, TEST, TRAINING

CUDA = torch.device("cuda")
STEP, VIEWS = 10.0, 1.0
IN_PLACE = (
    "to ['cuda']",
    "to {'memory_format': torch.channels_last}",
    "compile in place {'mode': 'max-autotune'}",
)
"""How two of the scripts bring their network to the GPU."""


class Clock:
    """Stands still but for sleep."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds

    def now(self) -> float:
        return self.seconds


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(time, "sleep", clock.sleep)
    monkeypatch.setattr(time, "perf_counter", clock.now)
    return clock


@contextlib.contextmanager
def same_randomness() -> Iterator[None]:
    with torch.random.fork_rng(devices=[]):
        yield


@pytest.mark.parametrize(
    ("name", "steps", "seconds"),
    [
        ("airbench94_muon.py", 8, 8 * STEP + VIEWS),
        ("cifar10_speedrun.py", 8, 8 * STEP + VIEWS),
        ("airbench96_faster.py", 8, 16 * STEP + VIEWS),  # the proxy's steps count as well
    ],
)
def test_a_run_takes_its_steps_and_its_last_evaluation(
    name: str, steps: int, seconds: float, folder: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Any other evaluation would take 1,000 s, and reading a file 5,000."""
    read: list[Any] = []
    load = torch.load

    def slow(path: str, map_location: Any, weights_only: bool = True) -> Any:
        read.append((path, str(map_location)))
        clock.sleep(5000)
        return load(path, map_location=map_location, weights_only=weights_only)

    monkeypatch.setattr(torch, "load", slow)
    runs = contestant(name, folder)
    with same_randomness():
        outcomes = [runs.run(seed) for seed in (5, 5, 6)]
    assert [outcome.seed for outcome in outcomes] == [5, 5, 6]
    for outcome in outcomes:
        assert outcome.seconds == seconds
        assert outcome.details["precision"] == "fp32" and outcome.details["training_flops"] > 0
        assert outcome.details["own_clock_seconds"] == pytest.approx(seconds)
        assert (outcome.details["steps"], outcome.details["epochs"]) == (steps, 2)
        assert any("epochs: 2 instead of" in change for change in outcome.details["changes"])
        correct = outcome.accuracy * TEST
        assert correct == round(correct)
        assert 0 <= outcome.details["accuracy_without_views"] <= 1
    assert outcomes[0] == outcomes[1]
    assert sorted(read) == [(f"{DATA}/test.pt", "cpu"), (f"{DATA}/train.pt", "cpu")]


def test_a_run_learns_and_every_seed_is_another(folder: Path) -> None:
    runs = contestant("airbench94_muon.py", folder, epochs=8)
    losses = []
    with same_randomness():
        for seed in (1, 1, 2):
            assert runs.run(seed).accuracy > 0.3
            losses.append(torch.rand(1).item())  # where the run has left the random numbers
    assert losses[0] == losses[1]
    with same_randomness():
        weights = []
        module = sys.modules["cifarlab_peer_airbench94_muon"]
        taken = Referee.take

        def remember(self: Referee) -> dict[str, Any]:
            figures = taken(self)
            weights.append(figures["model"].head.weight.clone())
            return figures

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Referee, "take", remember)
            for seed in (1, 1, 2):
                runs.run(seed)
    assert torch.equal(weights[0], weights[1]) and not torch.equal(weights[0], weights[2])
    assert weights[0].dtype is torch.float32
    assert module.__name__ != "__main__"


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("name", SAMPLES)
def test_on_a_cpu_networks_compute_in_the_precision_asked_for(
    name: str, precision: PeerPrecision, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In training and evaluation alike; weights and logits are fp32 either way, and so is what is outside."""
    runs = contestant(name, folder, precision=precision)
    inside: set[tuple[str, bool]] = set()
    outside: set[tuple[str, bool]] = set()
    forward, loss, taken = nn.Linear.forward, F.cross_entropy, Referee.take

    def layer(self: nn.Linear, inputs: torch.Tensor) -> torch.Tensor:
        assert self.weight.dtype is torch.float32
        outputs = forward(self, inputs)
        inside.add((str(outputs.dtype), self.training))
        return outputs

    def judged(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        outside.add((str(logits.dtype), torch.is_autocast_enabled("cpu")))
        return loss(logits, labels)

    def tried(self: Referee) -> dict[str, Any]:
        figures = taken(self)
        assert {str(each.dtype) for each in figures["model"].parameters()} == {"torch.float32"}
        logits = figures["model"](torch.zeros(1, 3, 32, 32))
        assert logits.dtype is torch.float32
        return figures

    monkeypatch.setattr(nn.Linear, "forward", layer)
    monkeypatch.setattr(F, "cross_entropy", judged)
    monkeypatch.setattr(Referee, "take", tried)
    with same_randomness():
        outcome = runs.run(1)
    dtype = {"fp32": "torch.float32", "bf16": "torch.bfloat16"}[precision]
    assert inside == {(dtype, True), (dtype, False)}
    assert outside == {("torch.float32", False)}
    assert outcome.details["precision"] == precision


def test_a_warm_up_sees_random_labels_and_leaves_no_trace(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fresh, warm = (contestant("airbench94_muon.py", folder) for _ in range(2))
    with same_randomness():
        expected = fresh.run(3)
        capsys.readouterr()
        assert warm.warm_up() > 0
        printed = capsys.readouterr().out
        found = warm.run(3)
    assert printed.startswith("labels warmup [")
    assert printed.splitlines()[0] != f"labels warmup {[label % 10 for label in range(TRAINING)]}"
    assert f"labels 3 {[label % 10 for label in range(TRAINING)]}" in capsys.readouterr().out
    assert found.accuracy == expected.accuracy and found.details == {
        **expected.details,
        "own_clock_seconds": found.details["own_clock_seconds"],
    }


def test_airbench96_warms_up_with_one_epoch(folder: Path) -> None:
    """It has no warm-up of its own; a whole run would take 45 epochs."""
    runs = contestant("airbench96_faster.py", folder, epochs=None)
    with same_randomness():
        assert runs.warm_up() == 8 * STEP + VIEWS


class Gpu:
    """A GPU of this test: what is asked of it is remembered, and done on the CPU."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.said: list[str] = []
        load, move, empty = torch.load, nn.Module.to, torch.empty

        def compiled(target: Any = None, **options: Any) -> Any:
            self.said.append(f"compile {options.get('mode')}")
            if target is None:
                return lambda function: function
            if isinstance(target, nn.Module):
                target._orig_mod = [target[0]]  # type: ignore[index, assignment]
            return target

        def moved(network: nn.Module, *place: Any, **form: Any) -> nn.Module:
            self.said.append(f"to {[str(each) for each in place] or form}")
            return network if place else move(network, **form)

        def loaded(path: str, map_location: Any, weights_only: bool = True) -> Any:
            self.said.append(f"load to {map_location}")
            return load(path, map_location="cpu", weights_only=True)

        def in_place(network: nn.Module, **options: Any) -> None:
            self.said.append(f"compile in place {options}")

        def same(value: Any) -> Any:
            return value

        def on_cpu(*size: Any, **options: Any) -> torch.Tensor:
            return empty(*size, **{**options, **({"device": "cpu"} if "device" in options else {})})

        monkeypatch.setattr(torch, "load", loaded)
        monkeypatch.setattr(torch, "compile", compiled)
        monkeypatch.setattr(torch, "empty", on_cpu)
        monkeypatch.setattr(torch.Tensor, "cuda", same)
        monkeypatch.setattr(nn.Module, "cuda", same)
        monkeypatch.setattr(nn.Module, "to", moved)
        monkeypatch.setattr(nn.Module, "compile", in_place)
        monkeypatch.setattr(torch.cuda, "Event", lambda enable_timing: CpuEvent())
        monkeypatch.setattr(torch.cuda, "synchronize", lambda device=None: self.said.append(f"wait {device}"))

    def drain(self) -> list[str]:
        said, self.said = self.said, []
        return said


@pytest.mark.parametrize(
    ("name", "networks", "seconds"),
    [
        ("airbench94_muon.py", IN_PLACE, 8 * STEP + VIEWS),
        ("cifar10_speedrun.py", IN_PLACE, 8 * STEP + VIEWS),
        ("airbench96_faster.py", 3 * ("compile max-autotune",), 16 * STEP + VIEWS),
    ],
)
def test_on_cuda_a_script_keeps_its_precision_and_compiles_as_it_does(
    name: str, networks: tuple[str, ...], seconds: float, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gpu = Gpu(monkeypatch)
    runs = contestant(name, folder, CUDA)
    said = [each for each in gpu.drain() if each != "compile None"]  # its decorators
    assert said == ["load to cuda", "load to cuda", *networks]
    weights: list[torch.dtype] = []
    taken = Referee.take

    def remember(self: Referee) -> dict[str, Any]:
        figures = taken(self)
        weights.extend(value.dtype for value in figures["model"].parameters())
        return figures

    monkeypatch.setattr(Referee, "take", remember)
    at_work: list[torch.device] = []
    monkeypatch.setattr("cifarlab.race.peers.contestant.put_to_work", at_work.append)
    with same_randomness():
        runs.warm_up()
        gpu.drain()
        outcome = runs.run(1)
    waits = gpu.drain()
    assert at_work == [CUDA]
    # Our clock waits for the device at its start and its end, around the script's own waiting.
    assert waits[0] == waits[-1] == "wait cuda" and waits.count("wait cuda") == 2
    assert {each for each in waits[1:-1] if "compile" not in each} == {"wait None"}
    assert set(weights) == {torch.float16}
    assert outcome.seconds == seconds and outcome.details["precision"] == "fp16"
