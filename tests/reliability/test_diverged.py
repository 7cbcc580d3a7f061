"""A value that is not finite ends a run before it reaches the weights."""

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from cifarlab import cli, job, progress, run
from cifarlab import train as loop
from cifarlab.augment import Normalize
from cifarlab.checkpoint import load_state
from cifarlab.errors import Diverged, Stopped, UserError
from cifarlab.guard import FiniteGuard
from cifarlab.job import Job
from cifarlab.losses import CrossEntropy
from cifarlab.optim import Adadelta, Adagrad, Adam, AdamW, Muon, Optimizer, Sgd
from cifarlab.train import train
from support import (
    contents,
    save_always,
    save_never,
    small_recipe,
    stop_at,
    synthetic_source,
)

SOURCE = synthetic_source()
STEPS = 15
BAD_STEP = 8
OPTIMIZERS: dict[str, Optimizer] = {
    "adam": Adam(lr=0.01),
    "sgd": Sgd(lr=0.05),
    "nesterov": Sgd(lr=0.05, nesterov=True),
    "adamw": AdamW(lr=0.01),
    "adagrad": Adagrad(lr=0.01),
    "adadelta": Adadelta(),
    "muon": Muon(),
}


def poison(patch: pytest.MonkeyPatch, place: str, value: float, at: int) -> None:
    """Put ``value`` into the input, loss or gradient of step ``at`` (from 1) of a run."""
    mean, normalize = CrossEntropy.mean, Normalize.apply
    step = [0]

    def poisoned_loss(
        self: CrossEntropy, logits: Tensor, labels: Tensor, weights: Tensor | None = None
    ) -> Tensor:
        step[0] += 1
        loss = mean(self, logits, labels, weights)
        if step[0] != at:
            return loss
        if place == "loss":
            return loss * value
        if place == "gradient":
            logits.register_hook(lambda gradient: gradient * value)
        return loss

    def poisoned_input(self: Normalize, images: Tensor) -> Tensor:
        floats = normalize(self, images)
        if place == "input" and torch.is_grad_enabled() and step[0] == at - 1:
            floats[0, 0, 0, 0] = value
        return floats

    patch.setattr(CrossEntropy, "mean", poisoned_loss)
    patch.setattr(Normalize, "apply", poisoned_input)


class Watch:
    """Copies of parameters and optimizer state, taken after every step that was made."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.jobs: list[Job] = []
        self.after: list[dict[str, Tensor]] = []
        prepare, count = job.prepare, progress.Progress.count

        def noted_prepare(*arguments: Any) -> Job:
            self.jobs.append(prepare(*arguments))
            return self.jobs[-1]

        def noted_count(*arguments: Any) -> None:
            self.after.append(self.now())
            count(*arguments)

        patch.setattr(loop, "prepare", noted_prepare)
        patch.setattr(progress.Progress, "count", noted_count)

    def now(self) -> dict[str, Tensor]:
        now = self.jobs[-1]
        found = {name: value.detach().clone() for name, value in now.network.named_parameters()}
        for place, slots in now.optimizer.state_dict()["state"].items():
            found |= {f"{place}.{name}": value.clone() for name, value in slots.items()}
        return found


def equal(first: dict[str, Tensor], second: dict[str, Tensor]) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize(
    ("place", "value", "optimizer"),
    [
        pytest.param(
            place, value, name, marks=[] if name == "adam" or math.isnan(value) else [pytest.mark.soak]
        )
        for name in OPTIMIZERS
        for value in (math.nan, math.inf, -math.inf)
        for place in ("input", "loss", "gradient")
    ],
)
def test_stopped_before_the_weights_are_hit(
    place: str, value: float, optimizer: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _diverges(tmp_path / "run", OPTIMIZERS[optimizer], place, value, monkeypatch)


@pytest.mark.parametrize("optimizer", ["adam", "sgd", "nesterov", "adamw", "muon"])
@pytest.mark.parametrize("interval", [3, 50])
def test_looking_now_and_then_is_enough(
    interval: int, optimizer: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on an accelerator: the steps after the bad one are made in vain, and change nothing."""
    monkeypatch.setattr(loop, "guard_for", lambda optimizer, device, group: FiniteGuard(optimizer, interval))
    _diverges(tmp_path / "run", OPTIMIZERS[optimizer], "gradient", math.nan, monkeypatch)


def _diverges(
    folder: Path, optimizer: Optimizer, place: str, value: float, patch: pytest.MonkeyPatch
) -> None:
    recipe = small_recipe(optimizer=optimizer)
    watch = Watch(patch)
    poison(patch, place, value, BAD_STEP)
    save_always(patch)
    with pytest.raises(Diverged, match=rf"diverged: in step {BAD_STEP} .* not finite") as error:
        train(recipe, SOURCE, folder)
    assert "\n" not in str(error.value)
    good = watch.after[BAD_STEP - 2]
    assert equal(watch.now(), good)
    assert all(bool(torch.isfinite(tensor).all()) for tensor in good.values())
    result = json.loads((folder / run.RESULT).read_text())
    assert result["status"] == "diverged" and "not finite" in result["reason"]
    state, _ = load_state(folder / run.STATES)
    assert state is not None
    assert all(bool(torch.isfinite(tensor).all()) for tensor in state.tensors.values())
    assert not (folder / run.WEIGHTS).exists()

    before = contents(folder)
    with pytest.raises(UserError, match=rf"diverged \(in step {BAD_STEP} .*; change the recipe") as refusal:
        train(recipe, SOURCE, folder, resume=True)
    assert "\n" not in str(refusal.value)
    assert contents(folder) == before


class NoGuard:
    """What the loop would be without the guard."""

    def before_step(self, loss: Tensor, network: torch.nn.Module, number: int) -> None:
        """Nothing."""

    def look(self) -> None:
        """Nothing."""


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_without_the_guard_the_weights_are_lost(
    optimizer: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Control: it is the guard that keeps the weights."""
    monkeypatch.setattr(loop, "guard_for", lambda optimizer, device, group: NoGuard())
    watch = Watch(monkeypatch)
    poison(monkeypatch, "gradient", math.nan, BAD_STEP)
    save_never(monkeypatch)
    with pytest.raises(Diverged, match="validation loss"):
        train(small_recipe(optimizer=OPTIMIZERS[optimizer]), SOURCE, tmp_path / "run")
    assert any(bool(torch.isnan(tensor).any()) for tensor in watch.now().values())


def test_the_bad_step_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    poison(monkeypatch, "loss", math.nan, BAD_STEP)
    with pytest.raises(Diverged, match=f"in step {BAD_STEP} the loss"):
        train(small_recipe(), SOURCE, tmp_path / "run")


def test_a_bad_validation_loss_ends_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        loop,
        "logits_in_mode",
        lambda mode, network, data, *rest, **options: torch.full((len(data), 3), math.nan),
    )
    with pytest.raises(Diverged, match="the validation loss is not finite"):
        train(small_recipe(), SOURCE, tmp_path / "run")
    assert json.loads((tmp_path / "run" / run.RESULT).read_text())["status"] == "diverged"


def test_a_bad_test_loss_ends_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fine on the validation images, infinite on the test images, which are first seen at the end."""
    from cifarlab import finish

    monkeypatch.setattr(
        finish,
        "logits_in_mode",
        lambda mode, network, data, *rest, **options: torch.full((len(data), 3), math.nan),
    )
    with pytest.raises(Diverged, match="the logits of the test images are not finite"):
        train(small_recipe(epochs=1), SOURCE, tmp_path / "run")
    assert json.loads((tmp_path / "run" / run.RESULT).read_text())["status"] == "diverged"


def test_stopped_between_the_bad_step_and_the_next_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C on an accelerator: the run has diverged, though nobody had looked yet."""
    monkeypatch.setattr(loop, "guard_for", lambda optimizer, device, group: FiniteGuard(optimizer, 50))
    poison(monkeypatch, "loss", math.nan, 2)
    stop_at(monkeypatch, 4)
    with pytest.raises(Diverged, match="run diverged: in step 2 the loss"):
        train(small_recipe(), SOURCE, tmp_path / "run")
    assert json.loads((tmp_path / "run" / run.RESULT).read_text())["status"] == "diverged"


def test_a_stop_without_a_bad_step_is_only_a_stop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "guard_for", lambda optimizer, device, group: FiniteGuard(optimizer, 50))
    stop_at(monkeypatch, 4)
    with pytest.raises(Stopped):
        train(small_recipe(), SOURCE, tmp_path / "run")


@pytest.mark.parametrize("again", [[], ["--resume"]])
def test_the_command_line(
    again: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    poison(monkeypatch, "loss", math.nan, 2)
    arguments = ["train", "demo", "--data=digits", f"--out={tmp_path / 'run'}", "--device=cpu"]
    assert cli.main(arguments) == 1
    complaint = capsys.readouterr().err
    assert complaint.count("\n") == 1 and "diverged: in step 2 the loss or a gradient" in complaint
    assert cli.main([*arguments, *again]) == 2
    complaint = capsys.readouterr().err
    assert complaint.count("\n") == 1
    assert ("change the recipe" if again else "exists already") in complaint
