"""Resume states and weights on disk: safetensors and JSON, checked, never unpickled.

A state's file is named after its own SHA-256, so that a flipped bit or a missing end shows. The last two
states are kept: while the newer is written, or if it is damaged, the older one is there.
"""

import contextlib
import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from cifarlab.errors import UserError
from cifarlab.files import make_folder, one_line_errors, remove_leftovers, write_atomic

KEPT_STATES = 2
_STATE_NAME = re.compile(r"state-(\d{8})-([0-9a-f]{64})\.safetensors")


@dataclass(frozen=True)
class State:
    """Everything that a run needs to go on: named tensors and JSON values."""

    tensors: dict[str, Tensor]
    values: dict[str, Any]


def save_state(folder: Path, number: int, state: State) -> None:
    """Write ``state`` into ``folder`` as the newest, then drop all but the last two.

    Args:
        number: steps done so far, or any number that grows from one save to the next.

    Raises:
        UserError: the disk is full, …; the states that were there are untouched.
    """
    make_folder(folder)
    remove_leftovers(folder)
    content = encode(state.tensors, state.values)
    digest = hashlib.sha256(content).hexdigest()
    write_atomic(folder / f"state-{number:08d}-{digest}.safetensors", content)
    for old in list(_states(folder))[KEPT_STATES:]:
        with one_line_errors(f"delete {old}"):
            old.unlink(missing_ok=True)


def load_state(folder: Path) -> tuple[State | None, list[str]]:
    """The newest undamaged state, or None where there is none, and the names of damaged ones passed over."""
    damaged: list[str] = []
    for path in _states(folder):
        with one_line_errors(f"read {path}"):
            content = path.read_bytes()
        if path.name.endswith(f"-{hashlib.sha256(content).hexdigest()}.safetensors"):
            return State(*decode(content, path)), damaged
        damaged.append(path.name)
    return None, damaged


def remove_states(folder: Path) -> None:
    """Delete all states, once a run is finished."""
    if folder.is_dir():
        with one_line_errors(f"delete the states in {folder}"):
            for path in _states(folder):
                path.unlink(missing_ok=True)
            remove_leftovers(folder)
        with contextlib.suppress(OSError):  # something that is not ours may lie in it
            folder.rmdir()


def encode(tensors: dict[str, Tensor], values: dict[str, Any]) -> bytes:
    """A safetensors file of CPU copies of ``tensors``, ``values`` as JSON in its header.

    Equal contents give equal bytes: no times, no paths, sorted names.
    """
    plain = {name: tensors[name].detach().cpu().contiguous() for name in sorted(tensors)}
    text = json.dumps(values, sort_keys=True, allow_nan=False)
    return bytes(save(plain, metadata={"cifarlab": text}))


def decode(content: bytes, path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The tensors and values of a file that ``encode`` made; ``path`` is named in the error.

    Raises:
        UserError: not such a file, or a damaged one.
    """
    try:
        length = int.from_bytes(content[:8], "little")
        header = json.loads(content[8 : 8 + length])
        values = json.loads(header["__metadata__"]["cifarlab"])
        if not isinstance(values, dict):
            raise TypeError("the header holds no object")
        return load(content), values
    except (SafetensorError, ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        raise UserError(f"{path} is damaged, or not a file of cifarlab") from error


def _states(folder: Path) -> Iterator[Path]:
    """The state files, the newest first; other files are left alone."""
    named = [path for path in folder.glob("state-*.safetensors") if _STATE_NAME.fullmatch(path.name)]
    yield from sorted(named, key=lambda path: (path.name[:14], path.stat().st_mtime_ns), reverse=True)
