"""Pictures of any kind through a trained network."""

import io
import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from cifarlab import run
from cifarlab.data.digits import open_digits
from cifarlab.errors import UserError
from cifarlab.files import write_json
from cifarlab.models import PlainCnn
from cifarlab.predict import Classifier, Prediction, origin, predict
from cifarlab.recipe import Recipe
from cifarlab.run import load_network, read_result
from cifarlab.train import train


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run") / "tiny"
    recipe = Recipe(PlainCnn(widths=(4, 4, 8), batch_norm=True), epochs=1, batch_size=20, train_images=100)
    train(recipe, open_digits(), folder, device="cpu")
    return folder


def picture(mode: str = "RGB", size: tuple[int, int] = (32, 32), seed: int = 0) -> Image.Image:
    pixels = np.random.RandomState(seed).randint(0, 256, (size[1], size[0], 4), dtype=np.uint8)
    return Image.fromarray(pixels, "RGBA" if mode == "RGBA" else None).convert(mode)


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "bmp"])
@pytest.mark.parametrize("size", [(32, 32), (1, 1), (100, 40), (17, 300)])
def test_any_size_and_format_is_classified(
    trained: Path, tmp_path: Path, suffix: str, size: tuple[int, int]
) -> None:
    path = tmp_path / f"picture.{suffix}"
    picture(size=size).save(path)
    (found,) = predict(trained, [path], device="cpu")
    assert_whole(found, path)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
def test_any_mode_is_classified(trained: Path, tmp_path: Path, mode: str) -> None:
    path = tmp_path / "picture.png"
    if mode == "I;16":
        Image.fromarray(np.arange(1024, dtype=np.uint16).reshape(32, 32) * 60).save(path)
    else:
        picture(mode).save(path)
    (found,) = predict(trained, [path], device="cpu")
    assert_whole(found, path)


def assert_whole(found: Prediction, path: Path) -> None:
    assert found.file == str(path)
    assert list(found.probabilities) == list("0123456789")
    assert sum(found.probabilities.values()) == pytest.approx(1, abs=1e-12)
    assert all(0 <= value <= 1 for value in found.probabilities.values())
    assert found.class_name == max(found.probabilities, key=lambda name: found.probabilities[name])


def test_probabilities_are_the_network_s(trained: Path, tmp_path: Path) -> None:
    """Written out: bytes to −1 … 1, network in evaluation mode, softmax; one row per picture, in order."""
    paths = [tmp_path / f"{i}.png" for i in range(7)]
    for i, path in enumerate(paths):
        picture(seed=i).save(path)
    found = predict(trained, paths, device="cpu")
    _, network = load_network(trained)
    pixels = torch.stack([torch.from_numpy(np.array(Image.open(path))).permute(2, 0, 1) for path in paths])
    with torch.no_grad():
        expected = network(pixels.float() / 127.5 - 1).softmax(1)
    rows = torch.tensor([list(each.probabilities.values()) for each in found])
    torch.testing.assert_close(rows, expected, rtol=1e-4, atol=1e-6)
    assert [each.file for each in found] == list(map(str, paths))


def test_test_images_saved_as_png_get_the_test_set_s_answer(trained: Path, tmp_path: Path) -> None:
    """Pictures are prepared as the training pictures were: one of the right size is taken as it is."""
    test = open_digits().read_test()
    path = tmp_path / "digit.png"
    Image.fromarray(test.images[3].permute(1, 2, 0).numpy()).save(path)
    built, network = load_network(trained)
    with torch.no_grad():
        expected = network(built.normalize.apply(test.images[3:4])).softmax(1)[0]
    (found,) = predict(trained, [path], device="cpu")
    assert list(found.probabilities.values()) == pytest.approx(expected.tolist(), abs=1e-6)


def test_a_classifier_goes_from_a_picture_s_bytes_to_logits(trained: Path) -> None:
    classifier = Classifier.open(trained, "cpu")
    file = io.BytesIO()
    picture(size=(50, 40)).save(file, "PNG")
    pixels = classifier.decode(file.getvalue(), "photo.png")
    assert (pixels.dtype, pixels.shape) == (torch.uint8, (3, 32, 32))
    several = torch.stack([pixels, pixels.flip(2)])
    normalized = classifier.normalized(several)
    torch.testing.assert_close(normalized, several.float() / 127.5 - 1)
    with torch.no_grad():
        torch.testing.assert_close(classifier.logits(several), classifier.network(normalized))
    assert classifier.logits(several[:0]).shape == (0, 10)
    assert not classifier.network.training
    with pytest.raises(UserError, match=r"unreadable picture evil�\.png"):
        classifier.decode(b"no picture", "evil\x1b.png")


def test_answers_are_those_of_fp32_on_every_device(trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def remembered(*arguments: Any, **options: Any) -> torch.Tensor:
        asked.append(options["precision"])
        return torch.zeros(1, 10)

    monkeypatch.setattr("cifarlab.predict.logits_of", remembered)
    monkeypatch.setattr("cifarlab.predict.with_views", remembered)
    Classifier.open(trained, "cpu").logits(torch.zeros(1, 3, 32, 32, dtype=torch.uint8))
    assert asked == ["fp32", "fp32"]


def test_weights_that_give_no_number_are_said_to_be_damaged(trained: Path) -> None:
    classifier = Classifier.open(trained, "cpu")
    with torch.no_grad():
        next(classifier.network.parameters()).fill_(float("nan"))
    with pytest.raises(UserError, match="gives no finite answer; its weights are damaged"):
        classifier.logits(torch.zeros(1, 3, 32, 32, dtype=torch.uint8))


def test_an_origin_tells_data_and_accuracy_where_the_run_has_one(trained: Path, tmp_path: Path) -> None:
    accuracy = read_result(trained)["test_accuracy"]
    assert origin(trained) == (
        f"custom in {trained}, trained on digits; test accuracy {accuracy:.2%} (n = 450)"
    )
    (tmp_path / "recipe.json").write_bytes((trained / "recipe.json").read_bytes())
    assert origin(tmp_path) == f"custom in {tmp_path}, trained on digits"
    (tmp_path / "result.json").write_text('{"status": "finished"}')
    assert origin(tmp_path) == f"custom in {tmp_path}, trained on digits"


def broken(kind: str) -> bytes:
    file = io.BytesIO()
    picture().save(file, "PNG")
    return {
        "cut short": file.getvalue()[:-300],
        "empty": b"",
        "a text": b"no picture at all",
        "another format": b"GIF89a" + bytes(50),
    }[kind]


@pytest.mark.parametrize("kind", ["cut short", "empty", "a text", "another format"])
@pytest.mark.parametrize("name", ["bad.png", "evil\x1b[31m\n.png"])
def test_an_unreadable_picture_is_named_in_one_line(
    trained: Path, tmp_path: Path, kind: str, name: str
) -> None:
    good, bad = tmp_path / "good.png", tmp_path / name
    picture().save(good)
    bad.write_bytes(broken(kind))
    with pytest.raises(UserError) as caught:
        predict(trained, [good, bad], device="cpu")
    assert str(caught.value).startswith(f"unreadable picture {tmp_path}/")
    assert str(caught.value).isprintable()


def test_missing_pictures_folders_and_runs_are_named(trained: Path, tmp_path: Path) -> None:
    for path, reason in (
        (tmp_path / "absent.png", "no such file or folder"),
        (tmp_path, "a folder, not a file"),
    ):
        with pytest.raises(UserError, match=f"could not read {path}: .*{reason}"):
            predict(trained, [path], device="cpu")
    with pytest.raises(UserError, match="does not exist"):
        predict(tmp_path / "no run", [], device="cpu")


def test_no_pictures_give_no_predictions(trained: Path) -> None:
    assert predict(trained, [], device="cpu") == []


@pytest.mark.parametrize("kind", ["pipe", "device", "huge"])
def test_what_is_no_file_of_a_picture_s_size_is_refused_unread(
    trained: Path, tmp_path: Path, kind: str
) -> None:
    path = tmp_path / "picture.png"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path.symlink_to("/dev/null")
    else:
        path.touch()
        os.truncate(path, 2**26 + 1)
    reason = "is larger than 64 MiB" if kind == "huge" else "is not a plain file; name a picture"
    with pytest.raises(UserError, match=reason):
        predict(trained, [path], device="cpu")


def test_all_unreadable_pictures_are_counted(trained: Path, tmp_path: Path) -> None:
    paths = [tmp_path / f"{i}.png" for i in range(7)]
    picture().save(paths[0])
    for path in paths[1:]:
        path.write_bytes(b"no picture")
    with pytest.raises(UserError, match=r"6 of 7 pictures cannot be read: .*1\.png.*4\.png and 2 more"):
        predict(trained, paths, device="cpu")


def test_a_temperature_divides_the_logits_and_changes_no_class(trained: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(trained, tmp_path / "warm"))
    network, weights, _ = run.read_weights(folder)
    sha256 = run.write_weights(folder, weights, replace(network, temperature=0.5))
    write_json(folder / run.RESULT, {**run.read_result(folder), "weights_sha256": sha256})
    pixels = torch.randint(0, 256, (5, 3, 32, 32), dtype=torch.uint8)
    plain, warm = (Classifier.open(each, "cpu").logits(pixels) for each in (trained, folder))
    torch.testing.assert_close(warm, 2 * plain)


@pytest.mark.parametrize("temperature", [0.0, -1.0, float("inf"), float("nan")])
def test_a_temperature_that_makes_no_sense_is_refused(temperature: float, trained: Path) -> None:
    with pytest.raises(UserError, match="temperature must be finite and above 0"):
        replace(run.read_weights(trained)[0], temperature=temperature)
