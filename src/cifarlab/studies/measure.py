"""What a report measures on a trained network beside its test accuracy; kept in the run's folder.

A measurement is made once and stored in ``measured.json`` beside ``result.json``, with what it belongs to.
"""

import sys
import time
from pathlib import Path
from typing import Any, Literal

import torch

from cifarlab import run
from cifarlab.data.batches import DeviceSplit, whole
from cifarlab.errors import UserError
from cifarlab.evaluate import logits_of
from cifarlab.explain.activations import images_to_count_on, share_of_zeros, zero_counts
from cifarlab.files import read_json, sha256_of, write_json
from cifarlab.judge import judge
from cifarlab.own_data import own_source
from cifarlab.runtime import NUMERICS_VERSION, device_named, hardware

MEASURED = "measured.json"
Measurement = Literal[
    "train_accuracy", "train_inference_seconds", "test_inference_seconds", "zero_activations"
]


def measured(folder: Path, what: Measurement, device: str = "auto") -> float:
    """One measurement of the finished run in ``folder``, made now if it was not made before.

    - ``train_accuracy``: on the run's own training images without augmentation, in the mode of its protocol;
    - ``train_inference_seconds``, ``test_inference_seconds``: for all images of the set, once, in batches of
      500, data on the device already;
    - ``zero_activations``: the share of exact zeros among the outputs of the activation functions, on 500
      test images of all classes.

    A measurement that was kept counts only for the same weights and numerics, a time only for the same
    hardware, and no impossible one does.

    Raises:
        UserError: no finished run, or its data are gone or changed and it was not measured before.
    """
    run.read_result(folder)
    belongs = _belongs(folder, what, device)
    kept = _kept(folder)
    value = _value(kept.get(what), what, belongs)
    if value is None:
        value = _measure(folder, what, device)
        write_json(folder / MEASURED, {**kept, what: {"value": value, **belongs}})
    return value


def _belongs(folder: Path, what: Measurement, device: str) -> dict[str, Any]:
    """What a measurement is one of, as JSON values."""
    belongs = {"weights_sha256": sha256_of(folder / run.WEIGHTS), "numerics": NUMERICS_VERSION}
    if _is_time(what):
        return {**belongs, "hardware": hardware(device_named(device))}
    return {**belongs, "images": "of all classes"} if what == "zero_activations" else belongs


def _kept(folder: Path) -> dict[str, Any]:
    """What was measured before; a damaged file counts as nothing, it can be made again."""
    try:
        value = read_json(folder / MEASURED) if (folder / MEASURED).is_file() else {}
    except UserError:
        return {}
    return value if isinstance(value, dict) else {}


def _value(kept: Any, what: Measurement, belongs: dict[str, Any]) -> float | None:
    """The number in what was kept; None where it is of something else, or impossible."""
    if not isinstance(kept, dict) or {name: kept.get(name) for name in belongs} != belongs:
        return None
    value = kept.get("value")
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    is_possible = 0 < value <= sys.float_info.max if _is_time(what) else 0 <= value <= 1  # NaN is neither
    return float(value) if is_possible else None


def _is_time(what: Measurement) -> bool:
    return what in ("train_inference_seconds", "test_inference_seconds")


def _measure(folder: Path, what: Measurement, device: str) -> float:
    if what == "train_accuracy":
        as_published = run.read_description(folder).protocols == "A"
        mode: Literal["as-published", "evaluation"] = "as-published" if as_published else "evaluation"
        figures = judge(folder, part="train", mode=mode, device=device)
        return float(figures["accuracy"])
    trained, network = run.load_network(folder)
    place = device_named(device)
    images = _images(folder, what, place)
    network = network.to(place, memory_format=torch.channels_last)  # type: ignore[call-overload]
    if what == "zero_activations":
        batch, _ = images.batch(images_to_count_on(images.labels).to(place))
        return share_of_zeros(zero_counts(network, trained.normalize.apply(batch)))
    logits_of(network, DeviceSplit(images.images, images.labels, images.indices[:500]), trained.normalize)
    began = time.perf_counter()
    logits_of(network, images, trained.normalize)
    return time.perf_counter() - began


def _images(folder: Path, what: Measurement, device: torch.device) -> DeviceSplit:
    source = own_source(folder)
    split = source.read_train() if what == "train_inference_seconds" else source.read_test()
    return whole(split, device)
