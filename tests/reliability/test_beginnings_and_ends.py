"""Where a run's first weights come from (``--from``), and when it ends by itself (patience)."""

import hashlib
import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from cifarlab import run
from cifarlab.config import vary
from cifarlab.errors import Stopped, UserError
from cifarlab.optim import Sgd
from cifarlab.recipe import SelectBy
from cifarlab.train import train
from support import contents, outcome, small_recipe, stop_at, synthetic_source

SOURCE = synthetic_source()
FROZEN = small_recipe(epochs=1, optimizer=Sgd(lr=0.0, momentum=0.0))
"""A rate of 0 leaves the parameters as they began."""


@pytest.fixture(scope="module")
def parent(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("parent") / "parent"
    train(small_recipe(epochs=2), SOURCE, folder, seed=8)
    return folder


def test_first_weights_from_a_run(parent: Path, tmp_path: Path) -> None:
    before = contents(parent)
    train(FROZEN, SOURCE, tmp_path / "run", start_from=parent)
    given, kept = run.read_weights(parent)[1], run.read_weights(tmp_path / "run")[1]
    parameters = [name for name in given if "running" not in name and "num_batches" not in name]
    assert len(parameters) > 10
    assert all(torch.equal(given[name], kept[name]) for name in parameters)
    recorded = run.read_description(tmp_path / "run").initial_weights
    digest = hashlib.sha256((parent / run.WEIGHTS).read_bytes()).hexdigest()
    assert recorded == run.InitialWeights("parent", digest)
    assert contents(parent) == before


def test_without_it_they_are_others(parent: Path, tmp_path: Path) -> None:
    """Control for the test above."""
    train(FROZEN, SOURCE, tmp_path / "run")
    given, kept = run.read_weights(parent)[1], run.read_weights(tmp_path / "run")[1]
    assert not torch.equal(given["classifier.weight"], kept["classifier.weight"])
    assert run.read_description(tmp_path / "run").initial_weights is None


def test_a_resumed_run_begins_with_them_only_once(
    parent: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train(small_recipe(), SOURCE, tmp_path / "whole", start_from=parent)
    stop_at(monkeypatch, 11)
    with pytest.raises(Stopped):
        train(small_recipe(), SOURCE, tmp_path / "parts", start_from=parent)
    for other in (None, tmp_path / "whole"):
        before = contents(tmp_path / "parts")
        with pytest.raises(UserError, match="holds another run: initial_weights"):
            train(small_recipe(), SOURCE, tmp_path / "parts", start_from=other, resume=True)
        assert contents(tmp_path / "parts") == before
    train(small_recipe(), SOURCE, tmp_path / "parts", start_from=parent, resume=True)
    assert outcome(tmp_path / "parts") == outcome(tmp_path / "whole")


def test_weights_of_another_network(parent: Path, tmp_path: Path) -> None:
    recipe = vary(small_recipe(), "model.widths", (4, 4, 16))
    with pytest.raises(UserError, match=r"holds another network than this recipe: model\.widths\.2") as error:
        train(recipe, SOURCE, tmp_path / "run", start_from=parent)
    assert "\n" not in str(error.value)
    assert list(tmp_path.iterdir()) == [], "the corrected command must not find its folder taken"


def test_weights_of_no_run(parent: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stop_at(monkeypatch, 3)
    with pytest.raises(Stopped):
        train(small_recipe(), SOURCE, tmp_path / "stopped")
    diverged = Path(shutil.copytree(tmp_path / "stopped", tmp_path / "diverged"))
    run.mark_diverged(diverged, "it was too fast")
    for start_from, message in (
        (parent.parent / "parnt", "does not exist; did you mean parent"),
        (parent.parent, "is not a run folder"),
        (tmp_path / "stopped", "has not finished; finish it"),
        (diverged, "diverged: it was too fast"),
    ):
        with pytest.raises(UserError, match=message):
            train(small_recipe(), SOURCE, tmp_path / "run", start_from=start_from)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("patience", [1, 2, 3])
@pytest.mark.parametrize("select_by", ["val_loss", "val_accuracy"])
def test_patience(
    select_by: SelectBy, patience: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The end by a plain loop over the log of the run that had no patience to lose."""
    source = synthetic_source(noise=120.0)
    recipe = small_recipe(optimizer=Sgd(lr=0.05), epochs=12)
    recipe = replace(recipe, judging=replace(recipe.judging, select_by=select_by))
    train(recipe, source, tmp_path / "all")
    lines = run.read_metrics(tmp_path / "all")
    best, since, end = None, 0, 12
    for line in lines:
        score = -line["val_loss"] if select_by == "val_loss" else line["val_accuracy"]
        best, since = (score, 0) if best is None or score > best else (best, since + 1)
        if since == patience:
            end = line["epoch"]
            break
    early = train(replace(recipe, patience=patience), source, tmp_path / "early")
    assert early["last_epoch"] == end < 12
    assert early["best_epoch"] == end - patience
    assert len(run.read_metrics(tmp_path / "early")) == end

    stop_at(monkeypatch, 8 * end + 2)  # inside the evaluations after the last epoch
    with pytest.raises(Stopped):
        train(replace(recipe, patience=patience), source, tmp_path / "parts")
    train(replace(recipe, patience=patience), source, tmp_path / "parts", resume=True)
    assert outcome(tmp_path / "parts") == outcome(tmp_path / "early")


def test_equal_runs_have_equal_files(tmp_path: Path) -> None:
    """No time, path or place gets into the weights, logits and description of a run."""
    for name in ("a", "another place/b"):
        train(small_recipe(), SOURCE, tmp_path / name)
    first, second = (outcome(tmp_path / name) for name in ("a", "another place/b"))
    assert first == second
    descriptions = [
        json.loads((tmp_path / name / run.RECIPE).read_text()) for name in ("a", "another place/b")
    ]
    assert descriptions[0] == descriptions[1]
