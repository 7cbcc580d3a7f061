"""The two pyramids against their layers, written out by hand."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cifarlab.errors import UserError
from cifarlab.models import Aspp, GlobalAverage, ResNet, Spp
from cifarlab.models.cost import count_parameters


def features_of(channels: int, side: int = 4, count: int = 3) -> Tensor:
    return torch.randn(count, channels, side, side, generator=torch.Generator().manual_seed(0))


def dilated_by_hand(features: Tensor, weight: Tensor, bias: Tensor, dilation: int) -> Tensor:
    """A 3×3 convolution whose nine taps lie ``dilation`` apart, as a sum over shifted maps."""
    padded = F.pad(features, (dilation,) * 4)
    height, width = features.shape[2:]
    total = bias[:, None, None].expand(len(features), -1, height, width).clone()
    for row in range(3):
        for column in range(3):
            top, left = row * dilation, column * dilation
            window = padded[:, :, top : top + height, left : left + width]
            total += torch.einsum("nchw,oc->nohw", window, weight[:, :, row, column])
    return total


@pytest.mark.parametrize("side", [1, 4, 7])
@pytest.mark.parametrize("dilations", [(1, 2, 3), (2,)], ids=str)
def test_aspp_is_five_views_joined(side: int, dilations: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    module: Any = Aspp(width=5, dilations=dilations).build(6)
    features = features_of(6, side)
    average = features.sum((2, 3)) / side**2
    image = average @ module.image.weight[:, :, 0, 0].T + module.image.bias
    views = [
        image[:, :, None, None].expand(3, 5, side, side),
        torch.einsum("nchw,oc->nohw", features, module.point.weight[:, :, 0, 0])
        + module.point.bias[:, None, None],
    ]
    for dilation, layer in zip(dilations, module.dilated, strict=True):
        views.append(dilated_by_hand(features, layer.weight, layer.bias, dilation))
    joined = F.relu(torch.cat(views, 1))
    output = F.relu(F.conv2d(joined, module.projection.weight, module.projection.bias))
    torch.testing.assert_close(module(features), output.mean((2, 3)), rtol=1e-5, atol=1e-6)


def cell_means(features: Tensor, cells: int) -> Tensor:
    """The mean of each of cells × cells equal squares, written back to every place of its square."""
    side = features.shape[-1] // cells
    out = torch.empty_like(features)
    for row in range(cells):
        for column in range(cells):
            places = (
                slice(None), slice(None),
                slice(row * side, row * side + side), slice(column * side, column * side + side),
            )  # fmt: skip
            out[places] = features[places].mean((2, 3), keepdim=True)
    return out


def normalized(features: Tensor, layer: Any) -> Tensor:
    """1×1 convolution, then (x − mean) / deviation · weight + bias with the running statistics, then ReLU."""
    convolution, norm = layer[0], layer[1]
    out = torch.einsum("nchw,oc->nohw", features, convolution.weight[:, :, 0, 0])
    scale = norm.weight / (norm.running_var + norm.eps).sqrt()
    shift = norm.bias - norm.running_mean * scale
    return F.relu(out * scale[:, None, None] + shift[:, None, None])


@pytest.mark.parametrize("grids", [(1, 2, 4), (1, 4), (2,)], ids=str)
def test_spp_is_averages_over_grids_joined(grids: tuple[int, ...]) -> None:
    """In evaluation a 1×1 convolution, BN and ReLU act on each place alone, so cells may be filled first."""
    torch.manual_seed(0)
    module: Any = Spp(width=5, grids=grids).build(6).eval()
    for layer in module.modules():
        if isinstance(layer, nn.BatchNorm2d):
            nn.init.uniform_(layer.weight, 0.5, 1.5)
            nn.init.uniform_(layer.bias, -0.5, 0.5)
            layer.running_mean = torch.randn(layer.num_features) / 4
            layer.running_var = torch.rand(layer.num_features) + 0.5
    features = features_of(6, side=8)
    views = [
        normalized(cell_means(features, cells), layer)
        for cells, layer in zip(grids, module.reductions, strict=True)
    ]
    expected = normalized(torch.cat(views, 1), module.projection).mean((2, 3))
    torch.testing.assert_close(module(features), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("side", [1, 2, 3, 5, 6])
@pytest.mark.parametrize("head", [Aspp(width=4), Spp(width=4), GlobalAverage()], ids=repr)
def test_any_map_fits(head: Aspp | Spp | GlobalAverage, side: int) -> None:
    output = head.build(7)(features_of(7, side))
    assert output.shape == (3, head.features(7))
    assert output.isfinite().all()


def test_the_widths_are_the_config_s() -> None:
    assert (GlobalAverage().features(12), Aspp(width=7).features(12), Spp(width=7).features(12)) == (
        12,
        7,
        12,
    )


def test_the_global_average_is_the_mean_of_a_map() -> None:
    features = features_of(5)
    torch.testing.assert_close(GlobalAverage().build(5)(features), features.sum((2, 3)) / 16)


def test_parameters_by_hand() -> None:
    views = 2 * (512 * 256 + 256) + 3 * (512 * 256 * 9 + 256)
    assert count_parameters(Aspp().build(512)).trainable == views + 5 * 256 * 256 + 256
    grids = 3 * (512 * 128 + 2 * 128)
    count = count_parameters(Spp().build(512))
    assert count.trainable == grids + 3 * 128 * 512 + 2 * 512
    assert count.statistics == 3 * 2 * 128 + 2 * 512


def test_the_classifier_takes_what_the_head_gives() -> None:
    for head in (GlobalAverage(), Aspp(width=5), Spp(width=5)):
        network: Any = ResNet((1,), (8,), head=head).build(3, 4)
        assert network.classifier.in_features == head.features(8)


@pytest.mark.parametrize(
    ("kind", "values", "message"),
    [
        (Aspp, {"width": 0}, "Aspp: width must be at least 1, found 0"),
        (Aspp, {"dilations": ()}, r"Aspp: dilations must be one or more numbers from 1, found \(\)"),
        (Aspp, {"dilations": (1, 0)}, "Aspp: dilations must be one or more numbers from 1"),
        (Spp, {"width": -1}, "Spp: width must be at least 1, found -1"),
        (Spp, {"grids": ()}, r"Spp: grids must be one or more numbers from 1, found \(\)"),
        (Spp, {"grids": (0,)}, "Spp: grids must be one or more numbers from 1"),
    ],
    ids=str,
)
def test_values_that_make_no_sense_are_refused(kind: Any, values: Any, message: str) -> None:
    with pytest.raises(UserError, match=message):
        kind(**values)
