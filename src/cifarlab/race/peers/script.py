"""A user's own copy of a peer's script, adapted and loaded as a module."""

import hashlib
import importlib.util
import sys
import warnings
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import torch

from cifarlab.errors import UserError, from_os_error
from cifarlab.race.peers.changes import Change, changed
from cifarlab.race.peers.peer import Peer, PeerPrecision, changes_for
from cifarlab.race.peers.recognize import recognize
from cifarlab.race.peers.referee import Referee
from cifarlab.race.peers.torchvision_stand_in import torchvision_stand_in

LARGEST_SCRIPT = 2**20
"""Bytes; the peers' scripts have about 30 thousand."""


@dataclass(frozen=True)
class Script:
    """A recognized script and its text after the changes."""

    peer: Peer
    changes: tuple[Change, ...]
    text: str
    sha256: str
    """Of the file as the user has it, to say which version took part."""
    as_published: bool
    """Whether its text is a published one; line ends do not matter."""
    precision: str
    """What it computes in: fp32 or bf16, as asked for; on CUDA its own fp16."""
    epochs: float
    batch_size: int

    @property
    def change_names(self) -> tuple[str, ...]:
        """The names of the changes that have a place in this script, in the order in which they were made."""
        return tuple(change.name for change in self.changes if change.count)


def read_script(
    path: Path,
    device: torch.device,
    epochs: float | None,
    batch_size: int | None,
    precision: PeerPrecision = "fp32",
) -> Script:
    """The script at ``path`` with all changes for ``device``; ``None`` leaves a number as published.

    A text to which the changes fit is taken even if it is not a published one, and ``as_published`` says so.

    Raises:
        UserError: the file cannot be read or is none of the peers, the changes do not fit its text, or it is
            to run on CUDA in another precision than its own.
    """
    if device.type == "cuda" and precision != "fp32":
        raise UserError(
            f"on CUDA a peer's script keeps its own numerics; leave out the precision {precision} for it"
        )
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST_SCRIPT + 1)
    except OSError as error:
        raise from_os_error(error, f"read {path}") from error
    try:
        if len(content) > LARGEST_SCRIPT:
            raise UserError("this is too large for a script")
        original = content.decode().replace("\r\n", "\n")
        peer = recognize(original)
        changes = changes_for(peer, device, precision, epochs, batch_size)
        text = changed(original, changes)
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: this is not a text") from error
    except UserError as error:
        raise UserError(f"{path}: {error}") from error
    return Script(
        peer,
        changes,
        text,
        sha256=hashlib.sha256(content).hexdigest(),
        as_published=hashlib.sha256(original.encode()).hexdigest() in peer.sha256,
        precision="fp16" if device.type == "cuda" else precision,
        epochs=peer.epochs if epochs is None else epochs,
        batch_size=peer.batch_size if batch_size is None else batch_size,
    )


def load(script: Script, referee: Referee, folder: Path) -> ModuleType:
    """The adapted script as a module; its file is written to ``folder``, where errors and compilers find it.

    Raises:
        UserError: it cannot be loaded.
    """
    path = folder / script.peer.name
    path.write_text(script.text, encoding="utf-8")
    name = f"cifarlab_peer_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None, "a .py file has a loader"
    module = importlib.util.module_from_spec(spec)
    module.race = referee  # type: ignore[attr-defined]  # what the changed lines call
    arguments = sys.argv
    sys.modules[name] = module  # compilers look a function's module up
    sys.argv = [str(path)]  # the scripts read themselves
    try:
        with torchvision_stand_in(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a backslash in a docstring, say: its author's business
            spec.loader.exec_module(module)
    except (ImportError, SyntaxError) as error:
        raise UserError(f"{path.name} could not be loaded: {error}") from error
    finally:
        sys.argv = arguments
    return module
