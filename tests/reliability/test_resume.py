"""A run that was stopped and resumed ends with the bits of one that was not."""

from pathlib import Path

import pytest

from cifarlab import run
from cifarlab.augment import Augmentation, HorizontalFlip, RandomCrop, Rotation
from cifarlab.errors import Stopped
from cifarlab.optim import Adam, Optimizer, Sgd
from cifarlab.recipe import Judging, Protocols, Recipe, TrainingMode
from cifarlab.schedules import Constant, MultiStep, Schedule
from cifarlab.train import train
from support import (
    Crash,
    Recorder,
    outcome,
    save_always,
    save_never,
    small_recipe,
    stop_at,
    synthetic_source,
    without_timing,
)

SOURCE = synthetic_source()
MULTI_STEP = MultiStep(milestones=(1, 2), gamma=0.3)
CROP_FLIP_ROTATION = (RandomCrop(padding=1), HorizontalFlip(), Rotation())

# Per epoch the loop asks 5 times while training and 3 times while validating; the two test evaluations of
# the end ask 6 times each: 36 questions in all.
MOMENTS = {
    "before the first batch": 1,
    "after the first batch": 2,
    "in the middle of an epoch": 4,
    "before the last batch of an epoch": 5,
    "after the last batch of an epoch": 6,
    "inside the evaluation": 7,
    "at the end of an epoch": 9,
    "in the middle of a later epoch": 19,
    "inside the last evaluation": 24,
    "inside the test of the last weights": 26,
    "inside the test of the best weights": 32,
    "at the very last batch": 36,
}


def test_the_moments_are_where_their_names_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    questions = stop_at(monkeypatch)
    train(small_recipe(), SOURCE, tmp_path / "run")
    assert questions == [36]


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    folder = tmp_path_factory.mktemp("uninterrupted") / "run"
    train(_recipe(Adam(lr=0.01), MULTI_STEP, CROP_FLIP_ROTATION), SOURCE, folder)
    return outcome(folder)


@pytest.mark.parametrize("moment", MOMENTS)
def test_stopped_once(
    moment: str, uninterrupted: dict[str, object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = _recipe(Adam(lr=0.01), MULTI_STEP, CROP_FLIP_ROTATION)
    save_never(monkeypatch)
    stop_at(monkeypatch, MOMENTS[moment])
    with pytest.raises(Stopped):
        train(recipe, SOURCE, tmp_path / "run")
    display = Recorder()
    train(recipe, SOURCE, tmp_path / "run", resume=True, display=display)
    assert any(line.startswith("resumed after") for line in display.said)
    assert outcome(tmp_path / "run") == uninterrupted


@pytest.mark.parametrize("moment", MOMENTS)
def test_crashed_once(
    moment: str, uninterrupted: dict[str, object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = _recipe(Adam(lr=0.01), MULTI_STEP, CROP_FLIP_ROTATION)
    save_always(monkeypatch)
    stop_at(monkeypatch, MOMENTS[moment], error=Crash())
    with pytest.raises(Crash):
        train(recipe, SOURCE, tmp_path / "run")
    train(recipe, SOURCE, tmp_path / "run", resume=True)
    assert outcome(tmp_path / "run") == uninterrupted


@pytest.mark.parametrize(
    ("augment", "schedule"),
    [
        pytest.param(CROP_FLIP_ROTATION, MULTI_STEP, id="augmented-multistep"),
        pytest.param((), Constant(), id="plain-constant", marks=pytest.mark.soak),
        pytest.param((), MULTI_STEP, id="plain-multistep", marks=pytest.mark.soak),
        pytest.param(CROP_FLIP_ROTATION, Constant(), id="augmented-constant", marks=pytest.mark.soak),
    ],
)
@pytest.mark.parametrize(
    "optimizer",
    [
        Adam(lr=0.01),
        Adam(lr=0.01, weight_decay=0.01),
        Sgd(lr=0.05),
        Sgd(lr=0.05, nesterov=True),
        Sgd(momentum=0),
    ],
    ids=["adam", "adam-decay", "sgd-momentum", "sgd-nesterov", "sgd-plain"],
)
def test_stopped_again_and_again(
    optimizer: Optimizer,
    schedule: Schedule,
    augment: tuple[Augmentation, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Stopped at its first question, resumed and stopped at its second, then at its third, …"""
    recipe = _recipe(optimizer, schedule, augment)
    train(recipe, SOURCE, tmp_path / "whole")
    segments = _train_in_segments(recipe, tmp_path / "parts", monkeypatch)
    assert segments > 7
    assert outcome(tmp_path / "parts") == outcome(tmp_path / "whole")


def test_stopped_again_and_again_as_published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Protocol A with an evaluation in training mode, whose dropout draws random numbers."""
    published = Judging(small_recipe().judging.holdout, "val_loss", TrainingMode(5, 5))
    recipe = small_recipe(published=published)
    train(recipe, SOURCE, tmp_path / "whole", protocols="A")
    _train_in_segments(recipe, tmp_path / "parts", monkeypatch, protocols="A")
    assert outcome(tmp_path / "parts") == outcome(tmp_path / "whole")


def test_another_seed_ends_with_other_bits(uninterrupted: dict[str, object], tmp_path: Path) -> None:
    """The comparison of the tests above can fail."""
    recipe = _recipe(Adam(lr=0.01), MULTI_STEP, CROP_FLIP_ROTATION)
    train(recipe, SOURCE, tmp_path / "run", seed=1)
    found = outcome(tmp_path / "run")
    assert all(found[part] != uninterrupted[part] for part in found)


def test_a_finished_run_is_returned_as_it_is(tmp_path: Path) -> None:
    first = train(small_recipe(epochs=1), SOURCE, tmp_path / "run")
    display = Recorder()
    again = train(small_recipe(epochs=1), SOURCE, tmp_path / "run", resume=True, display=display)
    assert again == first
    assert display.said == [f"{tmp_path / 'run'} is finished already"]
    assert not (tmp_path / "run" / run.STATES).exists()


def test_a_resumed_run_has_all_its_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock that a state holds includes the steps of the epoch that it was saved in."""
    clock = [0.0]

    def tick() -> float:
        clock[0] += 1.0
        return clock[0]

    monkeypatch.setattr("time.perf_counter", tick)
    recipe = small_recipe(epochs=1)
    train(recipe, SOURCE, tmp_path / "whole")
    clock[0] = 0.0
    save_always(monkeypatch)
    stop_at(monkeypatch, 6, error=Crash())
    with pytest.raises(Crash):
        train(recipe, SOURCE, tmp_path / "parts")
    train(recipe, SOURCE, tmp_path / "parts", resume=True)
    whole, parts = (run.read_metrics(tmp_path / name)[0] for name in ("whole", "parts"))
    assert without_timing(parts) == without_timing(whole)
    assert parts["seconds"] >= 5, "the five steps before the crash are not in the run's time"
    assert parts["images_per_second"] <= 48 / 5, "images per second counts steps without their time"


def _recipe(optimizer: Optimizer, schedule: Schedule, augment: tuple[Augmentation, ...]) -> Recipe:
    return small_recipe(optimizer=optimizer, schedule=schedule, augment=augment)


def _train_in_segments(
    recipe: Recipe, folder: Path, patch: pytest.MonkeyPatch, protocols: Protocols = "C"
) -> int:
    save_never(patch)
    for segment in range(1, 50):
        stop_at(patch, segment)
        try:
            train(recipe, SOURCE, folder, resume=segment > 1, protocols=protocols)
        except Stopped:
            continue
        return segment
    raise AssertionError("the run does not end")
