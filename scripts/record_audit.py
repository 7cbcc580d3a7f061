"""Write the record of an audit: its figures and the head of its lists, without pictures and paths.

    python scripts/record_audit.py AUDIT --out FILE [--head 40]

An audit of the labels may be recorded with the pairs of another one: ``--labels AUDIT`` names it.
"""

import argparse
import json
import shlex
from collections import Counter
from pathlib import Path
from typing import Any

from cifarlab.files import read_json

LEFT_OUT = {"pairs", "groups"}


def record(found: dict[str, Any], judged: dict[str, Any], head: int) -> dict[str, Any]:
    """The figures of the pairs in ``found`` and of the labels in ``judged``, both as in ``audit.json``."""
    duplicates, names = found["duplicates"], found["data"]["class_names"]
    sizes = Counter(len(group) for group in duplicates["groups"])
    across = [pair for pair in duplicates["pairs"] if pair["first"]["half"] != pair["second"]["half"]]
    repeated = {pair["second"]["index"]: names[pair["second"]["label"]] for pair in across}
    return {
        "command": without_paths(found["command"]),
        "data": found["data"],
        "settings": found["settings"],
        "versions": found["versions"],
        "hardware": found["hardware"],
        "duplicates": {
            **{name: value for name, value in duplicates.items() if name not in LEFT_OUT},
            "mirrored_near_pairs": sum(p["mirrored"] and p["kind"] == "near" for p in duplicates["pairs"]),
            "groups_by_size": {str(size): sizes[size] for size in sorted(sizes)},
            "repeated_test_images_by_class": dict(Counter(repeated.values()).most_common()),
        },
        "balance": found["balance"],
        "labels": {
            "command": without_paths(judged["command"]),
            "settings": judged["settings"],
            "pairs_known_to_the_folds": sum(sum(n.values()) for n in judged["duplicates"]["counts"].values()),
            **{half: labels(judged["labels"][half], names, head) for half in ("train", "test")},
        },
    }


def labels(half: dict[str, Any], names: list[str], head: int) -> dict[str, Any]:
    """The figures of one half and its most doubted images."""
    suspects = half["suspects"]
    return {
        **{name: value for name, value in half.items() if name != "suspects"},
        "suspects": len(suspects),
        "head": [
            {**suspect, "label": names[suspect["label"]], "suggested": names[suspect["suggested"]]}
            for suspect in suspects[:head]
        ],
    }


def without_paths(command: str) -> str:
    """The command with every path cut to its last part."""
    return shlex.join(Path(word).name if "/" in word else word for word in shlex.split(command))


def main() -> None:
    """Read and write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("audit", type=Path)
    parser.add_argument("--labels", type=Path, help="the audit whose labels are recorded (default: the same)")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--head", type=int, default=40, help="suspects named per half")
    options = parser.parse_args()
    found = read_json(options.audit / "audit.json")
    judged = read_json((options.labels or options.audit) / "audit.json")
    options.out.write_text(json.dumps(record(found, judged, options.head), indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
