"""Making the runs of a study in this process: nothing twice, nothing lost, one failure stops no other."""

import json
import math
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cifarlab import run
from cifarlab.errors import Stopped, UserError
from cifarlab.models import PlainCnn
from cifarlab.optim import Adam
from cifarlab.reproduce import found
from cifarlab.studies import orders
from cifarlab.studies.orders import Sources
from cifarlab.studies.work import make_runs
from cifarlab.train import train
from study_samples import RECIPE, StudyRecorder, made_times, planned, results_of, small_study
from support import Crash, contents, outcome, save_always, stop_at


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The folders that were trained in, in their order."""
    folders: list[Path] = []

    def note(recipe: Any, source: Any, out: Path, **options: Any) -> dict[str, Any]:
        folders.append(out)
        return train(recipe, source, out, **options)

    monkeypatch.setattr(orders, "train", note)
    return folders


def test_each_run_is_made_once_and_found_the_second_time(tmp_path: Path, trained: list[Path]) -> None:
    study = small_study()
    outcomes = make_runs([*study, study[0]], tmp_path)
    assert list(outcomes) == study
    assert [each.status for each in outcomes.values()] == ["finished"] * 5
    assert sorted(trained) == sorted(results_of_paths(tmp_path))
    times = made_times(tmp_path)
    shown = StudyRecorder()
    assert make_runs(study, tmp_path, display=shown) == outcomes
    assert len(trained) == 5 and made_times(tmp_path) == times
    assert sum("found in" in line for line in shown.said) == 5


def results_of_paths(runs: Path) -> list[Path]:
    return [runs / name for name in results_of(runs)]


def test_a_run_of_the_users_own_is_taken_under_its_own_name(tmp_path: Path, trained: list[Path]) -> None:
    source = Sources().open("digits")
    train(RECIPE, source, tmp_path / "mine", recipe_name="mine", seed=3)
    outcomes = make_runs([planned(3), planned(3, name="other")], tmp_path)
    assert {each.folder for each in outcomes.values()} == {tmp_path / "mine"} and not trained


@pytest.mark.parametrize("fails", [False, True])
def test_equal_runs_under_other_names_are_made_once(
    fails: bool, tmp_path: Path, trained: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    if fails:

        def broken(recipe: Any, source: Any, out: Path, **options: Any) -> dict[str, Any]:
            trained.append(out)
            raise ZeroDivisionError("a bug")

        monkeypatch.setattr(orders, "train", broken)
    outcomes = make_runs([planned(3), planned(3, name="other")], tmp_path)
    assert len(outcomes) == 2 and len(set(outcomes.values())) == 1
    assert len(trained) == 1


def test_an_unfinished_run_of_the_users_own_is_gone_on_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = Sources().open("digits")
    train(RECIPE, source, tmp_path / "whole", recipe_name="mine", command="x", data_argument="digits")
    with monkeypatch.context() as patch:
        save_always(patch)
        stop_at(patch, 8)
        with pytest.raises(Stopped):
            train(RECIPE, source, tmp_path / "runs" / "mine", recipe_name="mine")
    shown = StudyRecorder()
    asked = planned(0, name="asked")
    outcomes = make_runs([asked], tmp_path / "runs", command="x", display=shown)
    assert outcomes[asked].folder == tmp_path / "runs" / "mine"
    assert outcome(tmp_path / "runs" / "mine") == outcome(tmp_path / "whole")
    assert "goes on after epoch 1 of 2" in shown.said[0]
    assert "resumed after 1 epochs and" in shown.said[1]


def test_a_run_after_another_begins_from_its_weights(tmp_path: Path) -> None:
    first = planned(0)
    second = replace(planned(5), after=first)
    outcomes = make_runs([second], tmp_path)
    assert list(outcomes) == [first, second]
    folder, before = outcomes[second].folder, outcomes[first].folder
    assert folder is not None and before is not None
    begun = run.read_description(folder).initial_weights
    assert begun is not None and begun.sha256 == run.read_weights(before)[2]
    assert make_runs([second], tmp_path) == outcomes


def test_a_diverged_run_is_a_result_and_its_successor_fails(tmp_path: Path, trained: list[Path]) -> None:
    wild = replace(planned(), recipe=replace(RECIPE, optimizer=Adam(lr=1e30)))
    successor = replace(planned(1), after=wild)
    outcomes = make_runs([wild, successor, planned(2)], tmp_path)
    assert [each.status for each in outcomes.values()] == ["diverged", "failed", "finished"]
    assert "not finite" in outcomes[wild].reason
    assert outcomes[successor].folder is None
    assert outcomes[successor].reason.startswith("it begins from tiny, seed 0") and (
        "which diverged" in outcomes[successor].reason
    )
    before = len(trained)
    assert make_runs([wild, successor, planned(2)], tmp_path)[wild].status == "diverged"
    assert len(trained) == before


def test_runs_that_fail_stop_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    impossible = replace(planned(), recipe=replace(RECIPE, train_images=10**6))
    elsewhere = replace(planned(), data=str(tmp_path / "absent"))
    out_of_memory, good = planned(1), planned(2)

    def exhausted(recipe: Any, source: Any, out: Path, *, seed: int, **options: Any) -> dict[str, Any]:
        if seed == 1:
            raise RuntimeError("CUDA out of memory. Tried to allocate\nmany lines")
        return train(recipe, source, out, seed=seed, **options)

    monkeypatch.setattr(orders, "train", exhausted)
    outcomes = make_runs([impossible, elsewhere, out_of_memory, good], tmp_path / "runs")
    assert [each.status for each in outcomes.values()] == ["failed", "failed", "failed", "finished"]
    assert "1,000,000" in outcomes[impossible].reason or "1000000" in outcomes[impossible].reason
    assert "absent" in outcomes[elsewhere].reason
    assert outcomes[out_of_memory].reason == "RuntimeError: CUDA out of memory. Tried to allocate"
    monkeypatch.undo()
    assert make_runs([out_of_memory], tmp_path / "runs")[out_of_memory].status == "finished"


def test_data_that_no_run_can_open_are_an_error_at_once(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="absent"):
        make_runs([replace(planned(), data=str(tmp_path / "absent"))], tmp_path / "runs")
    with pytest.raises(UserError, match="the device 'cuda:77' is not available here"):
        make_runs([planned()], tmp_path / "runs", device="cuda:77")
    with pytest.raises(UserError, match="jobs must be at least 1"):
        make_runs([planned()], tmp_path / "runs", jobs=0)


def test_what_is_stopped_is_gone_on_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_runs(small_study(), tmp_path / "whole")
    with monkeypatch.context() as patch:
        stop_at(patch, 30)
        with pytest.raises(Stopped, match=r"^stopped; 1 of 5 runs are done, .* the same command goes on$"):
            make_runs(small_study(), tmp_path / "runs")
    make_runs(small_study(), tmp_path / "runs")
    assert results_of(tmp_path / "runs") == results_of(tmp_path / "whole")


def test_a_run_that_another_process_makes_is_waited_for(tmp_path: Path, trained: list[Path]) -> None:
    theirs, ours = planned(0), planned(1)
    make_runs([theirs], tmp_path / "whole")
    name = next((tmp_path / "whole").iterdir()).name
    (tmp_path / "runs").mkdir()
    claimed, shown = run.claimed(tmp_path / "runs" / name), StudyRecorder()
    claimed.__enter__()

    def finish() -> None:
        for file in (run.RECIPE, run.TEST_LOGITS, run.WEIGHTS, run.RESULT):
            (tmp_path / "whole" / name / file).rename(tmp_path / "runs" / name / file)
        claimed.__exit__(None, None, None)

    timer = threading.Timer(1.5, finish)
    timer.start()
    trained.clear()
    outcomes = make_runs([theirs, ours], tmp_path / "runs", display=shown)
    timer.join()
    assert [each.status for each in outcomes.values()] == ["finished", "finished"]
    assert [path == outcomes[ours].folder for path in trained] == [
        False,
        True,
    ]  # theirs in vain
    waits = [line for line in shown.said if "another process works in" in line]
    assert len(waits) == 1 and "its result is waited for" in waits[0]


def test_a_run_whose_other_process_died_is_gone_on_with(tmp_path: Path) -> None:
    make_runs([planned()], tmp_path / "whole")
    folder = tmp_path / "runs" / next((tmp_path / "whole").iterdir()).name
    claimed = run.claimed(folder)
    claimed.__enter__()
    timer = threading.Timer(0.7, lambda: claimed.__exit__(None, None, None))
    timer.start()
    make_runs([planned()], tmp_path / "runs")
    assert results_of(tmp_path / "runs") == results_of(tmp_path / "whole")


@pytest.mark.parametrize("file", [run.RECIPE, run.RESULT, run.TEST_LOGITS, run.WEIGHTS])
@pytest.mark.parametrize("is_lost", [False, True])
def test_a_damaged_run_is_left_as_it_is_and_made_anew_beside_it(
    file: str, is_lost: bool, tmp_path: Path
) -> None:
    first = planned(0)
    second = replace(planned(5), after=first)
    before = make_runs([second], tmp_path)
    folder = before[first].folder
    assert folder is not None
    whole = outcome(folder)
    content = (folder / file).read_bytes()
    (folder / file).unlink()
    if not is_lost:
        (folder / file).write_bytes(content[: len(content) // 2])
    left, data = contents(folder), Sources().open(first.data).description
    assert {each.status for each in found([second, first], data, tmp_path).values()} == {"missing"}
    shown = StudyRecorder()
    again = make_runs([second], tmp_path, display=shown)
    if file == run.RESULT and is_lost:  # nothing tells it from an unfinished run
        assert again == before and outcome(folder) == whole
        return
    anew = folder.with_name(f"{folder.name}-2")
    assert again == {**before, first: replace(before[first], folder=anew)}
    assert outcome(anew) == whole and contents(folder) == left
    told = [line for line in shown.said if "passes over a damaged run" in line]
    assert len(told) == (file != run.RECIPE)  # without which nobody knows what run it was
    assert all(folder.name in line and file in line for line in told)

    times = made_times(tmp_path)
    assert found([first, second], data, tmp_path) == again
    assert make_runs([second], tmp_path) == again and made_times(tmp_path) == times
    (anew / run.WEIGHTS).unlink()
    assert make_runs([first], tmp_path)[first].folder == folder.with_name(f"{folder.name}-3")


def test_a_run_damaged_after_it_was_ordered_fails_with_the_way_on(
    tmp_path: Path, trained: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make_runs([planned()], tmp_path)[planned()].folder
    assert folder is not None
    (folder / run.RESULT).write_text('{"status": "finished"}')
    trained.clear()
    with monkeypatch.context() as patch:
        patch.setattr("cifarlab.studies.ledger.RunStore.place", lambda self, planned, key: folder)
        failed = make_runs([planned()], tmp_path)[planned()]
    assert failed.status == "failed" and not trained
    assert "has no 'test_accuracy'" in failed.reason and "the same command" in failed.reason
    assert make_runs([planned()], tmp_path)[planned()].status == "finished"


def test_what_a_run_killed_in_its_last_moment_left_is_tidied_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(folder: Path) -> None:
        raise Crash

    with monkeypatch.context() as patch, pytest.raises(Crash):
        patch.setattr("cifarlab.finish.remove_states", crash)
        make_runs([planned()], tmp_path)
    assert list(tmp_path.glob(f"*/{run.RESULT}")) and list(tmp_path.glob(f"*/{run.STATES}/state-*"))
    before = made_times(tmp_path)
    assert make_runs([planned()], tmp_path)[planned()].status == "finished"
    assert results_of(tmp_path) and made_times(tmp_path) == before


def test_the_record_says_how_the_run_was_started(tmp_path: Path) -> None:
    outcomes = make_runs([planned()], tmp_path, command="cifarlab study …")
    folder = outcomes[planned()].folder
    assert folder is not None
    result = json.loads((folder / run.RESULT).read_text())
    assert (result["recipe_name"], result["command"], result["data_argument"]) == (
        "tiny",
        "cifarlab study …",
        "digits",
    )


def test_progress_is_measured_in_work(tmp_path: Path) -> None:
    small = planned(0)
    large = replace(small, recipe=replace(RECIPE, epochs=4, model=PlainCnn(widths=(8, 8, 16))))
    shown = StudyRecorder()
    make_runs([small, large], tmp_path, display=shown)
    shares = [state.share for state in shown.states]
    assert shares == sorted(shares) and math.isclose(shares[-1], 1.0)
    after_first = next(state for state in shown.states if state.settled == 1)
    assert 0 < after_first.share < 1 / 3  # a third of the epochs, and these are the cheaper ones
    assert shown.states[-1].settled == shown.states[-1].runs == 2
    assert [line.split(": ")[1].split(",")[0] for line in shown.said] == [
        "starts",
        "finished",
        "starts",
        "finished",
    ]
