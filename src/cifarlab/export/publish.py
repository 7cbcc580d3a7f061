"""``export``: a run's network as a file that is checked before it appears under its name."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from cifarlab.errors import UserError
from cifarlab.export import graph, weights
from cifarlab.export.facts import Facts, facts_of
from cifarlab.files import one_line_errors, write_atomic
from cifarlab.predict import Classifier

Format = Literal["onnx", "safetensors"]


@dataclass(frozen=True)
class Kind:
    """One format: its file in the run folder, how it is made, and how one of ours is recognized."""

    file: str
    require: Callable[[], None]
    """Raises a UserError unless what it needs is installed."""
    encode: Callable[[Classifier, Facts], bytes]
    is_ours: Callable[[bytes], bool]


FORMATS: dict[Format, Kind] = {
    "onnx": Kind("model.onnx", graph.require_onnx, graph.encode, graph.is_ours),
    # model.safetensors is the run's own file, which holds less.
    "safetensors": Kind("export.safetensors", lambda: None, weights.encode, weights.is_ours),
}


def export(folder: Path, format: Format = "onnx", out: Path | None = None) -> Path:  # noqa: A002 - as the flag
    """Write the network of the finished run in ``folder`` as one file, and return where it is.

    Equal runs give equal files. An earlier export is replaced; any other file is left alone.

    Args:
        folder: the run.
        format: ``onnx``, a graph from bytes to probabilities for any ONNX runtime; ``safetensors``, the
            weights and everything that rebuilds the network, for ``open_exported``.
        out: the file; None for ``model.onnx`` or ``export.safetensors`` in ``folder``.

    Raises:
        UserError: no such run, an unfinished one, the file cannot be written or is something else, or the
            extra ``export`` is not installed.
        Unavailable: the graph does not compute what the network does; nothing was written.
    """
    kind = FORMATS[format]
    kind.require()
    facts, classifier = facts_of(folder), Classifier.open(folder, "cpu")
    target = out or folder / kind.file
    _refuse_foreign(target, kind)  # before the work, not after it
    write_atomic(target, kind.encode(classifier, facts))
    return target


def _refuse_foreign(target: Path, kind: Kind) -> None:
    with one_line_errors(f"write {target}"):
        if not target.parent.is_dir():
            raise UserError(f"there is no folder {target.parent}; make it, or choose another --out")
        if not target.exists():
            return
        ours = target.is_file() and kind.is_ours(target.read_bytes())
    if not ours:
        raise UserError(f"{target} exists already and is no such export of cifarlab; choose another --out")
