"""Write the record of finished runs of report 003's recipes, evaluated in both modes.

    python scripts/record_both_modes.py --data PICTURES --out FILE RUN…

For each run: its result, its epochs, and the accuracy of its training, validation and test part in evaluation
mode and as published. Paths are left out; the data are named by their hashes.
"""

import argparse
import json
import shlex
from pathlib import Path
from typing import Any, get_args

from cifarlab.judge import Part, judge
from cifarlab.run import read_metrics, read_result

LEFT_OUT = {"command", "data_argument", "confusion_matrix", "per_class", "calibration"}


def record(folder: Path, data: str) -> dict[str, Any]:
    """One run's entry."""
    result = read_result(folder)
    modes: dict[str, dict[str, Any]] = {}
    for mode in ("evaluation", "as-published"):
        modes[mode] = {}
        for part in get_args(Part):
            figures = judge(folder, data=data, part=part, mode=mode)
            modes[mode][part] = {
                "accuracy": figures["accuracy"],
                "interval": figures["interval"],
                "images": figures["images"],
                "loss": figures["loss"],
                "per_class": {row["class"]: row["accuracy"] for row in figures["per_class"]},
            }
            print(f"{folder.name} {mode} {part}: {figures['accuracy']:.2%}", flush=True)
    return {
        "command": without_paths(result["command"]),
        **{name: value for name, value in result.items() if name not in LEFT_OUT},
        "modes": modes,
        "epochs": read_metrics(folder),
    }


def without_paths(command: str) -> str:
    """The command with every path cut to its last part."""
    return shlex.join(Path(word).name if "/" in word else word for word in shlex.split(command))


def main() -> None:
    """Evaluate and write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("runs", type=Path, nargs="+")
    parser.add_argument("--data", required=True, help="the pictures that the runs were trained on")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    entries = {folder.name: record(folder, options.data) for folder in options.runs}
    options.out.write_text(json.dumps(entries, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
