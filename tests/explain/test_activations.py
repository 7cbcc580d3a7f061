"""Zeros among the outputs of activation functions, counted by hand."""

import pytest
import torch
from torch import nn

from cifarlab.explain.activations import images_to_count_on, share_of_zeros, zero_counts
from cifarlab.models import LeNet


def test_zeros_of_each_layer() -> None:
    network = nn.Sequential(nn.ReLU(), nn.Flatten(), nn.Linear(4, 4, bias=False), nn.ReLU(inplace=True))
    nn.init.eye_(network[2].weight)  # type: ignore[arg-type]
    with torch.no_grad():
        network[2].weight[0] = -1.0  # type: ignore[operator]
    images = torch.tensor([[-1.0, 2.0, 3.0, -4.0], [5.0, 6.0, 7.0, 8.0]]).reshape(2, 1, 2, 2)
    counts = zero_counts(network.train(), images)
    assert [(each.layer, each.zeros, each.values) for each in counts] == [("0", 2, 8), ("3", 3, 8)]
    assert counts[0].share == 0.25
    assert share_of_zeros(counts) == 5 / 16
    assert network.training and not any(module._forward_hooks for module in network.modules())


def test_images_to_count_on_are_of_all_classes() -> None:
    labels = torch.tensor([0] * 600 + [1] * 600 + [2] * 5)
    chosen = images_to_count_on(labels)
    counts = torch.bincount(labels[chosen]).tolist()
    assert len(chosen.unique()) == sum(counts) == 500 and counts[2] == 5 and abs(counts[0] - counts[1]) <= 1
    assert len(images_to_count_on(labels[:7])) == 7


def test_a_layer_used_twice_counts_twice() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.used, self.unused = nn.ReLU(), nn.ReLU()

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            result: torch.Tensor = self.used(images) + self.used(-images)
            return result

    (count,) = zero_counts(Twice(), torch.tensor([[1.0, -1.0, 2.0]]))
    assert (count.layer, count.zeros, count.values) == ("used", 3, 6)


@pytest.mark.parametrize("images", [torch.zeros(2, 3, 16, 16)])
def test_a_network_without_such_activations_has_none(images: torch.Tensor) -> None:
    counts = zero_counts(LeNet().build(5, 16), images)
    assert counts == [] and share_of_zeros(counts) == 0.0
