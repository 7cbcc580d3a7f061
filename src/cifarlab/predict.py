"""Classify pictures with a run's network."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from cifarlab.data.batches import whole
from cifarlab.data.folder import all_unreadable, read_picture_file
from cifarlab.data.memory import LOADING_COPIES, refuse_beyond_memory
from cifarlab.data.pictures import Preparation, decode
from cifarlab.data.split import Split
from cifarlab.errors import UserError
from cifarlab.evaluate import logits_of
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
        UserError: no such run, or pictures that cannot be read, which are named.
    """
    trained, network = load_network(folder)
    place = device_named(device)
    if not images:
        return []
    pixels = _pixels(images, trained.preparation)
    split = Split(pixels, torch.zeros(len(pixels), dtype=torch.int64), trained.class_names)
    logits = logits_of(network.to(place), whole(split, place), trained.normalize)
    if not bool(logits.isfinite().all()):
        raise UserError(f"the network in {folder} gives no finite answer; its weights are damaged")
    rows = zip(images, logits.double().softmax(1).tolist(), logits.argmax(1).tolist(), strict=True)
    return [
        Prediction(str(image), trained.class_names[best], dict(zip(trained.class_names, row, strict=True)))
        for image, row, best in rows
    ]


def _pixels(images: Sequence[Path], preparation: Preparation) -> Tensor:
    """uint8 ``[N, 3, S, S]`` of all pictures, after every one was tried."""
    size, unreadable = preparation.size, []
    refuse_beyond_memory("predict", len(images), size, LOADING_COPIES)
    pixels = np.empty((len(images), 3, size, size), np.uint8)
    for row, image in enumerate(images):
        try:
            pixels[row] = decode(read_picture_file(image), preparation, str(image))
        except UserError as error:
            unreadable.append((str(image), error))
    if unreadable:
        raise all_unreadable(unreadable, len(images))
    return torch.from_numpy(pixels)
