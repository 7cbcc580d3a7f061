"""What a recipe must fulfill to be trained on given data, said before anything is computed or written."""

import torch
from torch import nn

from cifarlab.distributed import Group
from cifarlab.errors import UserError
from cifarlab.models.in_parts import parts_of
from cifarlab.models.modes import inference_mode
from cifarlab.optim import Adam, AdamW, Muon, Sgd
from cifarlab.recipe import Judging, Recipe
from cifarlab.run import RunDescription, trained_network
from cifarlab.schedules import Moment

SAFE_IMAGE_SIZE, SAFE_CHANNELS = 32, 16
"""See ``check_convolutions``."""


def check_patience(recipe: Recipe, judging: Judging) -> None:
    """Refuse a patience that nothing can try: every epoch is the last one so far."""
    if recipe.patience is not None and judging.select_by == "last":
        raise UserError(
            "patience: the last epoch is taken, whatever its figures, so no run would end early; "
            "leave patience out, or hold images out and choose the epoch by them"
        )


def check_average(recipe: Recipe, images: int) -> None:
    """Refuse an average of the weights that would never be updated."""
    steps = recipe.steps_of_epoch(images) * recipe.epochs
    if recipe.average is not None and recipe.average.every > steps:
        raise UserError(
            f"the weights are averaged every {recipe.average.every:,} steps, and this run has {steps:,}; "
            "take a smaller --recipe.average.every"
        )


def check_rates(recipe: Recipe, images: int) -> None:
    """Refuse a run too short for its schedule's warm-up, whose first step has the rate 0."""
    steps = recipe.steps_of_epoch(images)
    moments = (Moment(step, steps, recipe.epochs) for step in range(steps * recipe.epochs))
    if not any(recipe.schedule.factor(moment) for moment in moments):
        raise UserError(
            f"the schedule gives the rate 0 to every step of this run, which has {steps * recipe.epochs:,} "
            "in all; take more epochs, or a smaller --recipe.batch-size"
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


def check_last_batch(description: RunDescription, images: int, group: Group) -> None:
    """Refuse, before the first step, a last batch that leaves a process one image where that is too few.

    BatchNorm takes the variance over images and pixels; on a map of one pixel, one image has none.

    Raises:
        UserError: so it is; another batch size helps.
    """
    recipe = description.recipe
    last = images % recipe.batch_size or min(images, recipe.batch_size)
    if last // group.size > 1:
        return
    whole = description.data.image_size
    smallest = whole if recipe.resolution is None else recipe.resolution.sizes[0]
    with torch.device("meta"):
        network = recipe.model.build(len(description.data.class_names), whole)
        one = torch.zeros(1, 3, smallest, smallest)
    try:
        network.train()(one)
    except ValueError as error:
        processes = f", divided among {group.size} processes" if group.size > 1 else ""
        raise UserError(
            f"the last batch of an epoch has {last} of {images:,} images{processes}, and this network cannot "
            "be trained on a single image; take another --recipe.batch-size"
        ) from error


def check_resolution(description: RunDescription) -> None:
    """Refuse sizes to scale down to that are none, or at which the network cannot be used.

    Raises:
        UserError: a size is not below the data's own, or is one that the network does not take.
    """
    recipe, whole = description.recipe, description.data.image_size
    if recipe.resolution is None:
        return
    with torch.device("meta"):
        network = trained_network(description).build()
    for size in recipe.resolution.sizes:
        if size >= whole:
            raise UserError(
                f"resolution.sizes: {size} pixels are not below the {whole} of the images; take smaller ones"
            )
        check_size(recipe, size)
        try:
            with inference_mode(network):
                network(torch.zeros(1, 3, size, size, device="meta"))
        except RuntimeError as error:
            raise UserError(
                f"resolution: this network takes images of {whole} pixels only, since a layer of it, or the "
                "mean image that is subtracted, has their size; leave resolution out"
            ) from error


def check_freezing(description: RunDescription, group: Group) -> None:
    """Refuse to freeze parts that the network has not, or in several processes.

    Raises:
        UserError: so it is; it says how many parts there are.
    """
    freezing = description.recipe.freezing
    if freezing is None:
        return
    if group.size > 1:
        # DistributedDataParallel waits for the gradient of every parameter that it began with.
        raise UserError("freezing: parts can be frozen late in a run of one process only; leave it out")
    with torch.device("meta"):
        parts = parts_of(trained_network(description).build())
    if not parts:
        raise UserError(
            "freezing: this network has no parts to freeze before the others (FastCnn has); leave it out"
        )
    if len(freezing.after) > len(parts):
        raise UserError(
            f"freezing.after freezes {len(freezing.after)} parts, and this network has {len(parts)} beside "
            "its last layer; give fewer shares"
        )


def check_capture(recipe: Recipe, group: Group) -> None:
    """Refuse to record steps that several processes take together, or an optimizer that asks the device.

    Raises:
        UserError: so it is.
    """
    if not recipe.capture:
        return
    if group.size > 1:
        raise UserError("capture: steps can be recorded in a run of one process only; leave it out")
    if not isinstance(recipe.optimizer, Sgd | Adam | AdamW | Muon):
        name = type(recipe.optimizer).__name__
        raise UserError(
            f"capture: {name}'s step cannot be recorded; take Sgd, Adam, AdamW or Muon, or leave it out"
        )


def check_views(description: RunDescription) -> None:
    """Refuse views moved as far as the image is wide, of which nothing would be left to reflect."""
    views, size = description.recipe.views, description.data.image_size
    if views is not None and views.shift >= size:
        raise UserError(f"views.shift: {views.shift} pixels are too many for images of {size}; take fewer")


def check_size(recipe: Recipe, image_size: int) -> None:
    """Refuse a size that the recipe's network does not take, before pictures are read for it.

    Raises:
        UserError: as the network says it.
    """
    with torch.device("meta"):
        recipe.model.build(2, image_size)
