"""What is measured of Grad-CAM maps, and the figures of it."""

import math

import numpy as np
import pytest
import torch

from cifarlab.report.drawing import LIGHT
from cifarlab.report.lab.grad_cam import Depth, correlation, depth_figure, edge_strength


def test_edges_are_where_the_picture_changes() -> None:
    picture = torch.zeros(1, 3, 8, 8, dtype=torch.uint8)
    picture[..., 4:] = 100
    strength = edge_strength(picture)[0]
    assert strength[:, [0, 1, 2, 5, 6, 7]].abs().max() == 0
    assert strength[:, [3, 4]].tolist() == [[400.0, 400.0]] * 8
    assert torch.equal(edge_strength(picture.mT)[0], strength.T)


def test_correlation_image_by_image() -> None:
    draw = torch.Generator().manual_seed(1)
    first, second = torch.rand(3, 5, 5, generator=draw), torch.rand(3, 5, 5, generator=draw)
    second[1] = 2 * first[1] + 1
    second[2] = 0.5
    found = correlation(first, second)
    expected = torch.corrcoef(torch.stack((first[0].flatten(), second[0].flatten())))[0, 1]
    assert found.tolist() == pytest.approx([expected.item(), 1.0, 0.0], abs=1e-5)
    assert not any(map(math.isnan, found.tolist()))


def test_both_networks_are_drawn() -> None:
    after, before = [Depth(0.5, 0.1), Depth(0.2, 0.6)], [Depth(0.4, 0.2), Depth(0.1, 0.3)]
    left, right = depth_figure(after, before, LIGHT).axes
    assert [np.asarray(line.get_ydata()).tolist() for line in left.lines] == [[0.5, 0.2], [0.4, 0.1]]
    assert [np.asarray(line.get_ydata()).tolist() for line in right.lines] == [[0.1, 0.6], [0.2, 0.3]]
