"""What is measured once is kept, and counts only for what it was measured on."""

import json
import shutil
from pathlib import Path
from typing import Any, get_args

import pytest
import torch

from cifarlab import run
from cifarlab.data.sources import open_source
from cifarlab.errors import UserError
from cifarlab.files import write_json
from cifarlab.own_data import own_source
from cifarlab.runtime import NUMERICS_VERSION
from cifarlab.studies import measure
from cifarlab.studies.measure import MEASURED, Measurement, measured
from cifarlab.train import train
from study_samples import RECIPE

KINDS: tuple[Measurement, ...] = get_args(Measurement)
TIMES = [what for what in KINDS if "seconds" in what]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "tiny"
    train(RECIPE, open_source("digits[100,30]"), folder, device="cpu", data_argument="digits[100,30]")
    return folder


@pytest.fixture
def folder(trained: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(trained, tmp_path / "run"))


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[Measurement]:
    """What was measured, in its order; each gives the next of 0.001, 0.002, ..."""
    kinds: list[Measurement] = []

    def note(folder: Path, what: Measurement, device: str) -> float:
        kinds.append(what)
        return len(kinds) / 1000

    monkeypatch.setattr(measure, "_measure", note)
    return kinds


def edit(folder: Path, what: str, **changes: Any) -> None:
    """Change what was kept of one measurement."""
    kept = json.loads((folder / MEASURED).read_text())
    kept[what] |= changes
    (folder / MEASURED).write_text(json.dumps(kept))


def test_every_kind_is_measured_and_kept(folder: Path) -> None:
    values = {what: measured(folder, what, "cpu") for what in KINDS}
    assert 0 <= values["train_accuracy"] <= 1 and 0 < values["zero_activations"] < 1
    assert all(0 < values[what] < 60 for what in TIMES)
    assert {what: measured(folder, what, "cpu") for what in KINDS} == values  # times would differ


def test_zeros_are_counted_on_images_of_all_classes(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A count that was made on the first images, which an earlier version did, is made again."""
    measured(folder, "zero_activations", "cpu")
    kept = json.loads((folder / MEASURED).read_text())
    del kept["zero_activations"]["images"]
    (folder / MEASURED).write_text(json.dumps(kept))
    seen: list[torch.Tensor] = []

    def remembered(network: Any, images: torch.Tensor) -> list[Any]:
        seen.append(images)
        return []

    monkeypatch.setattr(measure, "images_to_count_on", lambda labels: torch.tensor([3, 1]))
    monkeypatch.setattr(measure, "zero_counts", remembered)
    measured(folder, "zero_activations", "cpu")
    trained = run.read_weights(folder)[0]
    expected = trained.normalize.apply(own_source(folder).read_test().images[[3, 1]])
    assert torch.equal(seen[0], expected)


@pytest.mark.parametrize("what", KINDS)
def test_a_measurement_is_made_once(what: Measurement, folder: Path, made: list[Measurement]) -> None:
    assert [measured(folder, what, "cpu") for _ in range(3)] == [0.001] * 3
    assert made == [what]


@pytest.mark.parametrize("what", KINDS)
def test_an_impossible_value_is_measured_again(
    what: Measurement, folder: Path, made: list[Measurement]
) -> None:
    measured(folder, what, "cpu")
    too_much = 0 if what in TIMES else 7.5
    impossible: list[Any] = ["x", "0.5", None, True, [], -0.5, float("nan"), float("inf"), 10**400, too_much]
    for value in impossible:
        edit(folder, what, value=value)
        before = len(made)
        assert measured(folder, what, "cpu") == measured(folder, what, "cpu") == (before + 1) / 1000


def test_a_damaged_file_or_one_that_says_nothing_of_its_run_counts_as_nothing(
    folder: Path, made: list[Measurement]
) -> None:
    damaged = [b"", b"[]", b"{", b"\xff"]
    values = (b'"x"', b"null", b"0.5", b"{}", b'{"value": 0.5}')
    for number, content in enumerate([*damaged, *(b'{"train_accuracy": %b}' % each for each in values)], 1):
        (folder / MEASURED).write_bytes(content)
        assert measured(folder, "train_accuracy", "cpu") == number / 1000
        assert measured(folder, "train_accuracy", "cpu") == number / 1000


@pytest.mark.parametrize("what", KINDS)
def test_other_weights_numerics_or_hardware_are_measured_again(
    what: Measurement, folder: Path, made: list[Measurement], monkeypatch: pytest.MonkeyPatch
) -> None:
    measured(folder, what, "cpu")
    trained, weights, _ = run.read_weights(folder)
    name = next(iter(weights))
    sha256 = run.write_weights(folder, {**weights, name: weights[name] + 1}, trained)
    write_json(folder / run.RESULT, {**run.read_result(folder), "weights_sha256": sha256})
    assert measured(folder, what, "cpu") == 0.002
    monkeypatch.setattr(measure, "NUMERICS_VERSION", NUMERICS_VERSION + 1)
    assert measured(folder, what, "cpu") == 0.003
    monkeypatch.setattr(measure, "hardware", lambda device: {"processor": "another"})
    assert measured(folder, what, "cpu") == (0.004 if what in TIMES else 0.003)


def test_one_kind_measured_again_leaves_the_others(folder: Path, made: list[Measurement]) -> None:
    for what in KINDS:
        measured(folder, what, "cpu")
    edit(folder, KINDS[0], value=None)
    again = [measured(folder, what, "cpu") for what in KINDS]
    assert again == [0.005, 0.002, 0.003, 0.004] and len(made) == 5


@pytest.mark.parametrize("what", KINDS)
def test_changed_data_are_refused(what: Measurement, folder: Path) -> None:
    result = run.read_result(folder)
    (folder / run.RESULT).write_text(json.dumps({**result, "data_argument": "digits[90,30]"}))
    with pytest.raises(UserError, match=r"is not what .* was trained on, or has changed since"):
        measured(folder, what, "cpu")
    assert not (folder / MEASURED).exists()
