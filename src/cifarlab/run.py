"""The folder that a run leaves: what lies in it, how it is claimed, and how it is read again."""

import contextlib
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import filelock
from torch import Tensor, nn

from cifarlab.augment import Normalize
from cifarlab.checkpoint import decode, encode
from cifarlab.config import from_json, to_json
from cifarlab.data.pictures import Preparation
from cifarlab.data.split import DataDescription
from cifarlab.errors import UserError, nearest, printable
from cifarlab.files import make_folder, one_line_errors, read_json, write_atomic, write_json
from cifarlab.models import Model
from cifarlab.recipe import Protocols, Recipe
from cifarlab.runtime import NUMERICS_VERSION

SCHEMA_VERSION = 1
RECIPE, METRICS, RESULT = "recipe.json", "metrics.jsonl", "result.json"
WEIGHTS, TEST_LOGITS, STATES = "model.safetensors", "test_logits.safetensors", "resume"


@dataclass(frozen=True)
class InitialWeights:
    """Where a run's first weights came from, when not from the seed."""

    run: str
    sha256: str
    """Of the other run's ``model.safetensors``."""


@dataclass(frozen=True)
class RunDescription:
    """All that decides a run's numbers; its fingerprint names the run."""

    recipe_name: str
    recipe: Recipe
    data: DataDescription
    seed: int
    protocols: Protocols
    initial_weights: InitialWeights | None = None
    numerics: int = NUMERICS_VERSION
    schema: int = SCHEMA_VERSION


@dataclass(frozen=True)
class TrainedNetwork:
    """What ``model.safetensors`` holds beside the weights: all that is needed to rebuild and use them."""

    model: Model
    normalize: Normalize
    class_names: tuple[str, ...]
    image_size: int
    preparation: Preparation

    def build(self) -> nn.Module:
        """The network with fresh weights."""
        return self.model.build(len(self.class_names), self.image_size)


def trained_network(description: RunDescription) -> TrainedNetwork:
    """The part of a run's description that its weights need."""
    data, recipe = description.data, description.recipe
    return TrainedNetwork(recipe.model, recipe.normalize, data.class_names, data.image_size, data.preparation)


def refuse_existing(folder: Path) -> None:
    """Raise a UserError if something is at ``folder`` already; a new run touches nothing that it finds."""
    if (folder / RECIPE).exists():
        raise UserError(f"{printable(folder)} exists already; go on with --resume, or choose another --out")
    if folder.exists() and (not folder.is_dir() or any(_foreign(folder))):
        raise UserError(f"{printable(folder)} exists already and is no run folder; choose another --out")


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
            f"{printable(folder / RECIPE)} has schema {schema!r}; this cifarlab reads schema {SCHEMA_VERSION}"
        )
    description: RunDescription = from_json(RunDescription, value)
    return description


def require_run(folder: Path) -> None:
    """Raise a UserError that names the nearest run unless ``folder`` holds one."""
    if (folder / RECIPE).is_file():
        return
    beside = [path.name for path in list_runs(folder.parent)]
    reason = "is not a run folder (it has no recipe.json)" if folder.exists() else "does not exist"
    raise UserError(f"{printable(folder)} {reason}; {printable(nearest(folder.name, beside))}")


def list_runs(folder: Path) -> list[Path]:
    """The run folders directly in ``folder``, by name."""
    if not folder.is_dir():
        return []
    with one_line_errors(f"read {folder}"):
        return sorted(path for path in folder.iterdir() if (path / RECIPE).is_file())


def read_result(folder: Path) -> dict[str, Any]:
    """``result.json`` of a finished run.

    Raises:
        UserError: no such run, or it has not finished.
    """
    require_run(folder)
    if not (folder / RESULT).is_file():
        raise UserError(f"{printable(folder)} has not finished; finish it with train … --resume")
    result: dict[str, Any] = read_json(folder / RESULT)
    if result.get("status") != "finished":
        raise UserError(
            f"{printable(folder)} did not finish: {printable(result.get('reason', 'no reason given'))}"
        )
    return result


def write_metrics(folder: Path, history: list[dict[str, Any]]) -> None:
    """Put all of a run's epochs into ``metrics.jsonl``, one object a line."""
    lines = "".join(json.dumps(line, allow_nan=False) + "\n" for line in history)
    write_atomic(folder / METRICS, lines.encode())


def read_metrics(folder: Path) -> list[dict[str, Any]]:
    """The epochs in ``metrics.jsonl``; a last line that a crash cut short is left out."""
    require_run(folder)
    lines = []
    with one_line_errors(f"read {folder / METRICS}"), (folder / METRICS).open() as file:
        for text in file:
            with contextlib.suppress(ValueError):
                lines.append(json.loads(text))
    return lines


def append_metrics(folder: Path, line: dict[str, Any]) -> None:
    """Add one epoch to ``metrics.jsonl``."""
    with one_line_errors(f"write {folder / METRICS}"), (folder / METRICS).open("a") as file:
        file.write(json.dumps(line, allow_nan=False) + "\n")


def write_weights(folder: Path, weights: dict[str, Tensor], network: TrainedNetwork) -> None:
    """Write ``model.safetensors``: weights, and what rebuilds them."""
    write_atomic(folder / WEIGHTS, encode(weights, {"network": to_json(network)}))


def read_weights(folder: Path) -> tuple[TrainedNetwork, dict[str, Tensor], str]:
    """What rebuilds the network, its weights, and the file's SHA-256.

    Raises:
        UserError: no such run, an unfinished one, or a damaged file.
    """
    require_run(folder)
    path = folder / WEIGHTS
    if not path.is_file():
        raise UserError(f"{printable(folder)} has no weights yet; finish it with train … --resume")
    with one_line_errors(f"read {path}"):
        content = path.read_bytes()
    weights, values = decode(content, path)
    return from_json(TrainedNetwork, values.get("network")), weights, hashlib.sha256(content).hexdigest()


def load_network(folder: Path) -> tuple[TrainedNetwork, nn.Module]:
    """A run's trained network, ready for evaluation on the CPU."""
    trained, weights, _ = read_weights(folder)
    network = trained.build()
    load_weights(network, weights, str(folder / WEIGHTS))
    return trained, network.eval()


def load_weights(network: nn.Module, weights: dict[str, Tensor], origin: str) -> None:
    """Put ``weights`` into ``network``; ``origin`` is named in the error.

    Raises:
        UserError: they are those of another network.
    """
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        raise UserError(f"the weights of {printable(origin)} do not fit this network") from error


@contextlib.contextmanager
def claimed(folder: Path) -> Iterator[None]:
    """Hold the run folder's lock; the system frees it when the process ends, however it ends.

    Raises:
        UserError: another process works in the folder.
    """
    make_folder(folder)
    lock = filelock.FileLock(folder / ".lock", timeout=0)
    try:
        with one_line_errors(f"lock {folder}"), lock:
            yield
    except filelock.Timeout as error:
        raise UserError(f"another process works in {printable(folder)}; wait for it, or stop it") from error


def _foreign(folder: Path) -> Iterator[Path]:
    """What lies in ``folder`` beside a lock and the leftovers of a run that died while it began."""
    return (path for path in folder.iterdir() if path.name != ".lock" and path.suffix != ".tmp")
