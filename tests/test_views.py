"""Test-time views: beside a loop over single pictures, and wherever a finished run is judged or asked."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from cifarlab import metrics, run, views
from cifarlab.config import from_json, to_json
from cifarlab.data.batches import DeviceSplit, whole
from cifarlab.errors import UserError
from cifarlab.evaluate import logits_of, with_views
from cifarlab.explain import conduct
from cifarlab.explain.confidence import Temperature, temperature_scaling
from cifarlab.explain.subjects import read_kept_test
from cifarlab.judge import judge
from cifarlab.models import FastCnn
from cifarlab.own_data import own_data
from cifarlab.predict import Classifier
from cifarlab.recipe import EvaluationMode, Judging, Recipe, TrainingMode, judging_under
from cifarlab.run import TrainedNetwork
from cifarlab.studies.rows import entries_of
from cifarlab.train import train
from cifarlab.views import TestTimeViews
from support import metrics_of, small_recipe, synthetic_source, synthetic_split

CPU = torch.device("cpu")
SIZE = 12
SOURCE = synthetic_source(size=SIZE, noise=120)
RECIPE = small_recipe(model=FastCnn((4, 4, 8)), views=TestTimeViews(shift=2, unsure=0.6))


def network_and_images() -> tuple[nn.Module, DeviceSplit]:
    """Random weights whose logits are spread out, so that some answers are sure and some are not."""
    data = whole(synthetic_split(40, 3, size=SIZE), CPU)
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(0)
        network: Any = FastCnn((4, 4, 8), logit_scale=1.0).build(3, SIZE).eval()
        logits = logits_of(network, data, RECIPE.normalize)
        network.classifier.weight.div_(logits.std(0).mean())
        network.classifier.bias.sub_(logits_of(network, data, RECIPE.normalize).mean(0))
    return network, data


def looks_at(image: Tensor, shift: int) -> list[tuple[float, Tensor]]:
    """The views of a picture ``[3, S, S]`` and their weights, pixel by pixel."""
    size = image.shape[-1]

    def reflected(place: int) -> int:
        return -place if place < 0 else 2 * (size - 1) - place if place >= size else place

    def view(down: int, mirrored: bool) -> Tensor:
        seen = torch.empty_like(image)
        for row in range(size):
            for column in range(size):
                from_column = size - 1 - column if mirrored else column
                seen[:, row, column] = image[:, reflected(row - down), reflected(from_column - down)]
        return seen

    if shift == 0:
        return [(0.5, view(0, mirrored)) for mirrored in (False, True)]
    still = [(0.25, view(0, mirrored)) for mirrored in (False, True)]
    moved = [(0.125, view(down, mirrored)) for down in (-shift, shift) for mirrored in (False, True)]
    return still + moved


@pytest.mark.parametrize(("shift", "unsure"), [(0, 1.0), (1, 1.0), (3, 1.0), (1, 0.6), (0, 0.6), (1, 0.01)])
def test_a_loop_over_pictures_says_the_same(shift: int, unsure: float) -> None:
    network, data = network_and_images()
    normalize = RECIPE.normalize
    first = logits_of(network, data, normalize)
    found = with_views(TestTimeViews(shift, unsure), first, network, data, normalize, batch_size=7)
    expected, again = [], 0
    with torch.no_grad():
        for image in normalize.apply(data.images):
            logits = network(image[None])[0]
            if unsure == 1 or logits.softmax(0).max() < unsure:
                again += 1
                weighted = [weight * network(look[None])[0] for weight, look in looks_at(image, shift)]
                logits = torch.stack(weighted).sum(0)
            expected.append(logits)
    torch.testing.assert_close(found, torch.stack(expected), rtol=0, atol=1e-5)
    assert unsure != 0.6 or 5 < again < 35, "some pictures must be sure and some not"


def test_only_the_unsure_are_looked_at_again() -> None:
    network, data = network_and_images()
    first = logits_of(network, data, RECIPE.normalize)
    seen: list[int] = []
    network.register_forward_hook(lambda module, inputs, output: seen.append(len(output)))
    with_views(TestTimeViews(1, 0.6), first, network, data, RECIPE.normalize)
    assert sum(seen) == 5 * int((first.softmax(1).amax(1) < 0.6).sum()) < 5 * len(data)
    assert with_views(None, first, network, data, RECIPE.normalize) is first


def test_a_certain_answer_is_averaged_too_where_all_are_asked_for() -> None:
    certain = torch.tensor([[200.0, 0.0], [0.0, 0.1]])
    assert TestTimeViews(unsure=1.0).asks_again(certain).tolist() == [True, True]
    assert TestTimeViews(unsure=0.99).asks_again(certain).tolist() == [False, True]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("views") / "run"
    train(RECIPE, SOURCE, folder, device="cpu", protocols="B,C")
    return folder


def expected_of(folder: Path, data: DeviceSplit) -> tuple[Tensor, Tensor]:
    """Logits without views and with them."""
    trained, network = run.load_network(folder)
    first = logits_of(network, data, trained.normalize)
    return first, with_views(RECIPE.views, first, network, data, trained.normalize)


def test_a_run_is_judged_by_its_views_and_says_what_they_gave(folder: Path) -> None:
    test = whole(SOURCE.read_test(), CPU)
    first, averaged = expected_of(folder, test)
    kept = read_kept_test(folder, 3, SIZE)
    result = run.read_result(folder)
    assert kept is not None and not torch.allclose(first, averaged, atol=1e-3)
    torch.testing.assert_close(kept.logits, averaged, rtol=0, atol=1e-5)
    assert result["test_accuracy"] == metrics.correct_count(averaged, test.labels) / 30
    assert result["test_accuracy_without_views"] == metrics.correct_count(first, test.labels) / 30
    best = metrics_of(folder)[result["best_epoch"] - 1]
    assert best["test_accuracy"] == result["test_accuracy_without_views"]  # epochs are judged without
    plain = expected_of(folder, test)[0].argmax(1)
    assert not torch.equal(plain, averaged.argmax(1)), "here the views must change an answer"


def test_choosing_on_the_test_set_is_compared_without_views(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = {**run.read_result(folder), "test_accuracy": 0.01}  # that with views must not count
    monkeypatch.setattr(run, "read_result", lambda _: result)
    _, _, best, optimism, *_ = entries_of([folder])
    assert (best.protocol, optimism.quantity, optimism.protocol) == ("B", "difference", "B")
    assert best.ours is not None and optimism.ours is not None
    assert optimism.ours.mean == best.ours.mean - result["test_accuracy_without_views"] >= 0


def test_evaluate_and_predict_use_them(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cifarlab.judge.open_source", lambda *arguments: SOURCE)
    result = run.read_result(folder)
    assert judge(folder, data="synthetic", device="cpu")["accuracy"] == result["test_accuracy"]
    pixels = SOURCE.read_test().images
    averaged = expected_of(folder, whole(SOURCE.read_test(), CPU))[1]
    torch.testing.assert_close(Classifier.open(folder, "cpu").logits(pixels), averaged, rtol=0, atol=1e-5)


def test_a_temperature_is_fitted_on_validation_logits_with_views(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[Tensor] = []

    def recorded(held_out: tuple[Tensor, Tensor], test: tuple[Tensor, Tensor]) -> Temperature:
        given.append(held_out[0])
        return temperature_scaling(held_out, test)

    monkeypatch.setattr(conduct, "temperature_scaling", recorded)
    data = own_data(folder, SOURCE, CPU)
    classifier, description = Classifier.open(folder, "cpu"), run.read_description(folder)
    conduct.temperature_of(description, classifier, data, read_kept_test(folder, 3, SIZE))
    torch.testing.assert_close(given[0], expected_of(folder, data.validation)[1], rtol=0, atol=1e-5)


def test_a_run_without_views_says_nothing_of_them(tmp_path: Path) -> None:
    result = train(replace(RECIPE, views=None, epochs=1), SOURCE, tmp_path / "run", device="cpu")
    assert "test_accuracy_without_views" not in result


def test_files_of_before_are_read_as_without_views(folder: Path) -> None:
    trained = run.read_weights(folder)[0]
    assert trained.views == RECIPE.views
    for kind, config in ((TrainedNetwork, trained), (Recipe, RECIPE)):
        written = json.loads(json.dumps(to_json(config)))
        assert from_json(kind, written) == config
        for field in ("views", "resolution", "freezing"):
            written.pop(field, None)
        assert from_json(kind, written) == replace(config, views=None)


def test_training_mode_has_no_views() -> None:
    recipe = Recipe(FastCnn(), views=TestTimeViews(), published=Judging(mode=TrainingMode()))
    assert judging_under(recipe, "C").mode == EvaluationMode()
    with pytest.raises(UserError, match="views need a network in evaluation mode"):
        judging_under(recipe, "A")


def test_a_shift_as_wide_as_the_images_is_refused(tmp_path: Path) -> None:
    recipe = small_recipe(views=TestTimeViews(shift=8))
    with pytest.raises(UserError, match="8 pixels are too many for images of 8"):
        train(recipe, synthetic_source(), tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "values", [{"shift": -1}, {"shift": 9}, {"unsure": 0.0}, {"unsure": 1.1}, {"unsure": float("nan")}]
)
def test_values_that_make_no_sense_are_refused(values: dict[str, Any]) -> None:
    with pytest.raises(UserError, match=r"^TestTimeViews: \w+ must lie in"):
        TestTimeViews(**values)


def test_moves_are_opposite() -> None:
    images = torch.arange(25.0).view(1, 1, 5, 5)
    up_left, down_right = views.moved(images, 1)
    assert torch.equal(up_left[..., :-1, :-1], images[..., 1:, 1:])
    assert torch.equal(down_right[..., 1:, 1:], images[..., :-1, :-1])
