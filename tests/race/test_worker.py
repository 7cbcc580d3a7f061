"""Our worker: the race's clock around an ordinary run."""

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from cifarlab import resumption, run
from cifarlab.config import to_json
from cifarlab.data.split import Split
from cifarlab.errors import Diverged
from cifarlab.optim import Sgd
from cifarlab.parameter_statistics import read_parameters
from cifarlab.race import worker
from cifarlab.race.racer import Limits, Racer
from cifarlab.race.worker import Order, in_memory, timed_run, with_random_labels
from cifarlab.train import train
from support import save_always, small_recipe, synthetic_source

CPU = torch.device("cpu")
ORDER = Order("tiny", small_recipe(epochs=1), "digits[40,20]", "cpu", warm_up=False)


def test_a_run_is_an_ordinary_one(tmp_path: Path) -> None:
    source = synthetic_source()
    outcome = timed_run(ORDER, in_memory(source, CPU), 5, tmp_path / "raced")
    plain = train(ORDER.recipe, source, tmp_path / "plain", seed=5, device="cpu")
    assert (outcome.seed, outcome.accuracy) == (5, plain["test_accuracy"])
    assert outcome.details["training_flops"] == plain["training_flops"] > 0
    raced, same = (run.read_weights(tmp_path / name)[2] for name in ("raced", "plain"))
    assert raced == same


def test_nothing_is_kept_to_go_on_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A saved state is some tens of megabytes on a disk, and the run's folder goes with the run."""
    saved: list[int] = []
    monkeypatch.setattr(resumption, "save_state", lambda folder, number, state: saved.append(number))
    save_always(monkeypatch)
    timed_run(ORDER, synthetic_source(), 5, tmp_path / "raced")
    assert saved == [] and read_parameters(tmp_path / "raced") == {}
    train(ORDER.recipe, synthetic_source(), tmp_path / "plain", seed=5, device="cpu")
    assert saved and list(read_parameters(tmp_path / "plain")) == [1]


def test_the_clock_stops_at_the_last_prediction_and_leaves_out_preparation(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told = {"seconds": 9.0, "seconds_to_predictions": 1.75, "preparation_seconds": 0.5, "test_accuracy": 0.5}
    monkeypatch.setattr(worker, "train", lambda *_, **__: {**told, "test_accuracy_without_views": 0.4})
    outcome = timed_run(ORDER, synthetic_source(), 1)
    assert outcome.seconds == 1.25
    assert outcome.details == {"preparation_seconds": 0.5, "accuracy_without_views": 0.4}


def test_files_are_read_before_the_clock_starts() -> None:
    source = synthetic_source()
    reads: list[str] = []

    def counted(half: str, read: Callable[[], Split]) -> Callable[[], Split]:
        def reading() -> Split:
            reads.append(half)
            return read()

        return reading

    train_half, test_half = counted("train", source.read_train), counted("test", source.read_test)
    prepared = in_memory(replace(source, read_train=train_half, read_test=test_half), CPU)
    assert reads == ["train", "test"]
    timed_run(ORDER, prepared, 0)
    assert reads == ["train", "test"]


def test_a_warm_up_sees_labels_that_are_worth_nothing() -> None:
    source = synthetic_source(300, 60)
    mixed = with_random_labels(source).read_train()
    before = source.read_train()
    assert torch.equal(mixed.images, before.images)
    assert torch.equal(mixed.labels.sort().values, before.labels.sort().values)
    assert (mixed.labels == before.labels).float().mean() < 0.6


def test_a_run_that_diverges_says_so() -> None:
    order = replace(ORDER, recipe=small_recipe(optimizer=Sgd(lr=1e30)))
    source = synthetic_source()
    with pytest.raises(Diverged):
        timed_run(order, source, 0)
    answer = worker._answer(order, source, 0)
    assert answer["seed"] == 0 and "not finite" in answer["failed"]


def test_the_process_from_its_order_to_its_outcome() -> None:
    """As a race starts it; the first run imports nothing more, which would count as its time."""
    code = (
        "import sys; from cifarlab.race import worker; true = worker.timed_run\n"
        "def watched(*arguments):\n"
        "    before = set(sys.modules); outcome = true(*arguments)\n"
        "    outcome.details['imported'] = sorted(set(sys.modules) - before); return outcome\n"
        "worker.timed_run = watched; worker.main()"
    )
    command = [sys.executable, "-P", "-c", code, json.dumps(to_json(ORDER))]
    with Racer("ours", command, stays=False, limits=Limits(200, 200)) as ours:
        outcome = ours.run(3)
    assert ours.facts == {}
    assert outcome.accuracy * 20 == pytest.approx(round(outcome.accuracy * 20))
    assert outcome.details["imported"] == []
