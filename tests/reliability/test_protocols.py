"""The choice of the epoch: who sees the test set when, and whose weights are kept."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from cifarlab import metrics, run
from cifarlab.data.batches import whole
from cifarlab.data.split import Source, Split
from cifarlab.errors import Stopped, UserError
from cifarlab.evaluate import logits_of
from cifarlab.job import divide
from cifarlab.optim import Sgd
from cifarlab.recipe import EvaluationMode, Judging, Protocols, Recipe, SelectBy, TrainingMode
from cifarlab.train import train
from support import Recorder, outcome, small_recipe, stop_at, synthetic_source

EPOCHS = 5
SEED = 5
SOURCE = synthetic_source(noise=100.0)
CPU = torch.device("cpu")


def _recipe(**changes: Any) -> Recipe:
    return small_recipe(**{"optimizer": Sgd(lr=0.05), "epochs": EPOCHS} | changes)


def _selecting(select_by: SelectBy) -> Recipe:
    return _recipe(judging=replace(_recipe().judging, select_by=select_by))


class Guarded:
    """A source that notes how many epochs were finished whenever its test set is read."""

    def __init__(self) -> None:
        self.display = Recorder()
        self.reads: list[int] = []
        self._source = synthetic_source()

    @property
    def source(self) -> Source:
        return replace(self._source, read_test=self._read)

    def _read(self) -> Split:
        self.reads.append(len(self.display.lines))
        return self._source.read_test()


@pytest.mark.parametrize("select_by", ["val_loss", "val_accuracy", "last"])
def test_the_test_set_is_opened_once_at_the_end(select_by: SelectBy, tmp_path: Path) -> None:
    guarded = Guarded()
    train(_selecting(select_by), guarded.source, tmp_path / "run", display=guarded.display)
    assert guarded.reads == [EPOCHS]
    assert not any("test" in name for line in guarded.display.lines for name in line)


def test_the_test_set_stays_closed_when_a_run_stops(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    guarded = Guarded()
    for part, question in enumerate((3, 7, 30)):
        stop_at(monkeypatch, question)
        with pytest.raises(Stopped):
            train(_recipe(), guarded.source, tmp_path / "run", display=guarded.display, resume=part > 0)
    assert guarded.reads == []


@pytest.mark.parametrize("protocols", ["B,C", "A"])
def test_a_watched_test_set_is_read_before_the_end(protocols: Protocols, tmp_path: Path) -> None:
    """Control: the test above can fail."""
    recipe = _recipe(published=replace(_recipe().judging, select_by="test_accuracy"))
    guarded = Guarded()
    train(recipe, guarded.source, tmp_path / "run", protocols=protocols, display=guarded.display)
    assert min(guarded.reads) == 0
    assert all("test_accuracy" in line for line in guarded.display.lines)


def test_watching_the_test_set_changes_nothing_of_c(tmp_path: Path) -> None:
    c, both = (train(_recipe(), synthetic_source(), tmp_path / name, protocols=name) for name in ("C", "B,C"))
    left, right = outcome(tmp_path / "C"), outcome(tmp_path / "B,C")
    assert left["weights"] == right["weights"] and left["logits"] == right["logits"]
    for name in ("best_epoch", "test_accuracy", "val_accuracy", "last"):
        assert c[name] == both[name]
    assert c["best_on_test"] is None
    for one, other in zip(left["metrics"], right["metrics"], strict=True):
        assert one == {name: value for name, value in other.items() if not name.startswith("test")}
    watched = [line["test_accuracy"] for line in right["metrics"]]
    assert both["best_on_test"] == {"epoch": 1 + watched.index(max(watched)), "test_accuracy": max(watched)}
    assert both["last"]["test_accuracy"] == watched[-1]
    assert both["test_accuracy"] == watched[both["best_epoch"] - 1]


def test_a_selects_as_published(tmp_path: Path) -> None:
    published = Judging(_recipe().judging.holdout, "test_accuracy", EvaluationMode())
    result = train(_recipe(published=published), synthetic_source(), tmp_path / "run", protocols="A")
    watched = [line["test_accuracy"] for line in run.read_metrics(tmp_path / "run")]
    assert result["best_epoch"] == 1 + watched.index(max(watched))
    assert result["test_accuracy"] == max(watched)
    assert result["select_by"] == "test_accuracy"


def test_a_evaluates_as_published(tmp_path: Path) -> None:
    """The same weights, judged in training mode."""
    holdout = _recipe().judging.holdout
    published = Judging(holdout, "last", TrainingMode(4, 4))
    right = train(_selecting("last"), synthetic_source(), tmp_path / "C")
    wrong = train(_recipe(published=published), synthetic_source(), tmp_path / "A", protocols="A")
    assert outcome(tmp_path / "A")["weights"] == outcome(tmp_path / "C")["weights"]
    assert wrong["test_loss"] != right["test_loss"]
    assert wrong["evaluation_mode"]["type"] == "TrainingMode"


def test_what_c_may_not_choose_by(tmp_path: Path) -> None:
    cases: list[tuple[Recipe, Protocols, str]] = [
        (_selecting("test_accuracy"), "C", "only protocol A"),
        (_selecting("test_accuracy"), "B,C", "only protocol A"),
        (_recipe(), "A", "no judging as published"),
    ]
    for recipe, protocols, message in cases:
        with pytest.raises(UserError, match=message):
            train(recipe, synthetic_source(), tmp_path / "run", protocols=protocols)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("select_by", ["val_loss", "val_accuracy", "last"])
def test_the_weights_are_those_of_the_chosen_epoch(
    select_by: SelectBy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The chosen epoch by a plain loop over the log, and its weights from a run that ended there."""
    recipe, source = _selecting(select_by), SOURCE
    result = train(recipe, source, tmp_path / "run", seed=SEED)
    lines = run.read_metrics(tmp_path / "run")
    sign = -1 if select_by == "val_loss" else 1
    figure = "epoch" if select_by == "last" else select_by
    chosen = 1
    for line in lines:
        if sign * line[figure] > sign * lines[chosen - 1][figure]:
            chosen = line["epoch"]
    assert result["best_epoch"] == chosen
    assert result["last_epoch"] == EPOCHS
    assert result["val_accuracy"] == lines[chosen - 1]["val_accuracy"]
    if select_by != "last":
        assert chosen < EPOCHS, "choose another seed: the best epoch should not be the last"

    weights = _weights(tmp_path / "run")
    train(
        replace(recipe, epochs=chosen, judging=replace(recipe.judging, select_by="last")),
        source,
        tmp_path / "short",
        seed=SEED,
    )
    short = _weights(tmp_path / "short")
    assert all(torch.equal(short[name], value) for name, value in weights.items())
    assert _validation_accuracy(tmp_path / "run", source) == result["val_accuracy"]


def _weights(folder: Path) -> dict[str, Tensor]:
    return run.read_weights(folder)[1]


def _validation_accuracy(folder: Path, source: Source) -> float:
    trained, network = run.load_network(folder)
    description = run.read_description(folder)
    _, validation = divide(source, description, description.recipe.judging, CPU)
    logits = logits_of(network, validation, trained.normalize)
    labels = validation.labels[validation.indices]
    return metrics.correct_count(logits, labels) / len(labels)


def test_the_test_accuracy_is_that_of_the_saved_weights(tmp_path: Path) -> None:
    source = synthetic_source()
    result = train(_recipe(), source, tmp_path / "run", seed=SEED)
    trained, network = run.load_network(tmp_path / "run")
    test = whole(source.read_test(), CPU)
    correct = metrics.correct_count(logits_of(network, test, trained.normalize), test.labels)
    assert result["test_accuracy"] == correct / 30
