"""The random mixture of Shake-Shake: what goes forward, and what goes backward."""

from typing import Any, get_args

import pytest
import torch
from scipy.stats import kstest, pearsonr
from torch import Tensor

from cifarlab.models.shake_shake import Backward, Forward, Level, Shake, mix

DRAWS = 20_000
CHANCE = 1e-4
"""A p-value below this is not taken for chance; there are a dozen of them, each at one seed."""


def coefficients(shake: Shake, count: int = DRAWS, upstream: float = 3.0) -> tuple[Tensor, Tensor, Tensor]:
    """The coefficient of the first branch in each image's output, in its gradient, and the second's there.

    The first branch is 1 and the second is 0, so the output is the coefficient itself.
    """
    first = torch.ones(count, 2, 1, 3, requires_grad=True)
    second = torch.zeros(count, 2, 1, 3, requires_grad=True)
    mixed = shake(first, second)
    mixed.backward(torch.full_like(mixed, upstream))
    assert first.grad is not None and second.grad is not None
    found = [tensor.flatten(1) for tensor in (mixed.detach(), first.grad / upstream, second.grad / upstream)]
    for values in found:
        assert torch.equal(values, values[:, :1].expand_as(values)), "an image's values share a coefficient"
    return found[0][:, 0], found[1][:, 0], found[2][:, 0]


def test_shake_shake_draws_both_coefficients_uniformly_and_independently() -> None:
    torch.manual_seed(0)
    alpha, beta, rest = coefficients(Shake("shake", "shake", "image"))
    for values in (alpha, beta):
        assert kstest(values, "uniform").pvalue > CHANCE
        assert pearsonr(values[1:], values[:-1]).pvalue > CHANCE, "images in a row"
    assert pearsonr(alpha, beta).pvalue > CHANCE
    torch.testing.assert_close(beta + rest, torch.ones(DRAWS))


def test_the_expected_gradient_of_shake_shake_is_even_whatever_went_forward() -> None:
    """E[dL/dx₁ | α] = g/2; were α used backward as well, it would be α·g."""
    torch.manual_seed(1)
    alpha, beta, _ = coefficients(Shake("shake", "shake", "image"))
    deviation = 12**-0.5
    for low in torch.arange(0, 1, 0.1):
        within = (alpha >= low) & (alpha < low + 0.1)
        count = int(within.sum())
        assert count > DRAWS / 20
        assert (beta[within].mean() - 0.5).abs() < 4 * deviation / count**0.5
        assert (beta[within].std() - deviation).abs() < 0.02


@pytest.mark.parametrize("level", get_args(Level))
@pytest.mark.parametrize("forward", get_args(Forward))
def test_keep_gives_the_branches_what_they_gave(forward: Forward, level: Level) -> None:
    torch.manual_seed(0)
    alpha, beta, rest = coefficients(Shake(forward, "keep", level), 500)
    torch.testing.assert_close(beta, alpha, rtol=1e-6, atol=0)
    torch.testing.assert_close(rest, 1 - alpha, rtol=0, atol=1e-6)


@pytest.mark.parametrize("level", get_args(Level))
@pytest.mark.parametrize("forward", get_args(Forward))
def test_even_gives_both_branches_half(forward: Forward, level: Level) -> None:
    torch.manual_seed(0)
    _, beta, rest = coefficients(Shake(forward, "even", level), 500)
    assert torch.equal(beta, torch.full((500,), 0.5))
    assert torch.equal(rest, torch.full((500,), 0.5))


@pytest.mark.parametrize("backward", get_args(Backward))
def test_an_even_forward_pass_is_the_mean(backward: Backward) -> None:
    torch.manual_seed(0)
    alpha, beta, _ = coefficients(Shake("even", backward, "image"), 500)
    assert torch.equal(alpha, torch.full((500,), 0.5))
    assert (len(beta.unique()) > 400) == (backward == "shake")


def test_a_batch_shares_one_coefficient_which_differs_between_batches() -> None:
    torch.manual_seed(0)
    shake = Shake("shake", "shake", "batch")
    batches = [coefficients(shake, 8) for _ in range(400)]
    alphas, betas = [torch.stack([batch[i] for batch in batches]) for i in (0, 1)]
    for values in (alphas, betas):
        assert torch.equal(values, values[:, :1].expand_as(values))
        assert kstest(values[:, 0], "uniform").pvalue > CHANCE
    assert pearsonr(alphas[:, 0], betas[:, 0]).pvalue > CHANCE


def test_every_block_has_coefficients_of_its_own() -> None:
    """With equal weights and inputs, two blocks of a network still mix differently."""
    torch.manual_seed(0)
    shake = Shake("shake", "shake", "image")
    first, second = torch.ones(64, 1, 1, 1), torch.zeros(64, 1, 1, 1)
    assert not torch.equal(shake(first, second), shake(first, second))


@pytest.mark.parametrize("gradients", [False, True])
def test_evaluation_takes_the_mean_and_draws_nothing(gradients: bool) -> None:
    torch.manual_seed(0)
    shake = Shake("shake", "shake", "image").eval()
    first, second = torch.randn(5, 2, 3, 3), torch.randn(5, 2, 3, 3)
    before = torch.get_rng_state()
    with torch.set_grad_enabled(gradients):
        torch.testing.assert_close(shake(first, second), 0.5 * first + 0.5 * second)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_second_backward_pass_repeats_the_first() -> None:
    torch.manual_seed(0)
    first = torch.randn(9, 2, 1, 1, requires_grad=True)
    mixed = Shake("shake", "shake", "image")(first, torch.randn(9, 2, 1, 1)).sum()
    (once,) = torch.autograd.grad(mixed, first, retain_graph=True)
    (twice,) = torch.autograd.grad(mixed, first)
    assert torch.equal(once, twice)


def test_with_equal_coefficients_the_gradient_is_the_true_one() -> None:
    torch.manual_seed(0)
    first, second = (torch.randn(3, 2, 2, 2, dtype=torch.float64, requires_grad=True) for _ in range(2))
    alpha = torch.rand(3, 1, 1, 1, dtype=torch.float64)

    def mixed(a: Tensor, b: Tensor) -> Tensor:
        return mix(a, b, alpha, alpha).square()

    assert torch.autograd.gradcheck(mixed, (first, second))
    assert torch.autograd.gradgradcheck(mixed, (first, second))


def test_bf16_is_rounded_once() -> None:
    torch.manual_seed(0)
    first, second = torch.randn(2, 64, 8, 4, 4).bfloat16()
    alpha, beta = torch.rand(2, 64, 1, 1, 1)
    first.requires_grad_()
    mixed = mix(first, second, alpha, beta)
    weight = alpha.bfloat16().double()
    exact = weight * first.double() + (1 - weight) * second.double()
    assert mixed.dtype is torch.bfloat16
    error = (mixed.double() - exact).abs()
    assert (error <= exact.abs() * 2**-8 + 1e-6).all()
    mixed.backward(torch.ones_like(mixed))
    assert first.grad is not None and first.grad.dtype is torch.bfloat16


def test_nothing_but_coefficients_is_kept_for_the_backward_pass() -> None:
    first, second = (torch.randn(4, 8, 8, 8, requires_grad=True) for _ in range(2))
    kept: list[int] = []

    def pack(tensor: Tensor) -> Tensor:
        kept.append(tensor.numel())
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        Shake("shake", "shake", "image")(first, second)
    assert kept == [4]


@pytest.mark.soak
@pytest.mark.filterwarnings("default")  # the compiler's own warnings are not ours
def test_compiling_keeps_both_coefficients() -> None:
    torch.manual_seed(0)
    first, second = (torch.randn(6, 3, 4, 4, requires_grad=True) for _ in range(2))
    alpha, beta = torch.rand(2, 6, 1, 1, 1)
    compiled: Any = torch.compile(mix, fullgraph=True)
    found = compiled(first, second, alpha, beta)
    torch.testing.assert_close(found, mix(first, second, alpha, beta))
    upstream = torch.randn_like(found)
    found.backward(upstream)
    torch.testing.assert_close(first.grad, beta * upstream)
    torch.testing.assert_close(second.grad, (1 - beta) * upstream)
