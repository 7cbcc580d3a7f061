"""Shuffled labels give chance on the test set; one batch is learned by heart."""

from pathlib import Path

import pytest
import torch

from cifarlab.data.digits import open_digits
from cifarlab.data.holdout import Fraction
from cifarlab.evaluate import logits_of
from cifarlab.job import divide
from cifarlab.metrics import correct_count
from cifarlab.models import CATALOG, PlainCnn
from cifarlab.optim import Adam
from cifarlab.recipe import EvaluationMode, Judging, Recipe
from cifarlab.run import load_network, read_description
from cifarlab.train import train
from support import shuffled_labels, small_recipe, synthetic_source

DIGITS = Recipe(
    model=PlainCnn(widths=(8, 8, 16)), optimizer=Adam(lr=0.003), epochs=3, batch_size=32, precision="fp32"
)


def test_shuffled_labels_give_chance(tmp_path: Path) -> None:
    """Were a label to reach the network by another way than its image, the accuracy would show it."""
    result = train(DIGITS, shuffled_labels(open_digits()), tmp_path / "run", seed=1)
    low, high = result["interval"]
    assert low <= 0.1 <= high


def test_right_labels_give_more(tmp_path: Path) -> None:
    """Control for the test above."""
    result = train(DIGITS, open_digits(), tmp_path / "run", seed=1)
    assert result["interval"][0] > 0.5


@pytest.mark.parametrize(
    "name", ["plain-cnn", "plain-cnn-regularized", pytest.param("resnet10", marks=pytest.mark.soak)]
)
def test_one_batch_is_learned_by_heart(name: str, tmp_path: Path) -> None:
    """Noise of three classes, in one batch, until every image of it is right."""
    source = synthetic_source(train=32, test=6, noise=200.0)
    recipe = small_recipe(
        model=CATALOG[name][1],
        optimizer=Adam(lr=0.002),
        epochs=40,
        batch_size=32,
        judging=Judging(Fraction(0.2), "last", EvaluationMode()),
    )
    result = train(recipe, source, tmp_path / "run")
    trained, network = load_network(tmp_path / "run")
    learned, _ = divide(source, read_description(tmp_path / "run"), recipe.judging, torch.device("cpu"))
    assert len(learned) == result["train_images"] <= recipe.batch_size, "one batch"
    labels = learned.labels[learned.indices]
    assert correct_count(logits_of(network, learned, trained.normalize), labels) == len(learned)
