"""Classify pictures with a run's network."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from cifarlab import run
from cifarlab.data.batches import whole
from cifarlab.data.folder import all_unreadable, read_picture_file
from cifarlab.data.memory import LOADING_COPIES, refuse_beyond_memory
from cifarlab.data.pictures import decode
from cifarlab.data.split import Split
from cifarlab.errors import UserError
from cifarlab.evaluate import logits_of, with_views
from cifarlab.run import TrainedNetwork
from cifarlab.runtime import device_named


@dataclass(frozen=True)
class Prediction:
    """What the network says of one picture."""

    file: str
    class_name: str
    probabilities: dict[str, float]
    """Softmax probability of every class."""


@dataclass(frozen=True)
class Classifier:
    """A run's trained network with all that comes before it: the way from a picture's bytes to logits."""

    folder: Path
    trained: TrainedNetwork
    network: nn.Module
    """In evaluation mode, on ``device``."""
    device: torch.device

    @classmethod
    def open(cls, folder: Path, device: str = "auto") -> "Classifier":
        """The network of the run in ``folder``; ``device`` is auto, cpu, cuda, cuda:1 or mps.

        Raises:
            UserError: no such run, an unfinished or damaged one, or no such device.
        """
        trained, network = run.load_network(folder)
        place = device_named(device)
        return cls(folder, trained, network.to(place), place)

    def decode(self, content: bytes, name: str) -> Tensor:
        """A picture file as the network takes it: uint8 ``[3, S, S]``, prepared as in training.

        Raises:
            UserError: not a picture that can be read; ``name`` is what the message calls it.
        """
        return torch.from_numpy(decode(content, self.trained.preparation, name))

    def normalized(self, pixels: Tensor) -> Tensor:
        """uint8 ``[N, 3, S, S]`` to the float32 of the same shape, on the device, that the network takes."""
        return self.trained.normalize.apply(pixels.to(self.device))

    def logits(self, pixels: Tensor) -> Tensor:
        """uint8 ``[N, 3, S, S]`` to logits, after all views and divided by the temperature.

        float32 ``[N, classes]`` on the CPU.

        Raises:
            UserError: they are not finite.
        """
        if not len(pixels):
            return torch.empty(0, len(self.trained.class_names))
        split = Split(pixels, torch.zeros(len(pixels), dtype=torch.int64), self.trained.class_names)
        data, normalize = whole(split, self.device), self.trained.normalize
        # In fp32 on every device, as the exported graph and what explain shows.
        first = logits_of(self.network, data, normalize, precision="fp32")
        logits = with_views(self.trained.views, first, self.network, data, normalize, precision="fp32")
        if not bool(logits.isfinite().all()):
            raise UserError(f"the network in {self.folder} gives no finite answer; its weights are damaged")
        return logits / self.trained.temperature


def predict(folder: Path, images: Sequence[Path], *, device: str = "auto") -> list[Prediction]:
    """Classify picture files with the run in ``folder``, prepared as its training pictures were.

    Raises:
        UserError: no such run, or pictures that cannot be read, which are named.
    """
    classifier = Classifier.open(folder, device)
    if not images:
        return []
    names = classifier.trained.class_names
    logits = classifier.logits(_pixels(images, classifier))
    rows = zip(images, logits.double().softmax(1).tolist(), logits.argmax(1).tolist(), strict=True)
    return [
        Prediction(str(image), names[best], dict(zip(names, row, strict=True))) for image, row, best in rows
    ]


def origin(folder: Path) -> str:
    """On what the network of the run in ``folder`` was trained and how good it is, in words.

    Raises:
        UserError: no such run, or a damaged one.
    """
    description, ending = run.read_description(folder), run.read_ending(folder)
    words = f"{description.recipe_name} in {folder}, trained on {description.data.name}"
    accuracy, images = (ending or {}).get("test_accuracy"), (ending or {}).get("test_images")
    if not isinstance(accuracy, float) or not isinstance(images, int):
        return words
    return f"{words}; test accuracy {accuracy:.2%} (n = {images:,})"


def _pixels(images: Sequence[Path], classifier: Classifier) -> Tensor:
    """uint8 ``[N, 3, S, S]`` of all pictures, after every one was tried."""
    size = classifier.trained.preparation.size
    refuse_beyond_memory("predict", len(images), size, LOADING_COPIES)
    pixels = torch.empty(len(images), 3, size, size, dtype=torch.uint8)
    unreadable = []
    for row, image in enumerate(images):
        try:
            pixels[row] = classifier.decode(read_picture_file(image), str(image))
        except UserError as error:
            unreadable.append((str(image), error))
    if unreadable:
        raise all_unreadable(unreadable, len(images))
    return pixels
