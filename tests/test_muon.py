"""Muon beside a plain reference, and what its orthogonal step is."""

from collections import OrderedDict

import pytest
import torch
from torch import Tensor, nn

from cifarlab.models import CATALOG
from cifarlab.optim import Muon, keep_rates_on, set_rate
from cifarlab.optim.muon import (
    grouped,
    next_in_fewer_kernels,
    next_of_iteration,
    orthogonalized,
    orthogonalized_together,
)


def network_of(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    layers = [
        ("pixels", nn.Conv2d(3, 4, 3)),
        ("hidden", nn.Conv2d(4, 8, 3)),
        ("norm", nn.BatchNorm2d(8)),
        ("pool", nn.AdaptiveAvgPool2d(1)),
        ("flat", nn.Flatten()),
        ("classifier", nn.Linear(8, 5)),
    ]
    return nn.Sequential(OrderedDict(layers)).double()


def gradients(network: nn.Module, step: int) -> None:
    randomness = torch.Generator().manual_seed(step)
    for parameter in network.parameters():
        parameter.grad = torch.randn(parameter.shape, generator=randomness, dtype=parameter.dtype)


def newton_schulz(matrix: Tensor, iterations: int) -> Tensor:
    """The source's loop, for one matrix at a time."""
    x = matrix.float()
    if x.size(0) > x.size(1):
        x = x.T
    x = x / (x.norm() + 1e-7)
    for _ in range(iterations):
        a = x @ x.T
        x = 3.4445 * x + (-4.7750 * a + 2.0315 * a @ a) @ x
    result: Tensor = x.T if matrix.size(0) > matrix.size(1) else x
    return result.to(matrix.dtype)


def step_by_hand(
    weights: dict[str, Tensor], speeds: dict[str, Tensor], grads: dict[str, Tensor], config: Muon, lr: float
) -> None:
    """One step of all parameters, written out."""
    other = lr * config.other_lr / config.lr
    for name, weight in weights.items():
        gradient = grads[name]
        is_hidden = name == "hidden.weight"
        momentum = config.momentum if is_hidden else config.other_momentum
        speeds[name] = momentum * speeds[name] + gradient
        move = gradient + momentum * speeds[name]
        if is_hidden:
            matrix = move.reshape(len(move), -1)
            scale = max(1.0, matrix.size(0) / matrix.size(1)) ** 0.5
            move = scale * newton_schulz(matrix, config.iterations).reshape(move.shape)
            move = move + config.weight_decay * weight
            weights[name] = weight - lr * move
        elif weight.dim() > 1:
            weights[name] = weight - other * move - lr * config.weight_decay * weight
        else:
            rate = other if config.bias_lr is None else lr * config.bias_lr / config.lr
            weights[name] = weight - rate * move


@pytest.mark.parametrize(
    "config",
    [
        Muon(),
        Muon(lr=0.1, momentum=0.5, iterations=3, weight_decay=0.2, other_lr=0.01, other_momentum=0.0),
        Muon(weight_decay=0.2, other_lr=0.01, bias_lr=0.4),
    ],
    ids=repr,
)
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last], ids=["plain", "last"])
def test_steps_are_the_reference_s(config: Muon, layout: torch.memory_format) -> None:
    network = network_of().to(memory_format=layout)  # type: ignore[call-overload]
    weights = {name: value.detach().clone() for name, value in network.named_parameters()}
    speeds = {name: torch.zeros_like(value) for name, value in weights.items()}
    optimizer = config.build(network)
    for step in range(6):
        gradients(network, step)
        grads = {name: value.grad.clone() for name, value in network.named_parameters()}
        lr = config.lr if step < 3 else config.lr / 7
        set_rate(optimizer, lr)
        optimizer.step()
        step_by_hand(weights, speeds, grads, config, lr)
        for name, value in network.named_parameters():
            torch.testing.assert_close(value.detach(), weights[name], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("shape", [(8, 8), (4, 30), (30, 4), (1, 7), (3, 5, 9)], ids=str)
def test_orthogonalized_matrices_have_singular_values_near_1(shape: tuple[int, ...]) -> None:
    matrices = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    u, _, v = torch.linalg.svd(matrices, full_matrices=False)
    found = orthogonalized(matrices, 5)
    values = torch.linalg.svdvals(found)
    assert 0.6 < values.min() <= values.max() < 1.3
    # The directions are those of the singular value decomposition.
    core = u.mT @ found @ v.mT
    assert (core - torch.diag_embed(core.diagonal(dim1=-2, dim2=-1))).abs().max() < 1e-3


def test_what_a_gpu_computes_together_is_what_is_computed_apart() -> None:
    randomness = torch.Generator().manual_seed(0)
    shapes = [(6, 3, 3, 3), (6, 6, 3, 3), (8, 6, 1, 1), (8, 8), (8, 8, 3, 3), (6, 2), (8, 6)]
    moves = [torch.randn(shape, generator=randomness) for shape in shapes]
    groups = grouped(moves, padded=True)
    assert sorted(groups) == [[0, 1], [2, 6], [3, 4], [5]]
    apart = orthogonalized_together(moves, grouped(moves, padded=False), 5)
    together = orthogonalized_together(moves, groups, 5)
    for move, one, other in zip(moves, apart, together, strict=True):
        assert one.shape == other.shape == move.shape
        torch.testing.assert_close(other, one, rtol=1e-4, atol=1e-5)


def test_an_iteration_in_fewer_kernels_is_the_same_one() -> None:
    matrices = torch.randn(3, 5, 9, generator=torch.Generator().manual_seed(0)) / 7
    torch.testing.assert_close(next_in_fewer_kernels(matrices), next_of_iteration(matrices))


def test_in_bf16_the_directions_are_those_of_fp32_but_not_their_last_bits() -> None:
    matrices = torch.randn(12, 30, generator=torch.Generator().manual_seed(0))
    exact, coarse = orthogonalized(matrices, 3), orthogonalized(matrices, 3, "bf16")
    assert coarse.dtype == torch.float32
    assert 1e-4 < (coarse - exact).abs().max() < 0.05


def test_a_matrix_of_zeros_stays_one() -> None:
    assert not orthogonalized(torch.zeros(3, 4), 5).any()


@pytest.mark.parametrize("name", ["resnet10", "fast-cnn", "tiny-attention", "lenet-5"])
def test_every_trainable_parameter_is_in_one_group(name: str) -> None:
    network = CATALOG[name][1].build(10, 32)
    optimizer = Muon().build(network)
    inside = [id(parameter) for group in optimizer.param_groups for parameter in group["params"]]
    assert len(inside) == len(set(inside))
    assert set(inside) == {id(p) for p in network.parameters() if p.requires_grad}
    orthogonal = {
        id(parameter)
        for group in optimizer.param_groups
        if group["orthogonal"]
        for parameter in group["params"]
    }
    assert id(network.get_parameter("classifier.weight")) not in orthogonal
    assert orthogonal


def test_a_rate_on_the_device_gives_the_same_bits() -> None:
    """As a recorded step reads it; and a step that found a bad gradient moves and remembers nothing."""
    config, networks = Muon(weight_decay=0.2), [network_of().float() for _ in range(2)]
    optimizers = [config.build(network) for network in networks]
    keep_rates_on(torch.device("cpu"), optimizers[1])
    rates = [group["lr"] for group in optimizers[1].param_groups]
    for step in range(4):
        for network, optimizer in zip(networks, optimizers, strict=True):
            gradients(network, step)
            set_rate(optimizer, config.lr / (step + 1))
            optimizer.step()
    assert all(group["lr"] is rate for group, rate in zip(optimizers[1].param_groups, rates, strict=True))
    first, second = (network.state_dict() for network in networks)
    assert all(torch.equal(first[name], value) for name, value in second.items())

    before = {name: value.clone() for name, value in second.items()}
    slots = [values["momentum_buffer"] for values in optimizers[1].state.values()]
    speeds = [slot.clone() for slot in slots]
    optimizers[1].found_inf = torch.ones(())  # type: ignore[attr-defined]
    gradients(networks[1], 9)
    networks[1].get_parameter("hidden.weight").grad.fill_(torch.nan)  # type: ignore[union-attr]
    optimizers[1].step()
    assert all(torch.equal(before[name], value) for name, value in networks[1].state_dict().items())
    assert all(torch.equal(slot, speed) for slot, speed in zip(slots, speeds, strict=True))
