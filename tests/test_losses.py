"""Cross-entropy with equal and with balanced classes, against a plain reference and against torch's own."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F

from cifarlab.losses import CrossEntropy

BALANCED = CrossEntropy(class_weights="balanced")


def sample(images: int, classes: int, seed: int) -> tuple[Tensor, Tensor]:
    random = torch.Generator().manual_seed(seed)
    logits = 3 * torch.randn(images, classes, generator=random)
    return logits, torch.randint(classes, (images,), generator=random)


def reference(logits: Tensor, labels: Tensor, weights: list[float]) -> float:
    """Written out in plain numbers: the weighted −log softmax of each image, added up, over their number."""
    total = 0.0
    for row, label in zip(logits.double().tolist(), labels.tolist(), strict=True):
        exponentials = [math.exp(value) for value in row]
        total -= weights[label] * math.log(exponentials[label] / sum(exponentials))
    return total / len(labels)


@given(images=st.integers(1, 40), classes=st.integers(2, 7), seed=st.integers(0, 2**32 - 1))
@settings(max_examples=60, deadline=None)
def test_both_losses_are_the_plain_reference(images: int, classes: int, seed: int) -> None:
    logits, labels = sample(images, classes, seed)
    assert float(CrossEntropy().mean(logits, labels)) == pytest.approx(
        reference(logits, labels, [1.0] * classes), rel=1e-5, abs=1e-6
    )
    weights = BALANCED.weights(labels, classes)
    assert weights is not None
    assert float(BALANCED.mean(logits, labels, weights)) == pytest.approx(
        reference(logits, labels, weights.tolist()), rel=1e-5, abs=1e-6
    )


def test_the_weighted_loss_is_torch_s_times_the_mean_weight_of_the_batch() -> None:
    """torch divides by the sum of the weights of a batch, and this by their number."""
    logits, labels = sample(50, 4, 0)
    weights = torch.tensor([0.5, 2.0, 1.0, 4.0])
    expected = F.cross_entropy(logits, labels, weights) * weights[labels].mean()
    torch.testing.assert_close(BALANCED.mean(logits, labels, weights), expected)


def test_balanced_weights_are_the_inverse_of_the_counts_and_one_on_average() -> None:
    labels = torch.tensor([0] * 20 + [1] * 5 + [2] * 5)
    weights = BALANCED.weights(labels, 3)
    assert weights is not None
    assert weights.dtype == torch.float32
    assert weights.tolist() == pytest.approx([30 / (3 * 20), 30 / (3 * 5), 30 / (3 * 5)])
    assert float(weights[labels].mean()) == pytest.approx(1)
    assert [float(weights[labels][labels == kind].sum()) for kind in range(3)] == pytest.approx([10.0] * 3)


def test_equal_classes_have_the_weight_one_and_equal_weights_are_none() -> None:
    labels = torch.arange(12) % 3
    assert CrossEntropy().weights(labels, 3) is None
    weights = BALANCED.weights(labels, 3)
    assert weights is not None
    assert weights.tolist() == [1.0, 1.0, 1.0]
    logits, _ = sample(12, 3, 1)
    torch.testing.assert_close(BALANCED.mean(logits, labels, weights), CrossEntropy().mean(logits, labels))


@pytest.mark.parametrize("labels", [[0, 0, 2], [0, 0, 0, 2, 2]])
def test_a_class_without_images_has_a_finite_weight_and_the_others_count_alike(labels: list[int]) -> None:
    """Class 1 and 3 are absent, as from a small part of the training set."""
    chosen = torch.tensor(labels)
    weights = BALANCED.weights(chosen, 4)
    assert weights is not None
    assert weights.shape == (4,)
    assert bool(weights.isfinite().all())
    shares = [float(weights[chosen][chosen == kind].sum()) for kind in (0, 2)]
    assert shares[0] == pytest.approx(shares[1])


def test_an_image_counts_as_much_in_one_batch_as_in_another() -> None:
    """The mean over batches of one size is the mean over all, which torch's own division does not give."""
    logits, labels = sample(40, 3, 2)
    weights = torch.tensor([0.2, 1.0, 5.0])
    parts = [BALANCED.mean(logits[i : i + 10], labels[i : i + 10], weights) for i in range(0, 40, 10)]
    torch.testing.assert_close(torch.stack(parts).mean(), BALANCED.mean(logits, labels, weights))


@pytest.mark.parametrize("weights", [None, torch.tensor([0.5, 2.0, 1.0])])
def test_the_loss_is_computed_in_single_precision(weights: Tensor | None) -> None:
    logits, labels = sample(30, 3, 3)
    loss = BALANCED.mean(logits.bfloat16(), labels, weights)
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss, BALANCED.mean(logits.bfloat16().float(), labels, weights))
