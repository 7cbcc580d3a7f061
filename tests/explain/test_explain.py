"""A run explained: what is kept, what it says, and what happens where something is missing."""

import io
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from cifarlab import run
from cifarlab.data.sources import open_source
from cifarlab.data.split import source_of
from cifarlab.errors import UserError
from cifarlab.explain import conduct, explain
from cifarlab.explain.drawing import evenly
from cifarlab.explain.explanation import EXPLANATION, FILE_NAME, FOLDER, Explanation, read_explanation
from cifarlab.explain.overlay import picture_png
from cifarlab.explain.subjects import read_kept_test
from cifarlab.files import write_json
from cifarlab.metrics import calibration
from cifarlab.models import TinyAttention
from cifarlab.own_data import own_data, own_source
from cifarlab.predict import predict
from cifarlab.train import train
from explain.conftest import DIGITS, forget_mistakes
from study_samples import RECIPE
from support import CLASS_NAMES, contents, small_recipe, synthetic_source


@pytest.fixture(scope="module")
def explained(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Explanation]:
    folder = Path(shutil.copytree(trained, tmp_path_factory.mktemp("explained") / "tiny"))
    return folder, explain(folder, [_own_picture(folder.parent)], mistakes=3, device="cpu")


def _own_picture(folder: Path) -> Path:
    """The third training image as a file."""
    path = folder / "three.png"
    path.write_bytes(picture_png(open_source(DIGITS).read_train().images[3], zoom=1))
    return path


def test_what_is_kept_is_what_was_returned(explained: tuple[Path, Explanation]) -> None:
    folder, found = explained
    assert read_explanation(folder) == found
    named = set()
    for picture in found.pictures:
        panels = [*picture.grad_cam, *picture.masks, picture.integrated_gradients, picture.occlusion]
        panels += [picture.for_truth] if picture.for_truth else []
        named |= {picture.file, *(each.file for each in panels), *(each.file for each in picture.neighbors)}
    assert {path.name for path in (folder / FOLDER).iterdir()} == {EXPLANATION, *named}
    for name in named:
        assert FILE_NAME.fullmatch(name)
        with Image.open(folder / FOLDER / name) as image:
            assert image.size == (128, 128)


def test_mistakes_are_those_of_the_run(explained: tuple[Path, Explanation]) -> None:
    folder, found = explained
    kept = read_kept_test(folder, 10, 32)
    assert kept is not None
    mistakes = [picture for picture in found.pictures if picture.truth is not None]
    assert [each.name for each in mistakes] == [f"test image {place}" for place in kept.mistakes[:3].tolist()]
    for each, place in zip(mistakes, kept.mistakes[:3].tolist(), strict=True):
        probabilities = kept.logits[place].softmax(0)
        assert each.truth == str(int(kept.labels[place])) != each.said
        assert each.said == str(int(probabilities.argmax()))
        assert each.confidence == pytest.approx(float(probabilities.max()), rel=1e-5)
        assert each.for_truth is not None and each.for_truth.file != each.grad_cam[-1].file
        assert [panel.title for panel in each.grad_cam] == [f"features.{n}" for n in (1, 4, 8, 11, 16, 19)], (
            "six convolutions behind their activations"
        )
    confidences = [each.confidence for each in mistakes]
    assert confidences == sorted(confidences, reverse=True)


def test_a_picture_of_the_user_s_own_comes_first_and_finds_itself(
    explained: tuple[Path, Explanation],
) -> None:
    folder, found = explained
    own = found.pictures[0]
    (prediction,) = predict(folder, [folder.parent / "three.png"], device="cpu")
    assert (own.name, own.truth, own.for_truth) == ("three.png", None, None)
    assert own.said == prediction.class_name
    assert own.confidence == pytest.approx(prediction.probabilities[own.said], rel=1e-6)
    training = own_data(folder, own_source(folder), torch.device("cpu"))
    if 3 in training.training.indices.tolist():  # unless it was held out
        assert own.neighbors[0].index == 3
        assert own.neighbors[0].similarity == pytest.approx(1, abs=1e-5)
    for each in own.neighbors:
        assert each.index in training.training.indices.tolist(), "an image that the run was trained on"
        assert each.class_name == str(int(training.training.labels[each.index]))


def test_zeros_and_temperature(explained: tuple[Path, Explanation]) -> None:
    folder, found = explained
    assert found.zeros_images == 40
    assert [each.layer for each in found.zeros] == [f"features.{n}" for n in (1, 4, 8, 11, 16, 19)]
    assert all(
        each.values == 40 * channels * side**2
        for each, (channels, side) in zip(
            found.zeros, [(4, 32), (4, 32), (4, 16), (4, 16), (8, 8), (8, 8)], strict=True
        )
    )
    kept = read_kept_test(folder, 10, 32)
    assert kept is not None and found.temperature is not None
    assert found.temperature.fitted_on == run.read_result(folder)["val_images"]
    scaled = kept.logits.double() / found.temperature.value
    assert found.temperature.error_after == pytest.approx(calibration(scaled, kept.labels)[0])
    assert found.notes == ()


def test_twice_is_the_same_to_the_byte(copied: Path) -> None:
    explain(copied, mistakes=2, device="cpu")
    first = contents(copied / FOLDER)
    explain(copied, mistakes=2, device="cpu")
    assert contents(copied / FOLDER) == first


def test_a_damaged_picture_and_what_a_crash_has_left_are_mended(copied: Path) -> None:
    explain(copied, mistakes=2, device="cpu")
    first = contents(copied / FOLDER)
    damaged = next((copied / FOLDER).glob("*.png"))
    damaged.write_bytes(b"")
    (copied / FOLDER / f".{damaged.name}.0123abcd.tmp").touch()
    explain(copied, mistakes=2, device="cpu")
    assert contents(copied / FOLDER) == first


def test_what_is_not_named_any_more_goes_and_other_files_stay(copied: Path) -> None:
    explain(copied, mistakes=2, device="cpu")
    before = contents(copied, but=(".lock",))
    (copied / FOLDER / "Mine.png").write_bytes(b"mine")
    found = explain(copied, mistakes=0, device="cpu")
    assert found.pictures == ()
    assert set(contents(copied / FOLDER)) == {EXPLANATION, "Mine.png"}
    after = contents(copied, but=(".lock",))
    assert all(after[name] == before[name] for name in before if not name.startswith(FOLDER))


def test_a_crash_leaves_the_old_explanation_whole(copied: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    explain(copied, mistakes=1, device="cpu")
    before = contents(copied / FOLDER)

    def crash(path: Path, value: Any) -> None:
        raise UserError("the disk is full")

    monkeypatch.setattr("cifarlab.explain.explanation.write_json", crash)
    with pytest.raises(UserError, match="disk is full"):
        explain(copied, mistakes=2, device="cpu")
    assert before.items() <= contents(copied / FOLDER).items()


def test_layers_that_are_asked_for(copied: Path) -> None:
    found = explain(copied, mistakes=1, layers=("features.18", "features.0"), device="cpu")
    assert [each.title for each in found.pictures[0].grad_cam] == ["features.0", "features.18"]
    wide = replace(RECIPE, model=TinyAttention(width=8, depths=(1, 1, 1), last_units=0))
    folder = copied.parent / "attention"
    train(replace(wide, epochs=1, train_images=20), open_source(DIGITS), folder, device="cpu")
    everything = explain(folder, mistakes=1, layers=("all",), device="cpu")
    picture = everything.pictures[0]
    assert len(picture.grad_cam) == 8 and len(picture.masks) == 3
    few = [each.title for each in explain(folder, mistakes=1, device="cpu").pictures[0].grad_cam]
    titles = [each.title for each in picture.grad_cam]
    assert len(few) == 6 and (few[0], few[-1]) == (titles[0], titles[-1])
    assert few == [title for title in titles if title in few], "from early to late"


HOSTILE = ("<script>alert(1)</script>", "\x1b[31mred\x07\n", "\u202eevil")


def test_data_that_are_gone_and_hostile_names(tmp_path: Path) -> None:
    source = synthetic_source(noise=200.0)
    assert source.description.class_names == CLASS_NAMES
    train_split, test_split = (
        replace(split, class_names=HOSTILE) for split in (source.read_train(), source.read_test())
    )
    hostile = source_of("synthetic", train_split, test_split, "given", source.description.preparation)
    folder = tmp_path / "run"
    train(small_recipe(epochs=1), hostile, folder, device="cpu", data_argument="gone/away")
    found = explain(folder, mistakes=2, device="cpu")
    assert len(found.pictures) == 2 and {each.said for each in found.pictures} <= set(HOSTILE)
    assert all(each.neighbors == () for each in found.pictures)
    assert (found.zeros, found.temperature) == ((), None)
    (note,) = found.notes
    assert note.startswith("The nearest training images, ") and "gone/away" in note
    sizes = {
        Image.open(io.BytesIO(each)).size for name, each in contents(folder / FOLDER).items() if "png" in name
    }
    assert sizes == {(128, 128)}, "8 × 8 pixels, 16 times as large"


def test_no_mistakes_and_no_test_images_are_sentences(copied: Path) -> None:
    forget_mistakes(copied)
    assert explain(copied, device="cpu").notes[0] == (
        "There are no mistakes to explain: every test image was classified right."
    )
    (copied / run.TEST_LOGITS).unlink()
    found = explain(copied, device="cpu")
    assert found.notes == ("The run keeps no test images, so there are no mistakes to explain.",)
    assert found.pictures == () and found.zeros and found.temperature is None


def test_no_validation_images_are_a_sentence(copied: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own_data = conduct._own_data

    def without_validation(*arguments: Any) -> Any:
        data, reason = own_data(*arguments)
        assert data is not None
        return replace(
            data, validation=replace(data.validation, indices=torch.empty(0, dtype=torch.int64))
        ), reason

    monkeypatch.setattr(conduct, "_own_data", without_validation)
    found = explain(copied, mistakes=0, device="cpu")
    assert found.temperature is None
    assert found.notes[0].startswith("No temperature is fitted: the run held out no validation images")


def test_another_precision_is_said(copied: Path) -> None:
    result = run.read_result(copied)
    write_json(copied / run.RESULT, {**result, "precision": "bf16"})
    assert any("judged in bf16" in note for note in explain(copied, mistakes=0, device="cpu").notes)


def test_a_temperature_that_does_not_help_is_said(copied: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = explain(copied, mistakes=0, device="cpu").temperature
    assert found is not None
    useless = replace(found, loss_before=1.0, loss_after=1.0)
    monkeypatch.setattr(conduct, "temperature_scaling", lambda *sets: useless)
    assert any("does not carry over" in note for note in explain(copied, mistakes=0, device="cpu").notes)


@pytest.mark.parametrize(
    ("count", "at_most", "kept"),
    [(100, 5, (0, 25, 50, 74, 99)), (3, 5, (0, 1, 2)), (4, None, (0, 1, 2, 3))],
)
def test_evenly_keeps_the_first_and_the_last(count: int, at_most: int | None, kept: tuple[int, ...]) -> None:
    assert evenly(range(count), at_most) == kept
