"""Logits of a network over a data set, and everything that is told from them."""

import copy
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor, nn

from cifarlab import metrics
from cifarlab.augment import Normalization
from cifarlab.data.batches import DeviceSplit, epoch_order
from cifarlab.distributed import ALONE, Group
from cifarlab.models.modes import inference_mode
from cifarlab.recipe import EvaluationMode, Mode, TrainingMode
from cifarlab.runtime import Precision, autocast, own_randomness, reseed
from cifarlab.statistics import accuracy_interval
from cifarlab.views import TestTimeViews


def never_stop() -> None:
    """The default answer to "has the user asked to stop?", asked between batches."""


def logits_of(
    network: nn.Module,
    data: DeviceSplit,
    normalize: Normalization,
    *,
    batch_size: int = 500,
    precision: Precision = "auto",
    check_stop: Callable[[], None] = never_stop,
    group: Group = ALONE,
) -> Tensor:
    """Logits, float32 ``[N, K]`` on the CPU, in the order of ``data``; the network is left as it was.

    The processes of ``group`` divide the images among them, each image to one, and all get all logits.
    """
    device = data.images.device
    rows = []
    with inference_mode(network):
        for positions in group.positions_of(len(data)).to(device).split(min(batch_size, len(data))):
            check_stop()
            images, _ = data.batch(positions)
            with autocast(device, precision):
                rows.append(network(normalize.apply(images)).float())
    return group.gathered(torch.cat(rows), len(data)).cpu()


def with_views(
    views: TestTimeViews | None,
    first: Tensor,
    network: nn.Module,
    data: DeviceSplit,
    normalize: Normalization,
    *,
    batch_size: int = 500,
    precision: Precision = "auto",
    check_stop: Callable[[], None] = never_stop,
    group: Group = ALONE,
) -> Tensor:
    """The logits after all ``views``, from those of the images as they are, which ``logits_of`` has given.

    ``first`` itself where there are no views. Of all images that are asked about again, each process of
    ``group`` takes its part.
    """
    if views is None:
        return first
    device = data.images.device
    again = views.asks_again(first).nonzero()[:, 0]
    if not len(again):
        return first
    rows = []
    with inference_mode(network):
        for part in again[group.positions_of(len(again))].split(min(batch_size, len(again))):
            check_stop()
            images, _ = data.batch(part.to(device))
            with autocast(device, precision):
                rows.append(views.average(first[part].to(device), network, normalize.apply(images)))
    return first.index_copy(0, again, group.gathered(torch.cat(rows), len(again)).cpu())


def training_mode_logits(
    network: nn.Module,
    data: DeviceSplit,
    normalize: Normalization,
    *,
    batch_size: int,
    seed: int,
    precision: Precision = "auto",
    check_stop: Callable[[], None] = never_stop,
) -> Tensor:
    """Logits as report 003 computed them: dropout on, BatchNorm by the statistics of shuffled batches.

    Works on a copy, since a forward pass in training mode moves BatchNorm's running statistics. Returns
    float32 ``[N, K]`` on the CPU, in the order of ``data``. Several processes do not divide it: each computes
    all of it, since the batches must be the published ones.
    """
    device = data.images.device
    network = copy.deepcopy(network).train()
    order = epoch_order(len(data), seed, 0).to(device)
    rows = []
    with torch.no_grad(), own_randomness(device):
        for place, positions in enumerate(order.split(min(batch_size, len(data)))):
            check_stop()
            reseed(seed, "as published", place)
            images, _ = data.batch(positions)
            with autocast(device, precision):
                rows.append(network(normalize.apply(images)).float())
    return torch.cat(rows)[order.argsort()].cpu()


def logits_in_mode(
    mode: Mode,
    network: nn.Module,
    data: DeviceSplit,
    normalize: Normalization,
    *,
    part: str,
    seed: int,
    precision: Precision = "auto",
    check_stop: Callable[[], None] = never_stop,
    group: Group = ALONE,
) -> Tensor:
    """Logits in the evaluation mode that a recipe asks for; ``part`` is train, validation or test."""
    match mode:
        case EvaluationMode(batch_size):
            return logits_of(
                network,
                data,
                normalize,
                batch_size=batch_size,
                precision=precision,
                check_stop=check_stop,
                group=group,
            )
        case TrainingMode(batch_size, validation_batch_size):
            return training_mode_logits(
                network,
                data,
                normalize,
                batch_size=validation_batch_size if part == "validation" else batch_size,
                seed=seed,
                precision=precision,
                check_stop=check_stop,
            )


def verdict(logits: Tensor, labels: Tensor, class_names: tuple[str, ...]) -> dict[str, Any]:
    """Everything that can be told from logits ``[N, K]`` and labels (int64 ``[N]``), as JSON values."""
    correct = metrics.correct_count(logits, labels)
    error, bins = metrics.calibration(logits, labels)
    return {
        "accuracy": correct / len(labels),
        "images": len(labels),
        "interval": list(accuracy_interval(correct, len(labels))),
        "loss": metrics.mean_loss(logits, labels),
        "balanced_accuracy": metrics.balanced_accuracy(logits, labels),
        "per_class": [
            {
                "class": row.name,
                "images": row.images,
                "correct": row.correct,
                "accuracy": row.accuracy,
                "interval": list(row.interval),
            }
            for row in metrics.per_class(logits, labels, class_names)
        ],
        "confusion_matrix": metrics.confusion(logits, labels),
        "calibration": {"ece": error, "bins": [asdict(each) for each in bins]},
    }
