"""A run is only gone on with as what it was; what is refused is left as it is."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cifarlab import run
from cifarlab.augment import HorizontalFlip
from cifarlab.config import vary
from cifarlab.data.holdout import Counts
from cifarlab.data.split import Source
from cifarlab.errors import Stopped, UserError
from cifarlab.optim import Adam, Sgd
from cifarlab.recipe import Judging, Recipe
from cifarlab.schedules import MultiStep
from cifarlab.train import train
from support import Recorder, contents, small_recipe, stop_at, synthetic_source

SOURCE = synthetic_source()
RECIPE = small_recipe()


@pytest.fixture(scope="module")
def _stopped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("stopped") / "run"
    with pytest.MonkeyPatch.context() as patch, pytest.raises(Stopped):
        stop_at(patch, 11)
        train(RECIPE, SOURCE, folder)
    return folder


@pytest.fixture
def stopped(_stopped: Path, tmp_path: Path) -> Path:
    """A run stopped in its second epoch."""
    shutil.copytree(_stopped, tmp_path / "run")
    return tmp_path / "run"


RECIPES: dict[str, tuple[Recipe, str]] = {
    "learning rate": (replace(RECIPE, optimizer=Adam(lr=0.5)), "recipe.optimizer.lr: 0.001 -> 0.5"),
    "epochs": (replace(RECIPE, epochs=4), "recipe.epochs: 3 -> 4"),
    "batch size": (replace(RECIPE, batch_size=12), "recipe.batch_size: 10 -> 12"),
    "optimizer": (replace(RECIPE, optimizer=Sgd()), 'recipe.optimizer.type: "Adam" -> "Sgd"'),
    "schedule": (
        replace(RECIPE, schedule=MultiStep((1,))),
        'recipe.schedule.type: "Constant" -> "MultiStep"',
    ),
    "augmentation": (replace(RECIPE, augment=(HorizontalFlip(),)), "recipe.augment: [] -> [{"),
    "network": (vary(RECIPE, "model.widths", (4, 8, 8)), "recipe.model.widths.1: 4 -> 8"),
    "dropout": (vary(RECIPE, "model.dropout", (0.1, 0.2, 0.0)), "recipe.model.dropout.2: 0.3 -> 0.0"),
    "judging": (vary(RECIPE, "judging.select_by", "last"), 'judging.select_by: "val_accuracy" -> "last"'),
    "precision": (replace(RECIPE, precision="bf16"), 'recipe.precision: "auto" -> "bf16"'),
    "subset": (replace(RECIPE, train_images=30), "recipe.train_images: null -> 30"),
}


@pytest.mark.parametrize("change", RECIPES)
def test_another_recipe(change: str, stopped: Path) -> None:
    recipe, difference = RECIPES[change]
    _refused(stopped, difference, lambda: train(recipe, SOURCE, stopped, resume=True))


def test_another_seed(stopped: Path) -> None:
    _refused(stopped, "seed: 0 -> 7", lambda: train(RECIPE, SOURCE, stopped, resume=True, seed=7))


def test_other_protocols(stopped: Path) -> None:
    _refused(
        stopped,
        'protocols: "C" -> "B,C"',
        lambda: train(RECIPE, SOURCE, stopped, resume=True, protocols="B,C"),
    )


def _changed_pixel() -> Source:
    train_split = synthetic_source().read_train()
    images = train_split.images.clone()
    images[0, 0, 0, 0] ^= 1
    changed = replace(train_split, images=images)
    description = replace(SOURCE.description, train_sha256=changed.sha256())
    return Source(description, lambda: changed, SOURCE.read_test)


@pytest.mark.parametrize(
    ("source", "difference"),
    [
        (_changed_pixel(), "data.train_sha256: "),
        (synthetic_source(train=63), "data.train_images: 60 -> 63"),
        (synthetic_source(test=27), "data.test_images: 30 -> 27"),
        (synthetic_source(size=16), "data.image_size: 8 -> 16"),
    ],
    ids=["one pixel", "more images", "another test set", "another image size"],
)
def test_other_data(source: Source, difference: str, stopped: Path) -> None:
    _refused(stopped, difference, lambda: train(RECIPE, source, stopped, resume=True))


def test_a_run_of_a_version_without_a_setting_goes_on_with_its_default(stopped: Path) -> None:
    recorded = json.loads((stopped / "recipe.json").read_text())
    assert recorded["recipe"].pop("capture") is False
    assert recorded["recipe"].pop("views", 0) is None
    (stopped / "recipe.json").write_text(json.dumps(recorded))
    assert train(RECIPE, SOURCE, stopped, resume=True)["status"] == "finished"


VERSIONS = {"numerics": "NUMERICS_VERSION", "schema": "SCHEMA_VERSION"}


@pytest.mark.parametrize("field", VERSIONS)
def test_another_version(field: str, stopped: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A later ``cifarlab``, whose numbers or files are others."""
    now = getattr(run.read_description(stopped), field)
    monkeypatch.setattr(run, "RunDescription", _later_version(field))
    _refused(stopped, f"{field}: {now} -> {now + 1}", lambda: train(RECIPE, SOURCE, stopped, resume=True))


def _later_version(field: str) -> Callable[..., run.RunDescription]:
    original, now = run.RunDescription, int(getattr(run, VERSIONS[field]))

    def later(*arguments: Any) -> run.RunDescription:
        changes: dict[str, Any] = {field: now + 1}
        return replace(original(*arguments), **changes)

    return later


def test_a_description_that_is_not_ours(stopped: Path) -> None:
    (stopped / run.RECIPE).write_text(json.dumps({"a": 1}))
    _refused(stopped, "holds another run", lambda: train(RECIPE, SOURCE, stopped, resume=True))


def test_a_new_run_into_a_run(stopped: Path) -> None:
    _refused(stopped, "exists already; go on with --resume", lambda: train(RECIPE, SOURCE, stopped))


@pytest.mark.parametrize("resume", [False, True])
def test_a_run_into_a_folder_of_something_else(resume: bool, tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    (folder / "holiday").mkdir(parents=True)
    (folder / "holiday" / "beach.png").write_bytes(b"\x89PNG")
    (folder / ".draft.tmp").write_bytes(b"mine")
    _refused(folder, "is no run folder", lambda: train(RECIPE, SOURCE, folder, resume=resume))


@pytest.mark.parametrize("resume", [False, True])
def test_a_run_into_a_file(resume: bool, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"mine")
    for out in (tmp_path / "file", tmp_path / "file" / "run"):
        with pytest.raises(UserError) as error:
            train(RECIPE, SOURCE, out, resume=resume)
        assert "\n" not in str(error.value)
    assert contents(tmp_path) == {"file": b"mine"}


def test_nothing_to_resume_is_said(tmp_path: Path) -> None:
    display = Recorder()
    train(replace(RECIPE, epochs=1), SOURCE, tmp_path / "run", resume=True, display=display)
    assert display.said == [f"nothing to resume in {tmp_path / 'run'}: this run starts from the beginning"]


@pytest.mark.parametrize(
    ("recipe", "seed"),
    [
        (replace(RECIPE, train_images=31), 0),
        (replace(RECIPE, train_images=300), 0),
        (RECIPE, -1),
        (replace(RECIPE, judging=Judging(Counts(58, 2))), 0),
    ],
    ids=["unequal subset", "too large a subset", "seed", "hold-out"],
)
def test_a_run_that_cannot_begin_leaves_nothing(recipe: Recipe, seed: int, tmp_path: Path) -> None:
    """The corrected command must not find its folder taken by the wrong one."""
    with pytest.raises(UserError) as error:
        train(recipe, SOURCE, tmp_path / "run", seed=seed)
    assert "\n" not in str(error.value)
    assert list(tmp_path.iterdir()) == []


def _refused(folder: Path, message: str, attempt: Callable[[], Any]) -> None:
    before = contents(folder)
    folders = sorted(folder.rglob("*"))
    with pytest.raises(UserError) as error:
        attempt()
    assert message in str(error.value)
    assert "\n" not in str(error.value) and len(str(error.value)) < 700
    assert contents(folder) == before
    assert sorted(folder.rglob("*")) == folders
