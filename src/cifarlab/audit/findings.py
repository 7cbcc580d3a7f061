"""``audit.json``: everything that an audit found, as JSON values.

At the top: ``schema``, ``data``, ``settings``, ``command``, ``versions``, ``hardware``, and

- ``duplicates``: ``counts`` of pairs and ``images`` concerned, ``test_with_train_duplicate`` (``images``,
  ``share``, ``interval``), ``excluded`` test images, ``pairs`` (closest first), ``groups`` (largest first),
  and ``crowded``: whether so many images have a near-duplicate that these are doubted and not excluded;
- ``labels`` (null where they were left out): for ``train`` and ``test`` the ``accuracy`` of the networks that
  judged, and ``suspects``, the most doubted first;
- ``balance``: for ``train`` and ``test`` the ``counts`` and what follows from them.

An image is ``{"half", "index", "name", "label"}``; labels are indices into ``data.class_names``.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

import torch

from cifarlab.audit.balance import balance
from cifarlab.audit.duplicates import Duplicates, Pair
from cifarlab.audit.folds import Opinions
from cifarlab.audit.groups import exclusions, groups, is_crowded, trusted
from cifarlab.audit.suspects import Suspect, find_suspects
from cifarlab.config import to_json
from cifarlab.data.split import Source, Split
from cifarlab.metrics import correct_count
from cifarlab.runtime import hardware, versions
from cifarlab.statistics import accuracy_interval

SCHEMA_VERSION = 1
KINDS = ("exact", "mirrored", "near")
BETWEEN = ("train", "test", "across")
"""Both images in the training set, both in the test set, one in each."""

Describe = Callable[[int], dict[str, Any]]


def findings(
    source: Source,
    train: Split,
    test: Split,
    settings: dict[str, Any],
    duplicates: Duplicates,
    opinions: Opinions | None,
    command: str,
) -> dict[str, Any]:
    """Everything as JSON values; ``settings`` are the audit's, as JSON."""
    describe = _describer(source, train, test)
    doubts = None
    if opinions is not None:
        doubts = {
            "train": _doubts(opinions.train, train, describe, 0),
            "test": _doubts(opinions.test, test, describe, len(train)),
        }
    return {
        "schema": SCHEMA_VERSION,
        "data": to_json(source.description),
        "settings": settings,
        "command": command,
        "versions": versions(),
        "hardware": hardware(torch.device("cpu")),
        "duplicates": _duplicates(duplicates, describe, len(train), len(test)),
        "labels": doubts,
        "balance": {"train": _balance(train), "test": _balance(test)},
    }


def _describer(source: Source, train: Split, test: Split) -> Describe:
    """From an image's number to what is said of it."""
    names: dict[str, Sequence[str]] = dict(zip(("train", "test"), source.image_names(), strict=True))
    labels = {"train": train.labels.tolist(), "test": test.labels.tolist()}

    def describe(image: int) -> dict[str, Any]:
        half, index = ("train", image) if image < len(train) else ("test", image - len(train))
        return {"half": half, "index": index, "name": names[half][index], "label": labels[half][index]}

    return describe


def _duplicates(found: Duplicates, describe: Describe, train: int, test: int) -> dict[str, Any]:
    pairs = [_pair(pair, describe) for pair in sorted(found.pairs, key=_closeness)]
    counts = {between: dict.fromkeys(KINDS, 0) for between in BETWEEN}
    images: dict[str, set[int]] = {between: set() for between in BETWEEN}
    for pair in found.pairs:
        between = _between(pair, train)
        counts[between][pair.kind] += 1
        images[between] |= {pair.first, pair.second}
    excluded = exclusions(trusted(found.pairs, train + test), train, train + test)
    repeats = sum(each.partner < train for each in excluded)
    return {
        "counts": counts,
        "images": {between: len(images[between]) for between in BETWEEN},
        "test_with_train_duplicate": {
            "images": repeats,
            "share": repeats / test,
            "interval": list(accuracy_interval(repeats, test)),
        },
        "excluded": len(excluded),
        "with_different_labels": sum(pair["labels_differ"] for pair in pairs),
        "flat_images": found.flat_images,
        "crowded": is_crowded(found.pairs, train + test),
        "pairs": pairs,
        "groups": [[describe(image) for image in group] for group in groups(found.pairs, train + test)],
    }


def _pair(pair: Pair, describe: Describe) -> dict[str, Any]:
    first, second = describe(pair.first), describe(pair.second)
    return {
        "kind": pair.kind,
        "mirrored": pair.mirrored,
        "pixels": round(pair.pixels, 4),
        "gradients": round(pair.gradients, 4),
        "structure": round(pair.structure, 4),
        "labels_differ": first["label"] != second["label"],
        "first": first,
        "second": second,
    }


def _closeness(pair: Pair) -> tuple[int, float, int, int]:
    return KINDS.index(pair.kind), -pair.pixels, pair.first, pair.second


def _between(pair: Pair, train: int) -> str:
    if pair.second < train:
        return "train"
    return "test" if pair.first >= train else "across"


def _doubts(probabilities: torch.Tensor, split: Split, describe: Describe, offset: int) -> dict[str, Any]:
    suspects = find_suspects(probabilities, split.labels)
    correct = correct_count(probabilities, split.labels)
    return {
        "images": len(split),
        "accuracy": correct / len(split),
        "interval": list(accuracy_interval(correct, len(split))),
        "per_class": dict(Counter(split.class_names[suspect.given] for suspect in suspects)),
        "suspects": [_suspect(suspect, describe, offset) for suspect in suspects],
    }


def _suspect(suspect: Suspect, describe: Describe, offset: int) -> dict[str, Any]:
    return {
        **describe(offset + suspect.image),
        "suggested": suspect.suggested,
        "label_probability": round(suspect.given_probability, 4),
        "suggested_probability": round(suspect.suggested_probability, 4),
        "margin": round(suspect.margin, 4),
    }


def _balance(split: Split) -> dict[str, Any]:
    figures = balance(split.labels.tolist(), len(split.class_names))
    return {**asdict(figures), "counts": list(figures.counts), "unbalanced": figures.unbalanced}
