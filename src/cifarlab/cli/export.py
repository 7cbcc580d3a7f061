"""``cifarlab export``: a trained network as one file."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import tyro

from cifarlab.cli.parsing import parse
from cifarlab.errors import printable


@dataclass(frozen=True)
class Options:
    """A trained network as one file for others to use, checked before it appears.

    An earlier export is replaced; any other file is left alone. ONNX needs the extra: export.
    """

    run: tyro.conf.Positional[Path]
    """The run folder, or the name of a network that comes with cifarlab: fast-cnn, modern-cnn, digits."""
    format: Literal["onnx", "safetensors"] = "onnx"
    """onnx: from bytes to probabilities, for any runtime; safetensors: weights and what rebuilds them."""
    out: Path | None = None
    """The file (default: model.onnx or export.safetensors in the run folder; NAME.onnx or NAME.safetensors
    here for a network that comes with cifarlab)."""


def main(arguments: list[str]) -> None:
    """Parse, export, print where the file is."""
    options = parse(Options, "export", arguments)
    from cifarlab.export import export
    from cifarlab.shipped import run_or_shipped

    folder, out = run_or_shipped(options.run), options.out
    if out is None and folder != options.run:
        out = Path(f"{options.run}.{options.format}")  # the package is no place for files
    path = export(folder, options.format, out)
    print(f"wrote {printable(path)} ({path.stat().st_size / 2**20:.1f} MiB)")
