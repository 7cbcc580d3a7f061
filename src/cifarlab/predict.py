"""Classify pictures with a run's network."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from cifarlab.data.batches import whole
from cifarlab.data.pictures import decode
from cifarlab.data.split import Split
from cifarlab.errors import UserError
from cifarlab.evaluate import logits_of
from cifarlab.files import one_line_errors
from cifarlab.run import load_network
from cifarlab.runtime import device_named


@dataclass(frozen=True)
class Prediction:
    """What the network says of one picture."""

    file: str
    class_name: str
    probabilities: dict[str, float]
    """Softmax probability of every class."""


def predict(folder: Path, images: Sequence[Path], *, device: str = "auto") -> list[Prediction]:
    """Classify picture files with the run in ``folder``, prepared as its training pictures were.

    Raises:
        UserError: no such run, or a picture that cannot be read, which is named.
    """
    trained, network = load_network(folder)
    place = device_named(device)
    if not images:
        return []
    pictures = []
    for image in images:
        with one_line_errors(f"read {image}"):
            content = image.read_bytes()
        pictures.append(decode(content, trained.preparation, str(image)))
    pixels = torch.from_numpy(np.stack(pictures))
    split = Split(pixels, torch.zeros(len(pixels), dtype=torch.int64), trained.class_names)
    logits = logits_of(network.to(place), whole(split, place), trained.normalize)
    if not bool(logits.isfinite().all()):
        raise UserError(f"the network in {folder} gives no finite answer; its weights are damaged")
    rows = zip(images, logits.double().softmax(1).tolist(), logits.argmax(1).tolist(), strict=True)
    return [
        Prediction(str(image), trained.class_names[best], dict(zip(trained.class_names, row, strict=True)))
        for image, row, best in rows
    ]
