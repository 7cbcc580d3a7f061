"""Report 003's network against its layer list, written out by hand."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cifarlab.errors import UserError
from cifarlab.models import CATALOG, PlainCnn


def by_hand(images: Tensor, weights: dict[str, Tensor], config: PlainCnn, training: bool) -> Tensor:
    """Convolution, ReLU, BatchNorm, twice; max-pool; dropout: three times. Then one linear layer."""
    layer = 0

    def next_tensors() -> dict[str, Tensor]:
        prefix = f"features.{layer}."
        return {key.removeprefix(prefix): value for key, value in weights.items() if key.startswith(prefix)}

    out = images
    for probability in config.dropout:
        for _ in range(2):
            tensors = next_tensors()
            out = F.relu(F.conv2d(out, tensors["weight"], tensors["bias"], stride=1, padding=1))
            layer += 2
            if config.batch_norm:
                norm = next_tensors()
                mean, var = norm["running_mean"].clone(), norm["running_var"].clone()
                out = F.batch_norm(out, mean, var, norm["weight"], norm["bias"], training)
                layer += 1
        out = F.max_pool2d(out, 2)
        layer += 1
        if probability > 0:
            out = F.dropout(out, probability, training)
            layer += 1
    return F.linear(out.flatten(1), weights["classifier.weight"], weights["classifier.bias"])


def scrambled(network: nn.Module) -> nn.Module:
    """``network`` with other values in everything that starts as zero or one."""
    randomness = torch.Generator().manual_seed(1)
    for name, value in network.state_dict().items():
        if value.is_floating_point() and value.dim() == 1:
            noise = torch.rand(value.shape, generator=randomness)
            value.copy_(noise + 0.5 if name.endswith(("weight", "running_var")) else noise - 0.5)
    return network


@pytest.mark.parametrize("training", [False, True], ids=["evaluation", "training"])
@pytest.mark.parametrize(
    ("config", "size"),
    [
        (PlainCnn(), 32),
        (PlainCnn(batch_norm=True, dropout=(0.2, 0.3, 0.4)), 32),
        (PlainCnn(widths=(4, 6, 8), batch_norm=True, dropout=(0.0, 0.5, 0.0)), 16),
    ],
    ids=["bare", "regularized", "narrow"],
)
def test_the_layers_are_the_report_s_in_its_order(config: PlainCnn, size: int, training: bool) -> None:
    torch.manual_seed(0)
    network = scrambled(config.build(10, size)).train(training)
    images = torch.randn(6, 3, size, size)
    weights = {key: value.clone() for key, value in network.state_dict().items()}
    torch.manual_seed(2)
    found = network(images)
    torch.manual_seed(2)
    expected = by_hand(images, weights, config, training)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


def test_the_regularized_network_has_the_report_s_list_of_layers() -> None:
    network: Any = CATALOG["plain-cnn-regularized"][1].build(10, 32)
    kinds = [type(layer).__name__ for layer in network.features]
    stage = ["Conv2d", "ReLU", "BatchNorm2d"] * 2 + ["MaxPool2d", "Dropout"]
    assert kinds == stage * 3
    assert [layer.p for layer in network.features if isinstance(layer, nn.Dropout)] == [0.2, 0.3, 0.4]
    assert [layer.out_channels for layer in network.features if isinstance(layer, nn.Conv2d)] == [
        32, 32, 64, 64, 128, 128,
    ]  # fmt: skip
    assert network.classifier.in_features == 128 * 4 * 4


@pytest.mark.parametrize("size", [-8, 0, 1, 7, 12, 31, 33])
def test_a_size_that_is_no_multiple_of_8_is_refused(size: int) -> None:
    with pytest.raises(UserError, match=f"a multiple of 8, not {size} pixels"):
        PlainCnn().build(10, size)


@pytest.mark.parametrize(
    "values",
    [
        {"widths": (0, 1, 1)},
        {"widths": (1, 1, -1)},
        {"dropout": (0.0, 1.0, 0.0)},
        {"dropout": (-0.1, 0.0, 0.0)},
        {"dropout": (0.0, 0.0, math.nan)},
    ],
    ids=str,
)
def test_values_that_make_no_sense_are_refused(values: Any) -> None:
    with pytest.raises(UserError, match="PlainCnn: "):
        PlainCnn(**values)
