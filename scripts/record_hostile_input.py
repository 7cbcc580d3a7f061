"""Write the record of what becomes of mutated files: loaded or refused, how slow, how much memory.

    PYTHONPATH=tests python scripts/record_hostile_input.py --out FILE [--part archives] [--count N]

The files and what opens them are those of tests/reliability. A part that is left out keeps its old entry. A
mutation that is neither loaded nor refused in one line ends everything, and nothing is written.
"""

import argparse
import dataclasses
import json
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from cifarlab.runtime import hardware, versions
from reliability.hostile_kinds import archive_trials
from reliability.mutations import Kind, run_trials
from reliability.test_hostile_pictures import picture_trials


def archives(folder: Path) -> tuple[Kind, ...]:
    """CIFAR's archives and folders, put together again after the mutation where sums would find it."""
    return archive_trials(folder)


def pictures(folder: Path) -> tuple[Kind, ...]:
    """Single pictures of every format."""
    return picture_trials()


PARTS: dict[str, Callable[[Path], tuple[Kind, ...]]] = {"archives": archives, "pictures": pictures}
"""A further part is one more function that gives its kinds."""


def record(part: str, count: int, seed: int) -> dict[str, Any]:
    """One part's entry: for each kind how many of ``count`` mutations were loaded and refused."""
    kinds = {}
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["CIFARLAB_CACHE"] = str(Path(folder) / "cache")
        files = Path(folder) / "files"
        files.mkdir()
        for kind in PARTS[part](files):
            outcome = run_trials(kind, count, seed)
            kinds[kind.name] = {
                name: round(value, 1) if isinstance(value, float) else value
                for name, value in dataclasses.asdict(outcome).items()
            }
            print(f"{part}, {kind.name}: {kinds[kind.name]}", flush=True)
        left = sorted(path.name for path in Path(folder).iterdir())
    return {
        "what": str(PARTS[part].__doc__),
        "mutations_of_each_kind": count,
        "seed": seed,
        "written_beside_the_files": [name for name in left if name not in ("cache", "files")],
        "seconds": round(time.monotonic() - start, 1),
        "kinds": kinds,
        "versions": versions(),
        "hardware": hardware(torch.device("cpu")),
    }


def main() -> None:
    """Run the parts that are asked for, and write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--part", choices=sorted(PARTS), action="append", help="default: all")
    parser.add_argument("--count", type=int, default=10_000, help="mutations of each kind")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    torch.set_num_threads(1)
    entries = json.loads(options.out.read_text(encoding="utf-8")) if options.out.exists() else {}
    for part in options.part or sorted(PARTS):
        command = (
            f"PYTHONPATH=tests python scripts/record_hostile_input.py --part {part} --count {options.count}"
        )
        entries[part] = {"command": command, **record(part, options.count, options.seed)}
    options.out.write_text(json.dumps(entries, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
