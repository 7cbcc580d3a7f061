"""Evaluate a finished run again: on its own images or others, in the right mode or as published."""

from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from cifarlab import run
from cifarlab.data.batches import DeviceSplit, whole
from cifarlab.data.sources import open_source
from cifarlab.data.split import Source
from cifarlab.errors import UserError, printable
from cifarlab.evaluate import logits_in_mode, verdict, with_views
from cifarlab.exclusion import chosen_indices
from cifarlab.job import divide
from cifarlab.metrics import correct_count
from cifarlab.own_data import check_data
from cifarlab.recipe import EvaluationMode, Mode, judging_under
from cifarlab.runtime import device_named
from cifarlab.statistics import accuracy_interval

Part = Literal["test", "validation", "train"]


def judge(
    folder: Path,
    *,
    data: str | None = None,
    part: Part = "test",
    mode: Literal["evaluation", "as-published"] = "evaluation",
    device: str = "auto",
    exclude: Path | None = None,
) -> dict[str, Any]:
    """Accuracy, interval, per-class table, confusion matrix and calibration of the run in ``folder``.

    Args:
        data: a data set with the same classes; None for the run's own, which must not have changed.
        part: images of the test set, or the run's own validation or training part, not augmented.
        mode: ``as-published`` is the mode of the recipe's protocol A.
        exclude: an audit's folder or its ``exclude.json``: the figures without the test images named there
            are given too, under ``without_excluded``, and those of these images alone under
            ``only_excluded`` (null if there are none).

    Raises:
        UserError: no such run, the data are gone or changed, the recipe has no such mode, nothing was held
            out to validate on, or the list of excluded images is damaged or of other data.
    """
    if exclude is not None and part != "test":
        raise UserError(f"a list of excluded images is about the test set, not the {part} part")
    result, description = run.read_result(folder), run.read_description(folder)
    trained, network = run.load_network(folder)
    place = device_named(device)
    data_argument = data or result.get("data_argument")
    if not data_argument:
        raise UserError(f"{printable(folder)} does not say what opens its data; name them with --data")
    source = open_source(data_argument, description.data.preparation)
    check_data(source, description, folder, own=data is None or part != "test")
    if exclude is not None:
        chosen = _excluded(exclude, source, description)
    images = _images(source, description, part, place)
    if not len(images):
        raise UserError(f"{printable(folder)} held out no images to validate on; take --part test or train")
    network, precision = network.to(place), description.recipe.precision
    logits = logits_in_mode(
        _mode(description, mode),
        network,
        images,
        trained.normalize,
        part=part,
        seed=description.seed,
        precision=precision,
    )
    logits = with_views(trained.views, logits, network, images, trained.normalize, precision=precision)
    labels = images.labels[images.indices].cpu()
    figures = {
        "run": str(folder),
        "data": source.description.name,
        "part": part,
        "mode": mode,
        "class_names": list(trained.class_names),
        **verdict(logits, labels, trained.class_names),
    }
    if exclude is not None:
        figures |= _with_and_without(logits, labels, trained.class_names, chosen, exclude)
    return figures


def _excluded(path: Path, source: Source, description: run.RunDescription) -> Tensor:
    """The indices, int64 ``[M]``, that the list at ``path`` excludes from the test set of ``source``."""
    found = source.description
    indices = chosen_indices(path, description.data.train_sha256, found.test_sha256, found.test_images)
    if len(indices) == found.test_images:
        raise UserError(f"{printable(path)} excludes every test image; nothing would be left to judge")
    return torch.tensor(indices, dtype=torch.int64)


def _with_and_without(
    logits: Tensor, labels: Tensor, class_names: tuple[str, ...], excluded: Tensor, path: Path
) -> dict[str, Any]:
    """The figures of the images that stay, and the accuracy on those that do not."""
    stays = torch.ones(len(labels), dtype=torch.bool)
    stays[excluded] = False
    gone = len(excluded)
    correct = correct_count(logits[~stays], labels[~stays])
    return {
        "without_excluded": {
            **verdict(logits[stays], labels[stays], class_names),
            "excluded": gone,
            "by": str(path),
        },
        "only_excluded": {
            "accuracy": correct / gone,
            "images": gone,
            "interval": list(accuracy_interval(correct, gone)),
        }
        if gone
        else None,
    }


def _images(source: Source, description: run.RunDescription, part: Part, device: Any) -> DeviceSplit:
    if part == "test":
        return whole(source.read_test(), device)
    training, validation = divide(
        source, description, judging_under(description.recipe, description.protocols), device
    )
    return training if part == "train" else validation


def _mode(description: run.RunDescription, mode: str) -> Mode:
    if mode == "evaluation":
        return EvaluationMode()
    return judging_under(description.recipe, "A").mode
