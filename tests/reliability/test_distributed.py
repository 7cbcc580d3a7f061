"""Several processes train one network: same data, same gradients, one voice, and no loss when one dies.

The processes are real and talk through gloo; what only a GPU has (NCCL, SyncBatchNorm) is not tested here.
"""

import json
import signal
from pathlib import Path
from typing import Literal

import pytest
import torch

from cifarlab import run
from cifarlab.losses import CrossEntropy
from cifarlab.recipe import Recipe
from cifarlab.train import train
from reliability import team_work, workers
from reliability.team_work import SOURCE, plain_recipe
from reliability.teams import outcome_of, start_team, team
from support import metrics_of, outcome, small_recipe, without_timing

SOAK = pytest.mark.soak
SIZES = [2, pytest.param(3, marks=SOAK), 4]
GO_ON = (
    "another process of this run has ended, and so does this one; go on with the same command and --resume"
)


@pytest.mark.parametrize("size", SIZES)
def test_the_order_of_the_data_is_the_same_for_any_number_of_processes(size: int, tmp_path: Path) -> None:
    # 48 images in batches of 9: the last has 3, fewer than four processes.
    recipe = plain_recipe(batch_size=9)
    (alone,) = team(1, tmp_path / "one", team_work.trace_in, recipe, tmp_path / "one" / "run")
    parts = team(size, tmp_path / "many", team_work.trace_in, recipe, tmp_path / "many" / "run")
    assert len(alone) == 3 * 6
    for step, (batch, _) in enumerate(alone):
        assert all(part[step][0] == batch for part in parts)
        assert [image for part in parts for image in part[step][1]] == batch


@pytest.mark.parametrize(
    ("size", "balanced"),
    [
        (2, "equal"),
        (3, "balanced"),
        (4, "equal"),
        *(pytest.param(*each, marks=SOAK) for each in ((2, "balanced"), (3, "equal"), (4, "balanced"))),
    ],
)
def test_gradients_equal_those_of_one_process(
    size: int, balanced: Literal["equal", "balanced"], tmp_path: Path
) -> None:
    recipe = plain_recipe(batch_size=9, epochs=1, loss=CrossEntropy(balanced))
    (alone,) = team(1, tmp_path / "one", team_work.gradients_in, recipe, tmp_path / "one" / "run")
    parts = team(size, tmp_path / "many", team_work.gradients_in, recipe, tmp_path / "many" / "run")
    for part in parts:
        torch.testing.assert_close(torch.tensor(part), torch.tensor(alone), rtol=1e-4, atol=1e-6)
    assert parts[0] == parts[-1]


@pytest.mark.parametrize("size", SIZES)
def test_a_run_without_batch_norm_and_dropout_ends_as_with_one_process(size: int, tmp_path: Path) -> None:
    train(plain_recipe(), SOURCE, tmp_path / "one")
    seen = team(size, tmp_path, team_work.train_in, plain_recipe(), tmp_path / "run")
    alone, many = metrics_of(tmp_path / "one"), metrics_of(tmp_path / "run")
    for one, other in zip(alone, many, strict=True):
        assert one.keys() == other.keys()
        for name in ("train_loss", "train_accuracy", "val_loss", "val_accuracy"):
            assert other[name] == pytest.approx(one[name], rel=1e-4), name
    _, first, _ = run.read_weights(tmp_path / "one")
    _, second, _ = run.read_weights(tmp_path / "run")
    for name in first:
        torch.testing.assert_close(second[name], first[name], rtol=1e-3, atol=1e-5)
    result = json.loads((tmp_path / "run" / run.RESULT).read_text())
    assert result["processes"] == [{"count": size, "batch_statistics": "process"}]
    assert all(each["lines"] == seen[0]["lines"] for each in seen)


def test_with_batch_norm_and_dropout_all_processes_keep_the_same_weights(tmp_path: Path) -> None:
    hashes = team(3, tmp_path, team_work.weights_in, small_recipe(), tmp_path / "run")
    assert len(set(hashes)) == 1
    seen = team(3, tmp_path, team_work.train_in, small_recipe(), tmp_path / "again")
    assert all(each["lines"] == seen[0]["lines"] for each in seen)


@pytest.mark.parametrize(
    ("size", "batch_size"),
    [
        *((1, 1), (2, 7), (3, 1), (4, 7)),
        *(pytest.param(*each, marks=SOAK) for each in ((1, 7), (2, 1), (3, 7), (4, 1))),
    ],
)
def test_every_image_counts_once_in_evaluation(size: int, batch_size: int, tmp_path: Path) -> None:
    lengths = list(range(1, 51))
    parts = team(size, tmp_path, team_work.evaluated_in, lengths, batch_size)
    for place, length in enumerate(lengths):
        rows = [part[place][0] for part in parts]
        assert all(each == list(range(length)) for each in rows)
        asked = sorted(image for part in parts for image in part[place][1])
        padding = -length % size
        assert asked == sorted([*range(length), *[0] * padding])


def test_views_are_divided_among_processes(tmp_path: Path) -> None:
    """Also where nothing or less than one image per process is left to look at again."""
    parts = team(3, tmp_path, team_work.viewed_in, list(range(1, 15)))
    assert parts[0] == parts[1] == parts[2]
    for shared, alone in parts[0]:
        assert shared == alone


@pytest.mark.parametrize(
    ("rank", "recipe"),
    [
        pytest.param(0, plain_recipe(), id="0-plain"),
        pytest.param(1, small_recipe(), id="1-batch-norm"),
        pytest.param(1, plain_recipe(), id="1-plain", marks=SOAK),
        pytest.param(0, small_recipe(), id="0-batch-norm", marks=SOAK),
    ],
)
def test_a_signal_to_one_process_stops_all_and_the_run_goes_on(
    rank: int, recipe: Recipe, tmp_path: Path
) -> None:
    team(2, tmp_path / "whole", team_work.train_in, recipe, tmp_path / "whole" / "run")
    out = tmp_path / "run"
    for process in start_team(2, tmp_path, team_work.signal_in, recipe, out, rank, 7, signal.SIGTERM):
        assert workers.end_of(process) == 0
    outcomes = [outcome_of(tmp_path, each) for each in (0, 1)]
    assert sorted(each["raised"] for each in outcomes) == ["SaidElsewhere", "Stopped"]
    assert any("after 1 epochs and 2 steps; go on with --resume" in each["message"] for each in outcomes)
    seen = team(2, tmp_path, team_work.train_in, recipe, out)
    assert "resumed after 1 epochs and 2 steps" in seen[0]["said"]
    assert outcome(out) == outcome(tmp_path / "whole" / "run")


@pytest.mark.parametrize(("before", "after"), [(1, 3), (3, 1), pytest.param(2, 4, marks=SOAK)])
def test_a_run_goes_on_with_another_number_of_processes(before: int, after: int, tmp_path: Path) -> None:
    train(plain_recipe(), SOURCE, tmp_path / "whole")
    out = tmp_path / "run"
    arguments = (plain_recipe(), out, 0, 7, signal.SIGTERM)
    for process in start_team(before, tmp_path, team_work.signal_in, *arguments):
        workers.end_of(process)
    team(after, tmp_path, team_work.train_in, plain_recipe(), out)
    for one, other in zip(metrics_of(tmp_path / "whole"), metrics_of(out), strict=True):
        assert without_timing(one).keys() == without_timing(other).keys()
        assert other["train_loss"] == pytest.approx(one["train_loss"], rel=1e-4)
        assert other["val_loss"] == pytest.approx(one["val_loss"], rel=1e-4)
    teams = json.loads((out / run.RESULT).read_text())["processes"]
    assert [each["count"] for each in teams] == [before, after]


def test_processes_that_were_started_differently_do_not_train_together(tmp_path: Path) -> None:
    for process in start_team(3, tmp_path, team_work.disagree_in, plain_recipe(), tmp_path / "run"):
        workers.end_of(process)
    outcomes = [outcome_of(tmp_path, each) for each in range(3)]
    assert sorted(each["raised"] for each in outcomes) == ["SaidElsewhere", "SaidElsewhere", "UserError"]
    assert any("differ in recipe, seed, data" in each["message"] for each in outcomes)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(("size", "rank"), [(2, 0), (4, 2), pytest.param(2, 1, marks=SOAK)])
def test_a_killed_process_ends_the_run_with_one_line_and_it_goes_on(
    size: int, rank: int, tmp_path: Path
) -> None:
    recipe, out = plain_recipe(), tmp_path / "run"
    processes = start_team(size, tmp_path, team_work.signal_in, recipe, out, rank, 12, signal.SIGKILL)
    codes = [workers.end_of(process) for process in processes]
    assert codes == [-signal.SIGKILL if each == rank else 0 for each in range(size)]
    outcomes = [outcome_of(tmp_path, each) for each in range(size) if each != rank]
    said = [each["message"] for each in outcomes if each["raised"] == "Unavailable"]
    assert len(said) == 1 and said[0].startswith(GO_ON)
    team(size, tmp_path, team_work.train_in, recipe, out)
    train(recipe, SOURCE, tmp_path / "whole")
    assert metrics_of(out)[-1]["val_loss"] == pytest.approx(
        metrics_of(tmp_path / "whole")[-1]["val_loss"], rel=1e-4
    )


@pytest.mark.parametrize("rank", [0, 1])
def test_a_bad_loss_in_one_process_ends_all_before_their_weights_are_hit(rank: int, tmp_path: Path) -> None:
    out = tmp_path / "run"
    for process in start_team(2, tmp_path, team_work.diverge_in, plain_recipe(), out, rank):
        workers.end_of(process)
    outcomes = [outcome_of(tmp_path, each) for each in (0, 1)]
    assert sorted(each["raised"] for each in outcomes) == ["Diverged", "SaidElsewhere"]
    assert any("in step 3 the loss or a gradient is not finite" in each["message"] for each in outcomes)
    assert json.loads((out / run.RESULT).read_text())["status"] == "diverged"


@pytest.mark.parametrize("rank", [0, 1])
def test_an_error_in_one_process_is_said_once_and_ends_all(rank: int, tmp_path: Path) -> None:
    for process in start_team(2, tmp_path, team_work.fail_in, plain_recipe(), tmp_path / "run", rank):
        workers.end_of(process)
    assert outcome_of(tmp_path, rank) == {"raised": "UserError", "message": "the disk is full"}
    assert outcome_of(tmp_path, 1 - rank)["raised"] == "SaidElsewhere"


def test_what_the_first_process_refuses_is_said_once(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "thesis.txt").touch()
    for process in start_team(3, tmp_path, team_work.train_in, plain_recipe(), tmp_path / "run"):
        workers.end_of(process)
    outcomes = [outcome_of(tmp_path, each) for each in range(3)]
    assert sorted(each["raised"] for each in outcomes) == ["SaidElsewhere", "SaidElsewhere", "UserError"]
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == ["thesis.txt"]
