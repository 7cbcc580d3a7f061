"""Temperature scaling: a known temperature is found again, and the calibration gets better by it."""

import pytest
import torch
from torch import Tensor

from cifarlab.explain.confidence import HIGHEST, LOWEST, fit_temperature, temperature_scaling
from cifarlab.metrics import calibration, mean_loss


def _calibrated(images: int, seed: int) -> tuple[Tensor, Tensor]:
    """Logits, and labels drawn from just the probabilities that they give."""
    random = torch.Generator().manual_seed(seed)
    logits = 2 * torch.randn(images, 5, generator=random)
    labels = torch.multinomial(logits.softmax(1), 1, generator=random)[:, 0]
    return logits, labels


@pytest.mark.parametrize("temperature", [0.4, 1.0, 3.0])
def test_a_known_temperature_is_found_again(temperature: float) -> None:
    logits, labels = _calibrated(20_000, 1)
    assert fit_temperature(logits * temperature, labels) == pytest.approx(temperature, rel=0.05)


def test_no_other_temperature_has_a_smaller_loss() -> None:
    logits, labels = _calibrated(500, 2)
    found = fit_temperature(3 * logits, labels)
    best = mean_loss(3 * logits.double() / found, labels)
    for other in (0.99 * found, 1.01 * found, 1.0, 3.0):
        assert best <= mean_loss(3 * logits.double() / other, labels)


def test_what_is_too_sure_is_mended_on_other_images() -> None:
    (held_out, first), (test, second) = _calibrated(5000, 3), _calibrated(5000, 4)
    found = temperature_scaling((3 * held_out, first), (3 * test, second))
    assert found.fitted_on == 5000
    assert found.error_before == calibration(3 * test, second)[0] > 0.1
    assert found.error_after < 0.03
    assert found.loss_after < found.loss_before == mean_loss(3 * test, second)


def test_always_right_and_always_wrong_have_an_end() -> None:
    logits, _ = _calibrated(100, 5)
    assert fit_temperature(logits, logits.argmax(1)) == pytest.approx(LOWEST, rel=1e-3)
    assert fit_temperature(logits, logits.argmin(1)) == pytest.approx(HIGHEST, rel=1e-3)
