"""Grad-CAM layer by layer (report 002, figure 13), and what of its claim can be measured.

The report sees "from extracting the edge of the target to focusing on the whole target". Where the target
lies no data set here tells, so that cannot be judged. Two shares of it can be measured: how much a layer's
map follows the edges in the picture, and how much of the picture it covers. Neither is a fair race between
layers, since a late layer's map has few cells and is smooth before it has learned anything; so the same maps
of the network with fresh weights are shown beside.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np
import torch
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from cifarlab.data.holdout import one_of_each_class
from cifarlab.data.sources import open_source
from cifarlab.data.split import Split
from cifarlab.errors import UserError
from cifarlab.explain.gradcam import grad_cam, layers_of
from cifarlab.predict import Classifier
from cifarlab.report import words
from cifarlab.report.drawing import Theme, open_axes
from cifarlab.report.lab.drawn import Drawing
from cifarlab.report.lab.material import Material
from cifarlab.report.lab.styles import WIDTH_INCHES, legend_below, style
from cifarlab.report.parameters import signed
from cifarlab.runtime import own_randomness, reseed

SHOWN, MOST_LAYERS = 4, 6
MEASURED, BATCH = 100, 25
"""Test images whose maps are measured, and how many at a time."""
COLORS = "viridis"
_STRENGTH = 0.6


@dataclass(frozen=True)
class Depth:
    """What a layer's maps are like, as means over images."""

    edges: float
    """Correlation of the map with the strength of the picture's edges, −1 … 1; 0 for an empty map."""
    area: float
    """Share of the picture where the map is above half of its maximum."""


@dataclass(frozen=True)
class Example:
    """A test image and its maps."""

    title: str
    picture: NDArray[np.uint8]
    """``H W 3``."""
    maps: tuple[NDArray[np.float32], ...]
    """``H W`` each, 0 to 1."""


def grad_cam_drawings(material: Material) -> tuple[Drawing, ...]:
    """Maps of a few test images that the best row's first run gets right, and the measures of many.

    Raises:
        UserError: no row has a finished run, or the data cannot be read.
    """
    row, folder = material.best_run()
    classifier = Classifier.open(folder, "cpu")
    split = open_source(material.table.data).read_test()
    if split.class_names != classifier.trained.class_names:
        raise UserError(f"the pictures of {material.table.data} have other classes than the network knows")
    layers = layers_of(classifier.network)
    if not layers:
        raise UserError("the network has no layer that Grad-CAM can show")
    examples, shown = _examples(classifier, split, layers)
    with own_randomness(classifier.device):
        reseed(0, "first weights")
        fresh = classifier.trained.build().eval()
    chosen = one_of_each_class(split.labels, min(MEASURED, len(split)), 0)
    after = measured(classifier, classifier.network, split, chosen, layers)
    before = measured(classifier, fresh, split, chosen, layers)
    pictures = Drawing(
        "grad-cam",
        f"Grad-CAM of {row.label} for the true class, from early to late layers, on test images that it gets "
        "right. Yellow is most, dark violet nothing; every map has its own scale.",
        f"{len(examples)} test images under the maps of {', '.join(shown)}.",
        partial(examples_figure, examples, shown),
    )
    curves = Drawing(
        "grad-cam-by-depth",
        f"What the maps of all {len(layers)} layers are like, means over {len(chosen)} test images. From the "
        "first layer to the last, the correlation with the picture's edges goes from "
        f"{_from_to(after, 'edges')}, and the share of the picture above half of the map's maximum from "
        f"{_from_to(after, 'area')}. With fresh weights: {_from_to(before, 'edges')}, and "
        f"{_from_to(before, 'area')}; what is the same there comes from the layers' sizes and not from "
        "learning. Whether the whole target is covered cannot be judged: no data set says where it lies.",
        f"Two measures of Grad-CAM maps against depth, {len(layers)} layers.",
        partial(depth_figure, after, before),
    )
    return pictures, curves


def _from_to(depths: Sequence[Depth], measure: Literal["edges", "area"]) -> str:
    """Of the first layer and of the last, in words."""
    ends = depths[0], depths[-1]
    texts = [signed(end.edges) if measure == "edges" else f"{end.area:.0%}" for end in ends]
    return " to ".join(texts)


def _examples(
    classifier: Classifier, split: Split, layers: Sequence[str]
) -> tuple[list[Example], tuple[str, ...]]:
    """The first right answers, one class after the other, and the layers whose maps they have."""
    places = np.linspace(0, len(layers) - 1, min(MOST_LAYERS, len(layers))).round().astype(int)
    shown = tuple(layers[place] for place in places)
    candidates = one_of_each_class(split.labels, min(MEASURED, len(split)), 0)
    answers = classifier.logits(split.images[candidates]).argmax(1)
    right = candidates[answers == split.labels[candidates]]
    chosen = (right if len(right) else candidates)[:SHOWN]
    images, labels = split.images[chosen], split.labels[chosen]
    maps = grad_cam(classifier.network, classifier.normalized(images), labels, shown)
    examples = [
        Example(
            split.class_names[int(labels[place])],
            images[place].permute(1, 2, 0).numpy(),
            tuple(maps[layer][place].numpy() for layer in shown),
        )
        for place in range(len(chosen))
    ]
    return examples, shown


def measured(
    classifier: Classifier, network: nn.Module, split: Split, chosen: Tensor, layers: Sequence[str]
) -> list[Depth]:
    """The measures of every layer of ``network``, fed as the classifier's, for the images' true classes."""
    found: dict[str, list[Tensor]] = {layer: [] for layer in layers}
    for some in chosen.split(BATCH):
        images = split.images[some]
        maps = grad_cam(network, classifier.normalized(images), split.labels[some], layers)
        strength = edge_strength(images)
        for layer, each in maps.items():
            area = (each > 0.5).float().mean((1, 2))
            found[layer].append(torch.stack((correlation(each, strength), area)))
    means = {layer: torch.cat(parts, dim=1).mean(1).tolist() for layer, parts in found.items()}
    return [Depth(*means[layer]) for layer in layers]


def edge_strength(images: Tensor) -> Tensor:
    """The length of Sobel's gradient of the gray pictures: uint8 ``[N, 3, H, W]`` to ``[N, H, W]``."""
    gray = images.float().mean(1, keepdim=True)
    across = torch.tensor([[-1.0, 0.0, 1.0], [-2.0, 0.0, 2.0], [-1.0, 0.0, 1.0]])
    filters = torch.stack((across, across.T))[:, None]
    padded = F.pad(gray, (1, 1, 1, 1), mode="replicate")
    return F.conv2d(padded, filters).square().sum(1).sqrt()


def correlation(first: Tensor, second: Tensor) -> Tensor:
    """Pearson's, image by image: two ``[N, H, W]`` to ``[N]``; 0 where one of them is the same everywhere."""
    centered = [(each - each.mean((1, 2), keepdim=True)).flatten(1).double() for each in (first, second)]
    lengths = [each.norm(dim=1) for each in centered]
    product = (centered[0] * centered[1]).sum(1)
    flat = (lengths[0] < 1e-9) | (lengths[1] < 1e-9)
    return torch.where(flat, 0.0, product / (lengths[0] * lengths[1])).float()


def examples_figure(examples: Sequence[Example], layers: Sequence[str], theme: Theme) -> Figure:
    """A row per image: the picture, then the gray picture under each layer's map."""
    columns = len(layers) + 1
    side = WIDTH_INCHES / (MOST_LAYERS + 1)
    figure = Figure(figsize=(side * columns, (side + 0.1) * len(examples) + 0.2), layout="constrained")
    grid = figure.subplots(len(examples), columns, squeeze=False)
    for row, example in zip(grid, examples, strict=True):
        row[0].imshow(example.picture, interpolation="nearest")
        row[0].set_title(words.shortened(example.title, 12), fontsize=7, pad=2)
        gray = example.picture.mean(axis=2)
        for axes, heat, layer in zip(row[1:], example.maps, layers, strict=True):
            axes.imshow(gray, "gray", vmin=0, vmax=255, interpolation="nearest")
            axes.imshow(heat, COLORS, vmin=0, vmax=1, alpha=_STRENGTH, interpolation="bilinear")
            name = layer if len(layer) <= 14 else f"…{layer[-13:]}"
            axes.set_title(name if example is examples[0] else "", fontsize=6, pad=2)
        for axes in row:
            axes.axis("off")
    return figure


def depth_figure(after: Sequence[Depth], before: Sequence[Depth], theme: Theme) -> Figure:
    """Both measures against depth, with trained and with fresh weights."""
    figure = Figure(figsize=(WIDTH_INCHES, 2.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    looks = style(0, theme), style(1, theme)
    for axes, label, pick in (
        (left, "correlation with the picture's edges", lambda depth: depth.edges),
        (right, "share of the picture above half", lambda depth: depth.area),
    ):
        open_axes(axes, theme)
        for look, depths in zip(looks, (after, before), strict=True):
            axes.plot(
                range(1, len(depths) + 1),
                [pick(depth) for depth in depths],
                color=look.color,
                linestyle=look.dash,
                marker=look.marker,
                markersize=3.5,
                linewidth=1.5,
            )
        axes.xaxis.set_major_locator(MaxNLocator(nbins=8, integer=True, min_n_ticks=1))
        axes.set_xlabel("layer")
        axes.set_ylabel(label, fontsize=8.5)
    legend_below(figure, [look.handle() for look in looks], ["trained", "fresh weights"])
    return figure
