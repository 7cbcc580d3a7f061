"""Record that one recipe per family of networks learns from 5,000 photographs in two epochs.

``PYTHONPATH=tests CIFARLAB_PHOTOS=cifar10-photos.tar.xz python scripts/record_families.py --out FILE``

Each row is written as soon as it is there; a family that the file has already is not trained again.
"""

import argparse
import json
import os
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from cifarlab.data.sources import open_source
from cifarlab.data.split import Source
from cifarlab.files import write_json
from cifarlab.recipes import RECIPES
from cifarlab.runtime import Precision, hardware, versions
from cifarlab.train import train
from support import Recorder
from test_recipes_run import FAMILIES, part_of, two_epochs


def row_of(name: str, source: Source, precision: Precision) -> dict[str, Any]:
    """The figures of one family's run."""
    display = Recorder()
    recipe = replace(two_epochs(RECIPES[name].make()), precision=precision)
    with tempfile.TemporaryDirectory() as scratch:
        result = train(recipe, source, Path(scratch) / "run", display=display)
    kept = ("test_accuracy", "interval", "val_loss", "seconds", "device", "precision")
    losses = [round(line["train_loss"], 4) for line in display.lines]
    total = result["parameters"]["total"]
    return {"recipe": name, "parameters": total, "train_loss": losses} | {k: result[k] for k in kept}


def main() -> None:
    """Train what is missing, one family after the other."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--precision", choices=["auto", "fp32", "bf16"], default="auto")
    options = parser.parse_args()
    photographs = os.environ["CIFARLAB_PHOTOS"]
    record: dict[str, Any] = {
        "command": f"python scripts/record_families.py --precision {options.precision}",
        "data": f"{Path(photographs).name}: 5,000 images to train on, 1,000 to validate, 1,000 to test",
        "hardware": hardware(torch.device("cpu")),
        "versions": versions(),
        "families": [],
    }
    if options.out.exists():
        record = json.loads(options.out.read_text(encoding="utf-8"))
    source = part_of(open_source(photographs), train_each=600, test_each=100, classes=10)
    done = {row["recipe"] for row in record["families"]}
    for name in (name for name in FAMILIES if name not in done):
        record["families"].append(row_of(name, source, options.precision))
        write_json(options.out, record)
        print(record["families"][-1], flush=True)


if __name__ == "__main__":
    main()
