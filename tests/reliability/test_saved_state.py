"""Leaving out any part of the saved state shows in the bits of the end."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from cifarlab import progress, resumption, run
from cifarlab.averaging import MovingAverage
from cifarlab.checkpoint import State
from cifarlab.errors import Stopped
from cifarlab.optim import Adam, Optimizer, Sgd
from cifarlab.recipe import Recipe
from cifarlab.train import train
from support import outcome, small_recipe, stop_at, synthetic_source

SOURCE = synthetic_source(noise=120.0)
STOPPED_AT = 8 + 8 + 3  # two questions after the beginning of the third epoch
SEED = 4

Forget = Callable[[State], State]


def _recipe(optimizer: Optimizer) -> Recipe:
    return small_recipe(optimizer=optimizer, average=MovingAverage(decay=0.5), epochs=4)


def _without_tensors(prefix: str) -> Forget:
    return lambda state: State(
        {name: value for name, value in state.tensors.items() if not name.startswith(prefix)}, state.values
    )


def _zeroed(part: str) -> Forget:
    return lambda state: State(
        {name: torch.zeros_like(value) if part in name else value for name, value in state.tensors.items()},
        state.values,
    )


def _best_is_last(state: State) -> State:
    """As if the best weights were taken from the network at hand."""
    best = {
        name: state.tensors[name.replace("best.", "network.")] for name in state.tensors if "best." in name
    }
    return State(state.tensors | best, state.values)


def _with_value(name: str, value: Any) -> Forget:
    return lambda state: State(state.tensors, state.values | {name: value})


FORGOTTEN: dict[str, tuple[Optimizer, Forget]] = {
    "network": (Adam(lr=0.01), _without_tensors("network.")),
    "one weight": (Adam(lr=0.01), _without_tensors("network.classifier.bias")),
    "BatchNorm's mean": (Adam(lr=0.01), _zeroed("running_mean")),
    "BatchNorm's variance": (Adam(lr=0.01), _zeroed("running_var")),
    "BatchNorm's count": (Adam(lr=0.01), _zeroed("num_batches_tracked")),
    "Adam's state": (Adam(lr=0.01), _without_tensors("optimizer.")),
    "Adam's first moment": (Adam(lr=0.01), _zeroed(".exp_avg")),
    "Adam's second moment": (Adam(lr=0.01), _zeroed(".exp_avg_sq")),
    "Adam's count of steps": (Adam(lr=0.01), _zeroed(".step")),
    "SGD's momentum": (Sgd(lr=0.05), _without_tensors("optimizer.")),
    "one momentum buffer": (Sgd(lr=0.05), _zeroed("optimizer.3.")),
    "the average of the weights": (Adam(lr=0.01), _without_tensors("average.")),
    "one averaged weight": (Adam(lr=0.01), _zeroed("average.classifier.bias")),
    "totals": (Adam(lr=0.01), _zeroed("totals")),
    "no totals at all": (Adam(lr=0.01), _without_tensors("totals")),
    "best weights": (Adam(lr=0.01), _without_tensors("best.")),
    "best weights replaced by the last": (Adam(lr=0.01), _best_is_last),
    "epoch": (Adam(lr=0.01), _with_value("epoch", 0)),
    "step": (Adam(lr=0.01), _with_value("step", 0)),
    "history": (Adam(lr=0.01), _with_value("history", [])),
    "best epoch": (Adam(lr=0.01), _with_value("best_epoch", 0)),
    "best score": (Adam(lr=0.01), _with_value("best_score", None)),
    "teams": (Adam(lr=0.01), _with_value("teams", [{"count": 9, "batch_statistics": "process"}])),
}


def test_the_best_epoch_lies_before_the_stop(tmp_path: Path) -> None:
    """Else the tests below could not see that the best epoch was forgotten."""
    optimizers: list[Optimizer] = [Adam(lr=0.01), Sgd(lr=0.05)]
    for place, optimizer in enumerate(optimizers):
        result = train(_recipe(optimizer), SOURCE, tmp_path / str(place), seed=SEED)
        assert result["best_epoch"] <= 2 < result["last_epoch"]


@pytest.mark.parametrize("optimizer", [Adam(lr=0.01), Sgd(lr=0.05)], ids=["adam", "sgd"])
def test_nothing_forgotten(optimizer: Optimizer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert _resumed(optimizer, lambda state: state, tmp_path, monkeypatch) == _whole(optimizer, tmp_path)


@pytest.mark.parametrize("part", FORGOTTEN)
def test_forgotten(part: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    optimizer, forget = FORGOTTEN[part]
    try:
        found = _resumed(optimizer, forget, tmp_path, monkeypatch)
    except Exception:
        return  # refused: as good as noticed
    assert found != _whole(optimizer, tmp_path)


def test_every_part_is_in_the_table_above(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A new part of the state needs a line in FORGOTTEN; times decide no bits."""
    captured: list[State] = []

    def keep(*arguments: Any) -> State:
        captured.append(progress.capture(*arguments))
        return captured[-1]

    monkeypatch.setattr(resumption, "capture", keep)
    train(_recipe(Adam()), SOURCE, tmp_path / "run")
    values = {"epoch", "step", "history", "best_epoch", "best_score", "seconds", "training_seconds", "teams"}
    assert set(captured[-1].values) == values
    groups = {name.partition(".")[0] for name in captured[-1].tensors}
    assert groups == {"totals", "network", "average", "best", "optimizer"}
    slots = {name.split(".")[2] for name in captured[-1].tensors if name.startswith("optimizer.")}
    assert slots == {"exp_avg", "exp_avg_sq", "step"}


@pytest.mark.parametrize(("worth", "saves"), [(1000.0, False), (0.0, True)])
def test_before_the_end_work_is_saved_if_it_is_worth_it(
    worth: float, saves: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    numbers: list[int] = []
    monkeypatch.setattr(resumption, "save_state", lambda folder, number, state: numbers.append(number))
    monkeypatch.setattr(resumption, "WORTH_SAVING", worth)
    train(_recipe(Adam()), SOURCE, tmp_path / "run")
    assert (len(numbers) > 1) is saves
    assert numbers[-1] == max(numbers)


def test_sums_in_single_precision_go_on_in_double() -> None:
    """A run that began on MPS, which has no double, goes on elsewhere."""
    network = nn.Linear(2, 2)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    begun = progress.start(torch.device("cpu"))
    begun.totals = torch.tensor([3.0, 2.0], dtype=torch.float32)
    found = progress.restore(progress.capture(begun, network, optimizer, None), network, optimizer, None)
    assert found.totals.dtype is torch.float64 and found.totals.tolist() == [3.0, 2.0]


_WHOLE: dict[Optimizer, dict[str, Any]] = {}


def _whole(optimizer: Optimizer, tmp_path: Path) -> dict[str, Any]:
    """The end of the run that was never stopped, made once."""
    if optimizer not in _WHOLE:
        train(_recipe(optimizer), SOURCE, tmp_path / "whole", seed=SEED)
        _WHOLE[optimizer] = outcome(tmp_path / "whole")
    return _WHOLE[optimizer]


def _resumed(
    optimizer: Optimizer, forget: Forget, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> dict[str, Any]:
    """A run that was stopped once; its state passes through ``forget`` before it is written."""
    folder = tmp_path / "resumed"
    stop_at(monkeypatch, STOPPED_AT)
    with monkeypatch.context() as patch:
        patch.setattr(resumption, "capture", lambda *arguments: forget(progress.capture(*arguments)))
        with pytest.raises(Stopped):
            train(_recipe(optimizer), SOURCE, folder, seed=SEED)
    assert (folder / run.STATES).is_dir()
    train(_recipe(optimizer), SOURCE, folder, resume=True, seed=SEED)
    return outcome(folder)
