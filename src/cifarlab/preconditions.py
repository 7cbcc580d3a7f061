"""What a recipe must fulfill to be trained on given data, said before anything is computed or written."""

import math

import torch
from torch import nn

from cifarlab.distributed import Group
from cifarlab.errors import UserError
from cifarlab.recipe import Recipe
from cifarlab.run import RunDescription

SAFE_IMAGE_SIZE, SAFE_CHANNELS = 32, 16
"""See ``check_convolutions``."""


def check_average(recipe: Recipe, images: int) -> None:
    """Refuse an average of the weights that would never be updated."""
    steps = math.ceil(images / recipe.batch_size) * recipe.epochs
    if recipe.average is not None and recipe.average.every > steps:
        raise UserError(
            f"the weights are averaged every {recipe.average.every:,} steps, and this run has {steps:,}; "
            "take a smaller --recipe.average.every"
        )


def check_convolutions(recipe: Recipe, image_size: int) -> None:
    """Refuse what torch's convolutions on the CPU cannot do without writing beyond their memory.

    Seen in torch 2.13: the backward pass of a strided 1×1 convolution of few channels, channels last, on maps
    of 48 pixels and more (none at 32).
    """
    if image_size <= SAFE_IMAGE_SIZE:
        return
    with torch.device("meta"):
        network = recipe.model.build(2, image_size)
    layers = [layer for layer in network.modules() if isinstance(layer, nn.Conv2d)]
    strided = [layer for layer in layers if layer.kernel_size == (1, 1) and layer.stride != (1, 1)]
    fewest = min((layer.in_channels for layer in strided), default=SAFE_CHANNELS)
    if fewest < SAFE_CHANNELS:
        raise UserError(
            f"on a CPU torch cannot train strided 1×1 convolutions of {fewest} channels on images of "
            f"{image_size} pixels; take a wider network, or images of at most {SAFE_IMAGE_SIZE} pixels"
        )


def check_last_batch(recipe: Recipe, description: RunDescription, images: int, group: Group) -> None:
    """Refuse, before the first step, a last batch that leaves a process one image where that is too few.

    BatchNorm takes the variance over images and pixels; on a map of one pixel, one image has none.

    Raises:
        UserError: so it is; another batch size helps.
    """
    last = images % recipe.batch_size or min(images, recipe.batch_size)
    if last // group.size > 1:
        return
    with torch.device("meta"):
        network = recipe.model.build(len(description.data.class_names), description.data.image_size)
        one = torch.zeros(1, 3, description.data.image_size, description.data.image_size)
    try:
        network.train()(one)
    except ValueError as error:
        processes = f", divided among {group.size} processes" if group.size > 1 else ""
        raise UserError(
            f"the last batch of an epoch has {last} of {images:,} images{processes}, and this network cannot "
            "be trained on a single image; take another --recipe.batch-size"
        ) from error


def check_size(recipe: Recipe, image_size: int) -> None:
    """Refuse a size that the recipe's network does not take, before pictures are read for it.

    Raises:
        UserError: as the network says it.
    """
    with torch.device("meta"):
        recipe.model.build(2, image_size)
