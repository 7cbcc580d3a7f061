"""The pictures that are explained: the user's own, and the most confident mistakes on the test set."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from cifarlab import run
from cifarlab.checkpoint import decode
from cifarlab.data.folder import read_picture_file
from cifarlab.errors import UserError, printable
from cifarlab.files import one_line_errors
from cifarlab.predict import Classifier

MOST_PICTURES = 100
"""More would make a page that no one reads."""


@dataclass(frozen=True)
class Subject:
    """One picture to explain."""

    stem: str
    """``picture-1``, ``mistake-1`` and so on; its files are named after it."""
    name: str
    pixels: Tensor
    """uint8 ``[3, S, S]``."""
    said: int
    """The class that the network finds most likely."""
    confidence: float
    """Its softmax probability."""
    truth: int | None


@dataclass(frozen=True)
class KeptTest:
    """What a run keeps of its test set; see ``finish``."""

    logits: Tensor
    """float32 ``[N, K]``."""
    labels: Tensor
    """int64 ``[N]``."""
    mistakes: Tensor
    """Places of the most confident mistakes, int64 ``[M]``, the most confident first."""
    mistake_images: Tensor
    """uint8 ``[M, 3, S, S]``."""


def read_kept_test(folder: Path, classes: int, size: int) -> KeptTest | None:
    """What the run in ``folder`` keeps of its test set; None where the file is not there.

    Raises:
        UserError: it is damaged.
    """
    path = folder / run.TEST_LOGITS
    if not path.is_file():
        return None
    with one_line_errors(f"read {path}"):
        content = path.read_bytes()
    tensors, _ = decode(content, path)
    try:
        names = ("logits", "labels", "mistakes", "mistake_images")
        logits, labels, mistakes, images = (tensors[name] for name in names)
        fits = (
            (logits.dtype, labels.dtype, mistakes.dtype, images.dtype)
            == (torch.float32, torch.int64, torch.int64, torch.uint8)
            and logits.shape == (len(labels), classes)
            and images.shape == (len(mistakes), 3, size, size)
            and bool(logits.isfinite().all())
            and _lies_below(labels, classes)
            and _lies_below(mistakes, len(labels))
        )
    except (KeyError, IndexError, TypeError) as error:
        raise UserError(f"{path} is damaged: {error!r}") from error
    if not fits:
        raise UserError(f"{path} is damaged: it does not fit the run's network")
    return KeptTest(logits, labels, mistakes, images)


def own_pictures(paths: Sequence[Path], classifier: Classifier) -> list[Subject]:
    """The user's own pictures and what the network says of them.

    Raises:
        UserError: one cannot be read.
    """
    if len(paths) > MOST_PICTURES:
        raise UserError(f"explain takes up to {MOST_PICTURES} pictures at once, found {len(paths):,}")
    if not paths:
        return []
    pixels = torch.stack([classifier.decode(read_picture_file(path), str(path)) for path in paths])
    confidences, said = classifier.logits(pixels).double().softmax(1).max(1)
    rows = zip(paths, pixels, said.tolist(), confidences.tolist(), strict=True)
    return [
        Subject(f"picture-{number}", printable(path.name), each, answer, confidence, None)
        for number, (path, each, answer, confidence) in enumerate(rows, 1)
    ]


def confident_mistakes(kept: KeptTest, count: int) -> list[Subject]:
    """The first ``count`` of the mistakes that the run keeps."""
    subjects = []
    rows = zip(kept.mistakes[:count].tolist(), kept.mistake_images, strict=False)
    for number, (place, pixels) in enumerate(rows, 1):
        confidence, said = kept.logits[place].double().softmax(0).max(0)
        subjects.append(
            Subject(
                f"mistake-{number}",
                f"test image {place}",
                pixels,
                int(said),
                float(confidence),
                int(kept.labels[place]),
            )
        )
    return subjects


def _lies_below(values: Tensor, end: int) -> bool:
    """Whether all of the whole numbers lie in 0 … end − 1."""
    return not len(values) or (int(values.min()) >= 0 and int(values.max()) < end)
