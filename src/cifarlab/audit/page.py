"""``audit.html``: one file that works offline, made from what ``audit.json`` holds and from the images."""

from typing import Any

import torch
from jinja2 import ChoiceLoader, Environment, PackageLoader
from torch.nn import functional as F

from cifarlab.audit.similarity import REACH, THUMBNAIL, ZOOM_CROP
from cifarlab.data.split import Split
from cifarlab.explain.drawing import evenly
from cifarlab.report.page import environment, png_uri

PAIRS_SHOWN = {"across": 36, "test": 18, "train": 18}
OTHER_LABELS_SHOWN = 24
SUSPECTS_SHOWN = {"train": 48, "test": 24}
GROUPS_SHOWN, IMAGES_OF_A_GROUP = 8, 12
LARGEST_PICTURE = 96
"""Pixels; larger images are shown smaller, so that the page stays small."""


def render(found: dict[str, Any], train: Split, test: Split) -> str:
    """The HTML of the page. Every name is escaped and stripped of control characters.

    Args:
        found: what ``findings`` gives for ``train`` and ``test``.
    """
    names = found["data"]["class_names"]
    halves = {"train": train, "test": test}
    duplicates = found["duplicates"]
    pairs = duplicates["pairs"]
    shown = {
        between: evenly([pair for pair in pairs if between_of(pair) == between], limit)
        for between, limit in PAIRS_SHOWN.items()
    }
    return (
        _environment()
        .get_template("audit.html")
        .render(
            found=found,
            names=names,
            duplicates=duplicates,
            shown=shown,
            available={b: sum(duplicates["counts"][b].values()) for b in PAIRS_SHOWN},
            other_labels=[pair for pair in pairs if pair["labels_differ"]][:OTHER_LABELS_SHOWN],
            groups=[(group[:IMAGES_OF_A_GROUP], len(group)) for group in duplicates["groups"][:GROUPS_SHOWN]],
            suspects_shown=SUSPECTS_SHOWN,
            thresholds=found["settings"]["thresholds"],
            rows=_balance_rows(found),
            reach=REACH,
            thumbnail=THUMBNAIL,
            zoom=THUMBNAIL / ZOOM_CROP,
            picture=lambda image: _picture(halves[image["half"]], image["index"]),
        )
    )


def between_of(pair: dict[str, Any]) -> str:
    """``train``, ``test`` or ``across``."""
    first, second = pair["first"]["half"], pair["second"]["half"]
    return first if first == second else "across"


def _environment() -> Environment:
    """The report's, with this package's templates beside its own."""
    loader = ChoiceLoader([PackageLoader("cifarlab.audit"), PackageLoader("cifarlab.report")])
    return environment().overlay(loader=loader)


def _picture(split: Split, index: int) -> str:
    """An image as a PNG data URI."""
    image = split.images[index]
    if image.shape[-1] > LARGEST_PICTURE:
        small = F.interpolate(image[None].float(), (LARGEST_PICTURE, LARGEST_PICTURE), mode="area")
        image = small[0].round().to(torch.uint8)
    return png_uri(image.numpy())


def _balance_rows(found: dict[str, Any]) -> list[tuple[str, int, float, int, float]]:
    """(class, training images, share of the largest class's, test images, share of the largest class's)."""
    train, test = (found["balance"][half]["counts"] for half in ("train", "test"))
    return [
        (name, n, n / max(*train, 1), m, m / max(*test, 1))
        for name, n, m in zip(found["data"]["class_names"], train, test, strict=True)
    ]
