"""What an exported file says of itself: everything about its run, and nothing about the machine."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cifarlab
from cifarlab.config import to_json
from cifarlab.data.pictures import Preparation
from cifarlab.run import RunDescription, read_description, read_result


@dataclass(frozen=True)
class Facts:
    """What decided a network's weights, and how good they are."""

    description: RunDescription
    """Recipe, data, seed, protocols."""
    result: dict[str, Any]
    """``test_accuracy`` (0 to 1), ``test_images`` and the 95 % ``interval``."""
    cifarlab: str
    """The version that exported."""

    def as_json(self) -> dict[str, Any]:
        """The same as JSON values."""
        return {"run": to_json(self.description), "result": self.result, "cifarlab": self.cifarlab}


def facts_of(folder: Path) -> Facts:
    """The facts of the finished run in ``folder``.

    Raises:
        UserError: no such run, or one that has not finished or diverged.
    """
    result = read_result(folder)
    told = {name: result.get(name) for name in ("test_accuracy", "test_images", "interval")}
    return Facts(read_description(folder), told, cifarlab.__version__)


def preparation_in_words(preparation: Preparation) -> str:
    """What must be done to a picture before the network sees it, for whoever has no cifarlab at hand."""
    square = {
        "crop": "cut the largest square out of the middle",
        "stretch": "keep all of the picture, whatever its proportions",
    }[preparation.fit]
    size = preparation.size
    return (
        "apply the EXIF rotation; "
        f"{square}; lay transparent parts over RGB {preparation.background} and convert to RGB; "
        f"resize to {size} × {size} with Pillow's {preparation.resample} filter; "
        f"put the channels first: uint8 [N, 3, {size}, {size}]"
    )
