"""Accuracy, balanced accuracy, confusion, loss, calibration and interval against other programs."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from safetensors.torch import load_file
from sklearn.metrics import accuracy_score, balanced_accuracy_score, confusion_matrix, log_loss, recall_score
from torch import Tensor

from cifarlab import metrics, run
from cifarlab.evaluate import logits_of, verdict
from cifarlab.job import divide
from cifarlab.models import PlainCnn
from cifarlab.optim import Sgd
from cifarlab.statistics import accuracy_interval
from cifarlab.train import train
from support import CLASS_NAMES, small_recipe, synthetic_source

TOLERANCE = 1e-12


def _case(seed: int, images: int, classes: int, scale: float) -> tuple[Tensor, Tensor]:
    """Logits and labels; every class has an image."""
    random = np.random.default_rng(seed)
    labels = np.concatenate([np.arange(classes), random.integers(0, classes, images - classes)])
    logits = (random.normal(size=(images, classes)) * scale).astype(np.float32)
    return torch.from_numpy(logits), torch.from_numpy(labels)


def _probabilities(logits: Tensor) -> NDArray[np.float64]:
    exact = logits.numpy().astype(np.float64)
    powers = np.exp(exact - exact.max(axis=1, keepdims=True))
    shares: NDArray[np.float64] = powers / powers.sum(axis=1, keepdims=True)
    return shares


CASES = [(0, 500, 10, 3.0), (1, 37, 3, 1.0), (2, 1000, 100, 5.0), (3, 12, 12, 0.1), (4, 4000, 2, 4.0)]


@pytest.mark.parametrize("case", CASES)
def test_against_scikit_learn(case: tuple[int, int, int, float]) -> None:
    logits, labels = _case(*case)
    names = tuple(f"class {number}" for number in range(case[2]))
    found, truth, predicted = verdict(logits, labels, names), labels.numpy(), logits.numpy().argmax(1)
    assert found["images"] == case[1]
    assert found["accuracy"] == pytest.approx(accuracy_score(truth, predicted), abs=TOLERANCE)
    assert found["balanced_accuracy"] == pytest.approx(
        balanced_accuracy_score(truth, predicted), abs=TOLERANCE
    )
    assert found["confusion_matrix"] == confusion_matrix(truth, predicted, labels=range(case[2])).tolist()
    recalls = recall_score(truth, predicted, average=None)
    assert [row["accuracy"] for row in found["per_class"]] == pytest.approx(recalls, abs=TOLERANCE)
    assert [row["class"] for row in found["per_class"]] == list(names)
    expected_loss = log_loss(truth, _probabilities(logits), labels=range(case[2]))
    assert found["loss"] == pytest.approx(expected_loss, rel=TOLERANCE, abs=TOLERANCE)


@pytest.mark.parametrize("case", CASES)
def test_against_plain_loops(case: tuple[int, int, int, float]) -> None:
    logits, labels = _case(*case)
    shares, truth = _probabilities(logits), labels.numpy()
    right = sum(int(row.argmax() == label) for row, label in zip(shares, truth, strict=True))
    assert metrics.correct_count(logits, labels) == right
    loss = sum(-math.log(row[label]) for row, label in zip(shares, truth, strict=True)) / len(truth)
    assert metrics.mean_loss(logits, labels) == pytest.approx(loss, rel=TOLERANCE)

    error, bins = metrics.calibration(logits, labels)
    contents: list[list[tuple[float, bool]]] = [[] for _ in range(15)]
    for row, label in zip(shares, truth, strict=True):
        place = next(i for i in range(15) if row.max() <= (i + 1) / 15 or i == 14)
        contents[place].append((row.max(), bool(row.argmax() == label)))
    gap = 0.0
    for found, inside in zip(bins, contents, strict=True):
        assert found.count == len(inside)
        if inside:
            confidence = sum(share for share, _ in inside) / len(inside)
            accuracy = sum(hit for _, hit in inside) / len(inside)
            assert (found.confidence, found.accuracy) == pytest.approx((confidence, accuracy), abs=TOLERANCE)
            gap += len(inside) / len(truth) * abs(confidence - accuracy)
    assert error == pytest.approx(gap, abs=TOLERANCE)


def test_classes_without_images_are_left_out() -> None:
    logits, labels = _case(5, 30, 2, 1.0)
    wider = torch.cat([logits, torch.full((30, 1), -50.0)], dim=1)
    found = verdict(wider, labels, ("a", "b", "c"))
    assert [row["class"] for row in found["per_class"]] == ["a", "b"]
    predicted = logits.numpy().argmax(1)
    assert found["balanced_accuracy"] == pytest.approx(balanced_accuracy_score(labels.numpy(), predicted))
    assert found["confusion_matrix"][2] == [0, 0, 0]


@given(st.integers(1, 100_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
@settings(max_examples=200, deadline=None)
def test_the_interval_is_wilsons(counts: tuple[int, int]) -> None:
    correct, images = counts
    z = 1.959963984540054  # the normal distribution's 97.5 % point
    share = correct / images
    middle = (share + z * z / (2 * images)) / (1 + z * z / images)
    half = z / (1 + z * z / images) * math.sqrt(share * (1 - share) / images + z * z / (4 * images**2))
    low, high = accuracy_interval(correct, images)
    assert low == pytest.approx(max(0.0, middle - half), abs=TOLERANCE)
    assert high == pytest.approx(min(1.0, middle + half), abs=TOLERANCE)
    assert 0 <= low <= share <= high <= 1


def test_a_run_tells_what_its_logits_say(tmp_path: Path) -> None:
    """``result.json`` from ``test_logits.safetensors``, by other means."""
    result: dict[str, Any] = train(small_recipe(), synthetic_source(), tmp_path / "run")
    assert result == json.loads((tmp_path / "run" / run.RESULT).read_text())
    kept = load_file(tmp_path / "run" / run.TEST_LOGITS)
    truth, predicted = kept["labels"].numpy(), kept["logits"].numpy().argmax(1)
    assert torch.equal(kept["labels"], synthetic_source().read_test().labels)
    assert result["test_accuracy"] == accuracy_score(truth, predicted)
    assert result["test_images"] == len(truth) == 30
    assert result["test_loss"] == pytest.approx(
        log_loss(truth, _probabilities(kept["logits"])), abs=TOLERANCE
    )
    assert result["confusion_matrix"] == confusion_matrix(truth, predicted, labels=range(3)).tolist()
    assert [row["class"] for row in result["per_class"]] == list(CLASS_NAMES)
    wrong = np.flatnonzero(truth != predicted)
    assert sorted(kept["mistakes"].tolist()) == wrong.tolist()[:24]
    assert torch.equal(kept["mistake_images"], synthetic_source().read_test().images[kept["mistakes"]])


def test_training_figures_are_means_over_the_training_part(tmp_path: Path) -> None:
    """A network that does not change has the same loss in every epoch, batches of unequal size or not."""
    recipe = small_recipe(model=PlainCnn(widths=(4, 4, 8)), optimizer=Sgd(lr=0.0, momentum=0.0))
    train(recipe, synthetic_source(), tmp_path / "run")
    trained, network = run.load_network(tmp_path / "run")
    description = run.read_description(tmp_path / "run")
    learned, _ = divide(synthetic_source(), description, recipe.judging, torch.device("cpu"))
    logits, labels = logits_of(network, learned, trained.normalize), learned.labels[learned.indices]
    truth, predicted = labels.numpy(), logits.numpy().argmax(1)
    for line in run.read_metrics(tmp_path / "run"):
        assert line["train_loss"] == pytest.approx(log_loss(truth, _probabilities(logits)), rel=1e-6)
        assert line["train_accuracy"] == accuracy_score(truth, predicted)
