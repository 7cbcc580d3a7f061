"""The folder that a run leaves: what lies in it, how it is claimed, and how it is read again."""

import contextlib
import hashlib
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import filelock
from torch import Tensor, nn

from cifarlab.augment import MeanImage, Normalization
from cifarlab.checkpoint import decode, encode
from cifarlab.config import from_json, to_json
from cifarlab.data.pictures import Preparation
from cifarlab.data.split import DataDescription
from cifarlab.errors import UserError, nearest
from cifarlab.files import is_leftover, make_folder, one_line_errors, read_json, write_atomic, write_json
from cifarlab.models import Model
from cifarlab.models.centered import CenteredNetwork
from cifarlab.recipe import Protocols, Recipe
from cifarlab.runtime import NUMERICS_VERSION
from cifarlab.views import TestTimeViews

SCHEMA_VERSION = 2
RECIPE, METRICS, RESULT = "recipe.json", "metrics.jsonl", "result.json"
WEIGHTS, TEST_LOGITS, STATES = "model.safetensors", "test_logits.safetensors", "resume"


@dataclass(frozen=True)
class InitialWeights:
    """Where a run's first weights came from, when not from the seed."""

    run: str
    sha256: str
    """Of the other run's ``model.safetensors``."""
    head: Literal["kept", "new"] = "kept"
    """Whether the last dense layer came along, too; other classes need a new one."""
    trained: Literal["all", "classifier"] = "all"
    """What is trained further: everything, or the last dense layer alone."""


@dataclass(frozen=True)
class RunDescription:
    """All that decides a run's numbers."""

    recipe_name: str
    recipe: Recipe
    data: DataDescription
    seed: int
    protocols: Protocols
    initial_weights: InitialWeights | None = None
    numerics: int = NUMERICS_VERSION
    schema: int = SCHEMA_VERSION

    @property
    def is_frozen(self) -> bool:
        """Whether the last dense layer alone is trained."""
        return self.initial_weights is not None and self.initial_weights.trained == "classifier"


@dataclass(frozen=True)
class TrainedNetwork:
    """What ``model.safetensors`` holds beside the weights: all that is needed to rebuild and use them."""

    model: Model
    normalize: Normalization
    class_names: tuple[str, ...]
    image_size: int
    preparation: Preparation
    temperature: float = 1.0
    """Logits are divided by it where they become probabilities for a user (see ``explain.confidence``). A
    run's own figures are without it."""
    views: TestTimeViews | None = None
    """By which the network is asked about a picture; None for the picture alone."""

    def __post_init__(self) -> None:
        if not (self.temperature > 0 and math.isfinite(self.temperature)):
            raise UserError(f"temperature must be finite and above 0, found {self.temperature}")

    def build(self) -> nn.Module:
        """The network with fresh weights."""
        network = self.model.build(len(self.class_names), self.image_size)
        if isinstance(self.normalize, MeanImage):
            return CenteredNetwork(network, self.image_size)
        return network


def trained_network(description: RunDescription) -> TrainedNetwork:
    """The part of a run's description that its weights need."""
    data, recipe = description.data, description.recipe
    return TrainedNetwork(
        recipe.model, recipe.normalize, data.class_names, data.image_size, data.preparation, 1.0, recipe.views
    )


def is_run(folder: Path) -> bool:
    """Whether there is a run in ``folder``."""
    with one_line_errors(f"look into {folder}"):
        return (folder / RECIPE).is_file()


def refuse_existing(folder: Path) -> None:
    """Raise a UserError if something is at ``folder`` already; a new run touches nothing that it finds."""
    with one_line_errors(f"look into {folder}"):
        if (folder / RECIPE).exists():
            raise UserError(f"{folder} exists already; go on with --resume, or choose another --out")
        if folder.exists() and (not folder.is_dir() or any(_foreign(folder))):
            raise UserError(f"{folder} exists already and is no run folder; choose another --out")


def mark_diverged(folder: Path, reason: str) -> None:
    """Leave a ``result.json`` that says that the run diverged, and why."""
    write_json(folder / RESULT, {"schema": SCHEMA_VERSION, "status": "diverged", "reason": reason})


def read_description(folder: Path) -> RunDescription:
    """The description of the run in ``folder``.

    Raises:
        UserError: no such run (the nearest one is named), a damaged one, or one of another version.
    """
    require_run(folder)
    value = read_json(folder / RECIPE)
    schema = value.get("schema") if isinstance(value, dict) else None
    if schema != SCHEMA_VERSION:
        raise UserError(
            f"{folder / RECIPE} has schema {schema!r}; this cifarlab reads schema {SCHEMA_VERSION}"
        )
    description: RunDescription = from_json(RunDescription, value)
    return description


def require_run(folder: Path) -> None:
    """Raise a UserError that names the nearest run unless ``folder`` holds one."""
    if is_run(folder):
        return
    with one_line_errors(f"look into {folder}"):
        reason = "is not a run folder (it has no recipe.json)" if folder.exists() else "does not exist"
    beside = [path.name for path in list_runs(folder.parent)]
    raise UserError(f"{folder} {reason}; {nearest(folder.name, beside)}")


def list_runs(folder: Path) -> list[Path]:
    """The run folders directly in ``folder``, by name; what cannot be looked into is passed over."""
    with one_line_errors(f"read {folder}"):
        inside = list(folder.iterdir()) if folder.is_dir() else []
    found = []
    for path in inside:
        with contextlib.suppress(UserError):
            if is_run(path):
                found.append(path)
    return sorted(found)


def read_ending(folder: Path) -> dict[str, Any] | None:
    """What ``result.json`` says, with its ``status``: finished or diverged; None while the run goes on.

    Raises:
        UserError: no such run, or the file is damaged.
    """
    require_run(folder)
    path = folder / RESULT
    if not path.is_file():
        return None
    ending = read_json(path)
    if not isinstance(ending, dict) or ending.get("status") not in ("finished", "diverged"):
        raise UserError(f"{path} is damaged: it does not say how the run ended")
    return ending


def read_result(folder: Path) -> dict[str, Any]:
    """``result.json`` of a finished run.

    Raises:
        UserError: no such run, or it has not finished.
    """
    ending = read_ending(folder)
    if ending is None:
        raise UserError(f"{folder} has not finished; finish it with train … --resume")
    if ending["status"] == "diverged":
        raise UserError(f"{folder} diverged: {ending.get('reason', 'no reason given')}")
    return ending


def read_metrics(folder: Path) -> list[dict[str, Any]]:
    """The epochs in ``metrics.jsonl``; a last line that a crash cut short is left out."""
    require_run(folder)
    if not (folder / METRICS).is_file():
        return []
    with one_line_errors(f"read {folder / METRICS}"):
        texts = (folder / METRICS).read_text(encoding="utf-8", errors="replace").splitlines()
    lines = []
    for text in texts:
        with contextlib.suppress(ValueError, RecursionError):
            lines.append(json.loads(text))
    return lines


def write_metrics(folder: Path, history: list[dict[str, Any]]) -> None:
    """Put all of a run's epochs into ``metrics.jsonl``, one object a line."""
    lines = "".join(json.dumps(line, allow_nan=False) + "\n" for line in history)
    write_atomic(folder / METRICS, lines.encode())


def append_metrics(folder: Path, line: dict[str, Any]) -> None:
    """Add one epoch to ``metrics.jsonl``."""
    with one_line_errors(f"write {folder / METRICS}"), (folder / METRICS).open("a") as file:
        file.write(json.dumps(line, allow_nan=False) + "\n")


def write_weights(folder: Path, weights: dict[str, Tensor], network: TrainedNetwork) -> str:
    """Write ``model.safetensors``: weights, and what rebuilds them. Returns the file's SHA-256."""
    content = encode(weights, {"network": to_json(network)})
    write_atomic(folder / WEIGHTS, content)
    return hashlib.sha256(content).hexdigest()


def read_weights(folder: Path) -> tuple[TrainedNetwork, dict[str, Tensor], str]:
    """What rebuilds the network, its weights, and the file's SHA-256.

    Raises:
        UserError: no such run, an unfinished one, or a damaged file.
    """
    require_run(folder)
    path = folder / WEIGHTS
    if not path.is_file():
        read_result(folder)  # says so where the run is not finished, or diverged
        raise UserError(f"{folder} has lost its {WEIGHTS}")
    with one_line_errors(f"read {path}"):
        content = path.read_bytes()
    sha256 = hashlib.sha256(content).hexdigest()
    weights, values = decode(content, path)
    if _recorded_sha256(folder) not in (None, sha256):
        raise UserError(f"{path} is damaged: its SHA-256 is not the one in {RESULT}")
    return from_json(TrainedNetwork, values.get("network")), weights, sha256


def _recorded_sha256(folder: Path) -> str | None:
    """That of the weights as ``result.json`` has it; None where it cannot be told."""
    with contextlib.suppress(UserError):
        recorded = (read_ending(folder) or {}).get("weights_sha256")
        return recorded if isinstance(recorded, str) else None
    return None


def load_network(folder: Path) -> tuple[TrainedNetwork, nn.Module]:
    """A run's trained network, ready for evaluation on the CPU."""
    trained, weights, _ = read_weights(folder)
    if trained.preparation.size != trained.image_size:
        raise UserError(f"{folder / WEIGHTS} prepares pictures for another size than its network takes")
    try:
        network = trained.build()
    except RuntimeError as error:
        raise UserError(f"{folder / WEIGHTS} names a network that cannot be built") from error
    load_weights(network, weights, str(folder / WEIGHTS))
    return trained, network.eval()


def load_weights(network: nn.Module, weights: dict[str, Tensor], origin: str) -> None:
    """Put ``weights`` into ``network``; ``origin`` is named in the error.

    Raises:
        UserError: they are those of another network.
    """
    try:
        if weights.keys() != network.state_dict().keys():
            raise RuntimeError("names are missing or left over")  # torch forgives some that are missing
        network.load_state_dict(weights)
    except RuntimeError as error:
        raise UserError(f"the weights of {origin} do not fit this network") from error


@contextlib.contextmanager
def claimed(folder: Path) -> Iterator[None]:
    """Hold the run folder's lock; the system frees it when the process ends, however it ends.

    Raises:
        UserError: another process works in the folder.
    """
    make_folder(folder)
    lock = filelock.FileLock(folder / ".lock", timeout=0)
    with one_line_errors(f"lock {folder}"):
        try:
            lock.acquire()
        except filelock.Timeout as error:
            raise UserError(f"another process works in {folder}; wait for it, or stop it") from error
    try:
        yield
    finally:
        lock.release()


def _foreign(folder: Path) -> Iterator[Path]:
    """What lies in ``folder`` beside a lock and the leftovers of a run that died while it began."""
    return (path for path in folder.iterdir() if path.name != ".lock" and not is_leftover(path))
