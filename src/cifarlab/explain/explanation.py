"""What ``RUN/explain/`` holds: ``explanation.json``, and the PNG files that it names."""

import re
from dataclasses import dataclass
from pathlib import Path

from cifarlab.config import from_json, to_json
from cifarlab.errors import UserError
from cifarlab.explain.activations import ZeroCount
from cifarlab.explain.confidence import Temperature
from cifarlab.files import make_folder, one_line_errors, read_json, remove_leftovers, write_atomic, write_json

FOLDER, EXPLANATION = "explain", "explanation.json"
SCHEMA_VERSION = 1
FILE_NAME = re.compile(r"[a-z0-9-]{1,100}\.png")
"""The names of our PNG files; no other file is read on the word of ``explanation.json``, or deleted."""


@dataclass(frozen=True)
class Panel:
    """One picture of a row."""

    title: str
    file: str


@dataclass(frozen=True)
class Neighbor:
    """A training image that the network sees as similar."""

    index: int
    """Its place in the training set."""
    class_name: str
    similarity: float
    file: str


@dataclass(frozen=True)
class ExplainedPicture:
    """A picture, what the network said of it, and why."""

    name: str
    file: str
    said: str
    confidence: float
    truth: str | None
    """None for the user's own pictures."""
    grad_cam: tuple[Panel, ...]
    """Evidence for what it said, from early to late layers."""
    for_truth: Panel | None
    """Evidence for the true class in the last of these layers, for a mistake."""
    masks: tuple[Panel, ...]
    integrated_gradients: Panel
    occlusion: Panel
    neighbors: tuple[Neighbor, ...]


@dataclass(frozen=True)
class Explanation:
    """All that was found out about a run's network."""

    weights_sha256: str
    """Of the weights that were explained."""
    image_size: int
    pictures: tuple[ExplainedPicture, ...]
    zeros: tuple[ZeroCount, ...]
    zeros_images: int
    """Test images over which zeros were counted."""
    temperature: Temperature | None
    notes: tuple[str, ...]
    """What is missing, and why."""
    schema: int = SCHEMA_VERSION


def write_explanation(run: Path, explanation: Explanation, files: dict[str, bytes]) -> Path:
    """Put everything into the folder ``explain`` of a run and return the folder.

    The names of the PNG files follow from their content, and ``explanation.json`` is written last: a crash
    at any moment leaves the old explanation or the new one, whole. Then files that it does not name go.
    """
    folder = run / FOLDER
    make_folder(folder)
    remove_leftovers(folder)
    for name, content in files.items():
        if not _holds(folder / name, content):
            write_atomic(folder / name, content)
    write_json(folder / EXPLANATION, to_json(explanation))
    with one_line_errors(f"clear {folder}"):
        for path in sorted(folder.glob("*.png")):
            if FILE_NAME.fullmatch(path.name) and path.name not in files:
                path.unlink(missing_ok=True)
    return folder


def _holds(path: Path, content: bytes) -> bool:
    """Whether the file is there and whole."""
    with one_line_errors(f"read {path}"):
        return path.is_file() and path.read_bytes() == content


def read_explanation(run: Path) -> Explanation | None:
    """The explanation in a run folder; None where there is none.

    Raises:
        UserError: it is damaged, or of another version.
    """
    path = run / FOLDER / EXPLANATION
    if not path.is_file():
        return None
    value = read_json(path)
    schema = value.get("schema") if isinstance(value, dict) else None
    if schema != SCHEMA_VERSION:
        raise UserError(f"{path} has schema {schema!r}; this cifarlab reads schema {SCHEMA_VERSION}")
    found: Explanation = from_json(Explanation, value)
    return found
