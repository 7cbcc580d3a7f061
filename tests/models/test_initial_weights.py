"""Initial weights by their distribution."""

import pytest
import torch
from scipy.stats import kstest
from torch import nn

from cifarlab.models import CATALOG, SlimAttention, TinyAttention
from cifarlab.models.initial_weights import keras_initial_weights


@pytest.mark.parametrize(
    ("layer", "fan_in", "fan_out"),
    [
        (nn.Conv2d(32, 64, kernel_size=3), 32 * 9, 64 * 9),
        (nn.Conv2d(96, 48, kernel_size=1, stride=2), 96, 48),
        (nn.Linear(120, 84), 120, 84),
    ],
)
def test_keras_weights_are_uniform_up_to_glorot_s_limit(layer: nn.Module, fan_in: int, fan_out: int) -> None:
    torch.manual_seed(0)
    nn.init.ones_(layer.bias)  # type: ignore[arg-type]
    keras_initial_weights(nn.Sequential(nn.Sequential(layer)))
    limit = (6 / (fan_in + fan_out)) ** 0.5
    weights = layer.get_parameter("weight").detach().flatten()
    assert kstest(weights, "uniform", args=(-limit, 2 * limit)).pvalue > 1e-4
    assert layer.get_parameter("bias").count_nonzero() == 0


@pytest.mark.parametrize(
    "config", [TinyAttention(width=8), SlimAttention(width=4)], ids=lambda c: type(c).__name__
)
def test_the_networks_written_in_keras_start_as_they_do_there(config: TinyAttention | SlimAttention) -> None:
    torch.manual_seed(0)
    for name, module in config.build(10, 16).named_modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            receptive = module.weight[0, 0].numel()
            limit = (6 / (sum(module.weight.shape[:2]) * receptive)) ** 0.5
            assert 0.7 * limit < module.weight.abs().max() <= limit, name
            assert module.bias is None or module.bias.count_nonzero() == 0, name


def test_initial_weights_need_no_memory() -> None:
    with torch.device("meta"):
        network = CATALOG["slim-attention"][1].build(10, 32)
    assert all(parameter.is_meta for parameter in network.parameters())
