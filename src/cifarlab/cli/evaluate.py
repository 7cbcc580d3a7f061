"""``cifarlab evaluate``: a trained network on a data set."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import tyro
from rich.table import Table

from cifarlab.cli.parsing import parse
from cifarlab.cli.tables import print_table
from cifarlab.errors import printable

NOTEWORTHY_RATIO = 1.5
"""Largest class over smallest, from which on the balanced accuracy is pointed out."""


@dataclass(frozen=True)
class Options:
    """Accuracy, per class, confusion matrix and calibration of a trained network."""

    run: tyro.conf.Positional[Path]
    """The run folder."""
    data: str | None = None
    """Another data set with the same classes (default: the one that the run was trained on)."""
    part: Literal["test", "validation", "train"] = "test"
    """The images: of the test set, or the run's own validation or training part."""
    mode: Literal["evaluation", "as-published"] = "evaluation"
    """as-published: in training mode with small batches, where the run's recipe has such a protocol A."""
    exclude: Path | None = None
    """An audit's folder or its exclude.json: also judge without the test images that it names."""
    device: str = "auto"
    """auto, cpu, cuda, cuda:1 or mps."""
    json: bool = False
    """Print everything as one JSON object."""


def main(arguments: list[str]) -> None:
    """Parse, evaluate, print."""
    options = parse(Options, "evaluate", arguments)
    from cifarlab.judge import judge

    figures = judge(
        options.run,
        data=options.data,
        part=options.part,
        mode=options.mode,
        device=options.device,
        exclude=options.exclude,
    )
    if options.json:
        print(json.dumps(figures, indent=2))
        return
    print(
        f"{options.part} accuracy {_accuracy(figures)}; "
        f"balanced {figures['balanced_accuracy']:.2%}; loss {figures['loss']:.4f}; "
        f"calibration error {figures['calibration']['ece']:.2%}"
    )
    if options.exclude is not None:
        print(f"without the excluded {_accuracy(figures['without_excluded'])}")
        alone = figures["only_excluded"]
        print(f"the excluded alone {_accuracy(alone)}" if alone else "no test image is excluded")
    sizes = [row["images"] for row in figures["per_class"]]
    if max(sizes) >= NOTEWORTHY_RATIO * min(sizes):
        print(
            f"classes have {min(sizes):,} to {max(sizes):,} images here; the balanced accuracy "
            "counts each class alike"
        )
    print_table(_table(figures))


def _accuracy(figures: dict[str, Any]) -> str:
    low, high = figures["interval"]
    return f"{figures['accuracy']:.2%} (n = {figures['images']:,}, 95 % interval {low:.2%} to {high:.2%})"


def _table(figures: dict[str, Any]) -> Table:
    """Per class: images, accuracy with interval, and the class that it is most often taken for."""
    names = figures["class_names"]
    table = Table("class", "images", "accuracy", "95 % interval", "most often taken for")
    for row in figures["per_class"]:
        counts = dict(enumerate(figures["confusion_matrix"][names.index(row["class"])]))
        counts.pop(names.index(row["class"]))
        other = max(counts, key=lambda place: counts[place])
        table.add_row(
            printable(row["class"]),
            f"{row['images']:,}",
            f"{row['accuracy']:.2%}",
            f"{row['interval'][0]:.2%} to {row['interval'][1]:.2%}",
            f"{printable(names[other])} ({counts[other]})" if counts[other] else "",
        )
    return table
