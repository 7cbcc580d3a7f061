"""A finished run, evaluated again."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from cifarlab import judge as judging
from cifarlab import run
from cifarlab.data.digits import open_digits
from cifarlab.data.holdout import Fraction
from cifarlab.data.pictures import Preparation
from cifarlab.data.sources import open_source
from cifarlab.data.split import Source, Split, source_of
from cifarlab.errors import UserError
from cifarlab.exclusion import ExcludedImage, Exclusions, Partner, write_exclusions
from cifarlab.judge import Part, judge
from cifarlab.metrics import confusion
from cifarlab.models import PlainCnn
from cifarlab.optim import Adam
from cifarlab.recipe import Judging, Recipe, TrainingMode
from cifarlab.run import read_metrics, read_result
from cifarlab.statistics import accuracy_interval
from cifarlab.train import train

RECIPE = Recipe(
    model=PlainCnn(widths=(4, 4, 8), batch_norm=True, dropout=(0.2, 0.2, 0.2)),
    optimizer=Adam(lr=0.01),
    epochs=1,
    batch_size=20,
    train_images=200,
    published=Judging(Fraction(0.1), "val_loss", TrainingMode(batch_size=4, validation_batch_size=16)),
)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run") / "tiny"
    train(RECIPE, open_digits(), folder, seed=1, device="cpu", data_argument="digits")
    return folder


def write_pictures(folder: Path, classes: tuple[str, ...], each: int = 6) -> Path:
    random = np.random.RandomState(0)
    for name in classes:
        (folder / name).mkdir(parents=True)
        for i in range(each):
            pixels = random.randint(0, 256, (32, 32, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{i}.png")
    return folder


@pytest.fixture(scope="module")
def on_pictures(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A run on a folder of pictures, and that folder."""
    folder = tmp_path_factory.mktemp("pictures")
    data = write_pictures(folder / "data", ("cat", "dog"), each=12)
    recipe = replace(RECIPE, train_images=None, judging=Judging(Fraction(0.3)))
    train(recipe, open_source(str(data)), folder / "run", device="cpu", data_argument=str(data))
    return folder / "run", data


@pytest.fixture
def copied(trained: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(trained, tmp_path / "copied"))


def test_the_test_set_gives_the_result_again(trained: Path) -> None:
    result, found = read_result(trained), judge(trained, device="cpu")
    assert found["accuracy"] == result["test_accuracy"]
    assert found["images"] == result["test_images"] == 450
    assert found["loss"] == pytest.approx(result["test_loss"], rel=1e-6)
    for name in ("interval", "balanced_accuracy", "per_class", "confusion_matrix"):
        assert found[name] == result[name], name
    assert found["calibration"]["ece"] == pytest.approx(result["calibration"]["ece"], abs=1e-6)
    assert (found["data"], found["part"], found["mode"]) == ("digits", "test", "evaluation")
    assert found["class_names"] == list("0123456789")
    json.dumps(found, allow_nan=False)


def test_the_run_s_own_parts_can_be_judged(trained: Path) -> None:
    (line,) = read_metrics(trained)
    validation = judge(trained, part="validation", device="cpu")
    assert validation["images"] == 135
    assert validation["accuracy"] == line["val_accuracy"]
    assert validation["loss"] == pytest.approx(line["val_loss"], rel=1e-5)
    training = judge(trained, part="train", device="cpu")
    assert training["images"] == 200
    assert [row["images"] for row in training["per_class"]] == [20] * 10


def test_judging_twice_gives_the_same_and_changes_nothing(trained: Path) -> None:
    before = {path.name: path.read_bytes() for path in trained.iterdir()}
    assert judge(trained, device="cpu") == judge(trained, device="cpu")
    assert {path.name: path.read_bytes() for path in trained.iterdir()} == before


@pytest.mark.parametrize(("part", "sizes"), [("test", {4, 450 % 4}), ("validation", {16, 135 % 16})])
def test_as_published_stays_in_training_mode_with_its_batches(
    trained: Path, monkeypatch: pytest.MonkeyPatch, part: Any, sizes: set[int]
) -> None:
    seen: list[tuple[bool, int]] = []
    load = run.load_network

    def watched(folder: Path) -> Any:
        built, network = load(folder)
        network.register_forward_hook(lambda module, args, out: seen.append((module.training, len(out))))
        return built, network

    plain = judge(trained, part=part, device="cpu")
    monkeypatch.setattr(run, "load_network", watched)
    found = judge(trained, part=part, mode="as-published", device="cpu")
    assert found["mode"] == "as-published"
    assert found["loss"] != plain["loss"]
    assert {training for training, _ in seen} == {True}
    assert {size for _, size in seen} == sizes


def test_the_same_data_elsewhere_are_taken(on_pictures: tuple[Path, Path], tmp_path: Path) -> None:
    folder, data = on_pictures
    moved = shutil.copytree(data, tmp_path / "moved")
    here = judge(folder, part="validation", device="cpu")
    there = judge(folder, data=str(moved), part="validation", device="cpu")
    assert here["images"] == 6
    assert there == {**here, "data": "moved"}


def test_other_images_of_the_same_classes_are_judged(trained: Path, tmp_path: Path) -> None:
    data = write_pictures(tmp_path / "mine", tuple("0123456789"), each=3)
    found = judge(trained, data=str(data), device="cpu")
    assert (found["data"], found["images"]) == ("mine", 10)
    parts: tuple[Part, ...] = ("train", "validation")
    for part in parts:
        with pytest.raises(UserError, match=r"mine is not what .* was trained on"):
            judge(trained, data=str(data), part=part, device="cpu")


def test_data_of_other_classes_are_refused(trained: Path, tmp_path: Path) -> None:
    data = write_pictures(tmp_path / "animals", ("cat", "dog"))
    with pytest.raises(UserError) as caught:
        judge(trained, data=str(data), device="cpu")
    assert "animals has other class names than" in str(caught.value)
    assert "('cat', 'dog')" in str(caught.value)
    assert str(caught.value).isprintable()


def test_data_of_another_size_are_refused(trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small = Split(torch.zeros(20, 3, 16, 16, dtype=torch.uint8), torch.arange(20) % 10, tuple("0123456789"))
    source: Source = source_of("small", small, small, "given", Preparation(16))
    monkeypatch.setattr(judging, "open_source", lambda name, preparation=None: source)
    with pytest.raises(UserError, match=r"small has other image size than .*: 16, not 32"):
        judge(trained, data="small", device="cpu")


@pytest.mark.parametrize("half", ["train", "test"])
@pytest.mark.parametrize("part", ["test", "train", "validation"])
def test_changed_data_are_refused(
    trained: Path, monkeypatch: pytest.MonkeyPatch, half: str, part: Any
) -> None:
    """One pixel by one gray level is enough."""
    source = open_digits()
    split = source.read_train() if half == "train" else source.read_test()
    split.images[7, 0, 16, 16] ^= 1
    description = source.description
    changed = source_of(
        "digits", source.read_train(), source.read_test(), description.test_set, description.preparation
    )
    monkeypatch.setattr(judging, "open_source", lambda name, preparation=None: changed)
    with pytest.raises(UserError, match=r"digits is not what .* was trained on, or has changed since"):
        judge(trained, part=part, device="cpu")


def test_a_changed_picture_is_noticed(on_pictures: tuple[Path, Path], tmp_path: Path) -> None:
    folder, data = on_pictures
    changed = shutil.copytree(data, tmp_path / "data")
    result = json.loads((folder / "result.json").read_text())
    copy = shutil.copytree(folder, tmp_path / "run")
    (copy / "result.json").write_text(json.dumps({**result, "data_argument": str(changed)}))
    judge(copy, device="cpu")
    Image.new("RGB", (32, 32), "red").save(changed / "cat" / "0.png")
    with pytest.raises(UserError, match="has changed since; name the right data with --data"):
        judge(copy, device="cpu")


def test_data_that_are_gone_are_named(on_pictures: tuple[Path, Path], tmp_path: Path) -> None:
    folder, _ = on_pictures
    copy = shutil.copytree(folder, tmp_path / "run")
    result = json.loads((copy / "result.json").read_text())
    (copy / "result.json").write_text(json.dumps({**result, "data_argument": str(tmp_path / "gone")}))
    with pytest.raises(UserError, match="gone"):
        judge(copy, device="cpu")


@pytest.mark.parametrize("argument", ["", None])
def test_a_run_that_does_not_say_what_opens_its_data_asks_for_them(
    copied: Path, argument: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Trained from Python without ``data_argument``: the folder one happens to be in is not its data."""
    result = json.loads((copied / "result.json").read_text())
    del result["data_argument"]
    more = {} if argument is None else {"data_argument": argument}
    (copied / "result.json").write_text(json.dumps({**result, **more}))
    write_pictures(tmp_path / "xyzzy", tuple("0123456789"), each=3)
    monkeypatch.chdir(tmp_path / "xyzzy")
    with pytest.raises(UserError, match="--data") as caught:
        judge(copied, device="cpu")
    assert "xyzzy" not in str(caught.value)
    assert judge(copied, data="digits", device="cpu")["accuracy"] == result["test_accuracy"]


def test_a_recipe_without_a_published_mode_is_refused(on_pictures: tuple[Path, Path], tmp_path: Path) -> None:
    folder = tmp_path / "plain"
    train(replace(RECIPE, published=None), open_digits(), folder, device="cpu", data_argument="digits")
    with pytest.raises(UserError) as caught:
        judge(folder, mode="as-published", device="cpu")
    assert "as published" in str(caught.value)
    assert "--protocols" not in str(caught.value)  # which is an option of train


def test_an_unfinished_run_is_refused(copied: Path) -> None:
    (copied / "result.json").unlink()
    with pytest.raises(UserError, match="has not finished"):
        judge(copied, device="cpu")


def test_the_stored_logits_are_those_of_the_weights(trained: Path) -> None:
    stored = load_file(trained / "test_logits.safetensors")
    right = (stored["logits"].argmax(1) == stored["labels"]).double().mean()
    assert judge(trained, device="cpu")["accuracy"] == float(right)


def listed(folder: Path, trained: Path, *indices: int, **changes: Any) -> Path:
    """A list of excluded images for the run's own data."""
    data = run.read_description(trained).data
    images = tuple(
        ExcludedImage(index, f"test[{index}]", "near", Partner("train", 0, "train[0]")) for index in indices
    )
    folder.mkdir()
    write_exclusions(
        folder, replace(Exclusions("digits", data.train_sha256, data.test_sha256, images), **changes)
    )
    return folder


def test_a_list_of_excluded_images_gives_both_accuracies(trained: Path, tmp_path: Path) -> None:
    excluded = [0, 3, 17, 449]
    path = listed(tmp_path / "audit", trained, *excluded)
    plain, found = judge(trained, device="cpu"), judge(trained, device="cpu", exclude=path)
    assert {name: found[name] for name in plain} == plain
    stored = load_file(trained / "test_logits.safetensors")
    right = stored["logits"].argmax(1) == stored["labels"]
    stays = torch.ones(450, dtype=torch.bool)
    stays[excluded] = False
    without = found["without_excluded"]
    assert without["accuracy"] == int(right[stays].sum()) / 446
    assert (without["images"], without["excluded"], without["by"]) == (446, 4, str(path))
    assert without["interval"] == list(accuracy_interval(int(right[stays].sum()), 446))
    assert without["confusion_matrix"] == confusion(stored["logits"][stays], stored["labels"][stays])
    assert set(plain) - set(without) == {"run", "data", "part", "mode", "class_names"}
    alone, correct = found["only_excluded"], int(right[~stays].sum())
    assert alone == {"accuracy": correct / 4, "images": 4, "interval": [*accuracy_interval(correct, 4)]}


def test_a_list_without_images_changes_nothing(trained: Path, tmp_path: Path) -> None:
    found = judge(trained, device="cpu", exclude=listed(tmp_path / "audit", trained))
    assert found["without_excluded"]["accuracy"] == found["accuracy"]
    assert found["without_excluded"]["excluded"] == 0
    assert found["only_excluded"] is None


def test_the_list_is_only_about_the_test_set_of_the_same_data(trained: Path, tmp_path: Path) -> None:
    path = listed(tmp_path / "audit", trained, 1)
    for part in get_args(Part)[1:]:
        with pytest.raises(UserError, match=f"about the test set, not the {part} part"):
            judge(trained, part=part, device="cpu", exclude=path)
    for name, words in (("test_sha256", "another test set"), ("train_sha256", "another training set")):
        other = listed(tmp_path / name, trained, 1, **{name: "0" * 64})
        with pytest.raises(UserError, match=words):
            judge(trained, device="cpu", exclude=other)
    with pytest.raises(UserError, match="a test set of 450 does not have"):
        judge(trained, device="cpu", exclude=listed(tmp_path / "far", trained, 450))
    with pytest.raises(UserError, match="excludes every test image"):
        judge(trained, device="cpu", exclude=listed(tmp_path / "all", trained, *range(450)))


def test_a_list_of_data_that_the_run_was_not_trained_on_is_refused(
    on_pictures: tuple[Path, Path], tmp_path: Path
) -> None:
    other = write_pictures(tmp_path / "other", ("cat", "dog"), each=18)
    data = open_source(str(other)).description
    write_exclusions(tmp_path, Exclusions("other", data.train_sha256, data.test_sha256, ()))
    with pytest.raises(UserError, match="made for another training set than the run's"):
        judge(on_pictures[0], data=str(other), device="cpu", exclude=tmp_path)
