"""What a recipe does to its training images, stage by stage, as a picture (report 002, figure 10)."""

import dataclasses
import io
import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from matplotlib import rc_context
from matplotlib.figure import Figure
from torch import Tensor

from cifarlab.augment import MeanImage, draw_epoch, mixed_labels
from cifarlab.config import to_json
from cifarlab.data.split import Split
from cifarlab.recipe import Recipe
from cifarlab.report.drawing import LIGHT, set_style
from cifarlab.report.words import shortened
from cifarlab.resolution import scaled_down
from cifarlab.runtime import generator

_CELL_INCHES = 1.15
_TITLE_CHARACTERS = 21


@dataclass(frozen=True)
class Stage:
    """All images after one more thing was done to them."""

    name: str
    settings: str
    images: Tensor
    """float32 ``[N, 3, H, W]`` in 0 … 1."""
    captions: tuple[str, ...] = ()
    """What to write below each image."""


def stages_of(recipe: Recipe, split: Split, chosen: Tensor, seed: int, epoch: int) -> list[Stage]:
    """The images ``chosen`` (int64 ``[N]``) of ``split`` as they are, then after every stage of ``recipe``.

    Draws are made for these images alone, by the same functions that training uses.
    """
    images, labels = split.images[chosen], split.labels[chosen]
    names = tuple(split.class_names[label] for label in labels.tolist())
    stages = [Stage("training image", "", images / 255, names)]
    for augmentation, drawn in zip(
        recipe.augment, draw_epoch(recipe.augment, len(images), seed, epoch), strict=True
    ):
        images = augmentation.apply(images, drawn)
        stages.append(Stage(_words(augmentation), _settings(augmentation), images / 255))
    seen = recipe.normalize.apply(images)
    if isinstance(recipe.normalize, MeanImage):
        seen = seen - _mean_of(split.images) / 255
    low, high = float(seen.min()), float(seen.max())
    settings = f"{_settings(recipe.normalize)}\nblack {low:.2f}, white {high:.2f}"
    stages.append(Stage(_words(recipe.normalize), settings.strip(), _stretched(seen, low, high)))
    if recipe.resolution is not None:
        size = recipe.resolution.size_at(epoch / recipe.epochs, seen.shape[-1])
        seen = scaled_down(seen, size)
        said = f"{size} × {size} pixels"
        stages.append(Stage(_words(recipe.resolution), said, _stretched(seen, low, high)))
    if recipe.mix is not None:
        drawn = recipe.mix.draw(len(seen), generator(seed, "mix", epoch))
        mixed, share = recipe.mix.apply(seen, seen.flip(0), drawn)
        targets = mixed_labels(labels, labels.flip(0), share, len(split.class_names))
        captions = tuple(_shares(row, split.class_names) for row in targets.tolist())
        stage = Stage(_words(recipe.mix), _settings(recipe.mix), _stretched(mixed, low, high), captions)
        stages.append(stage)
    return stages


def stages_picture(stages: Sequence[Stage], title: str, suffix: str) -> bytes:
    """A picture file (``png``, ``svg`` or ``pdf``): one row per image, one column per stage.

    Equal stages give equal bytes.
    """
    rows, columns = len(stages[0].images), len(stages)
    buffer = io.BytesIO()
    with rc_context():
        set_style(LIGHT)
        height = rows * (_CELL_INCHES + 0.2) + 1.35
        figure = Figure(figsize=(max(columns * (_CELL_INCHES + 0.35), 4.0), height), facecolor=LIGHT.page)
        figure.suptitle(title, fontsize=11, x=0.02, ha="left")
        grid = figure.subplots(rows, columns, squeeze=False)
        for column, stage in enumerate(stages):
            for row in range(rows):
                axes = grid[row][column]
                axes.imshow(stage.images[row].permute(1, 2, 0).clamp(0, 1).numpy(), interpolation="nearest")
                axes.set_xticks([])
                axes.set_yticks([])
                axes.spines[:].set_visible(False)
                if stage.captions:
                    axes.set_xlabel(shortened(stage.captions[row], 26), fontsize=7.5, labelpad=2)
            grid[0][column].set_title(_heading(stage), fontsize=7.5, pad=4, linespacing=1.3)
        top = 1 - 1.1 / height
        figure.subplots_adjust(left=0.02, right=0.98, top=top, bottom=0.25 / height, wspace=0.12, hspace=0.28)
        metadata = {"png": {"Software": None}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}
        figure.savefig(buffer, format=suffix, dpi=160, metadata=metadata[suffix])
    return buffer.getvalue()


def _heading(stage: Stage) -> str:
    lines = [line for part in stage.settings.split("\n") for line in textwrap.wrap(part, _TITLE_CHARACTERS)]
    return "\n".join([stage.name, *lines[:4]])


def _words(config: object) -> str:
    """``RandomCrop`` as ``random crop``."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", type(config).__name__).lower()


def _settings(config: object) -> str:
    """The values of numbers and words that differ from nothing said: short ones, by name."""
    assert dataclasses.is_dataclass(config)
    values = {name: value for name, value in to_json(config).items() if name != "type"}
    return ", ".join(f"{name} {_value(value)}" for name, value in values.items())


def _value(value: object) -> str:
    if isinstance(value, list):
        return "/".join(_value(item) for item in value)
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _stretched(images: Tensor, low: float, high: float) -> Tensor:
    return (images - low) / max(high - low, 1e-6)


def _mean_of(images: Tensor) -> Tensor:
    """The mean image of uint8 ``[N, 3, H, W]`` without a float copy of all of them."""
    total = torch.zeros(images.shape[1:], dtype=torch.float64)
    for part in images.split(1000):
        total += part.sum(0, dtype=torch.float64)
    return (total / len(images)).float()


def _shares(row: list[float], names: tuple[str, ...]) -> str:
    """Report 002's mixed labels in words: ``cat 0.70, dog 0.30``."""
    pairs = sorted(zip(row, names, strict=True), reverse=True)
    return ", ".join(f"{name} {share:.2f}" for share, name in pairs if share > 0.005)
