"""``cifarlab predict``: classify pictures."""

import json
import sys
from dataclasses import dataclass
from pathlib import Path

import tyro

from cifarlab.cli.parsing import parse
from cifarlab.errors import UserError, printable

SHOWN_CLASSES = 3


@dataclass(frozen=True)
class Options:
    """Classify pictures with a trained network; they are prepared as its training pictures were.

    Without --run it is the network fast-cnn that comes with cifarlab. It knows CIFAR-10's ten classes:
    airplane, automobile, bird, cat, deer, dog, frog, horse, ship, truck. A picture of anything else gets one
    of them, too.
    """

    images: tyro.conf.Positional[tuple[Path, ...]]
    """PNG, JPEG, WebP or BMP files of any size."""
    run: Path | None = None
    """The run folder whose network to use, or a network that comes with cifarlab: fast-cnn (the default),
    modern-cnn, digits."""
    device: str = "auto"
    """auto, cpu, cuda, cuda:1 or mps."""
    json: bool = False
    """Print an array of {file, class, probabilities}."""


def main(arguments: list[str]) -> None:
    """Parse, predict, print."""
    options = parse(Options, "predict", arguments)
    if not options.images:
        raise UserError("predict needs at least one picture")
    from cifarlab.predict import origin, predict
    from cifarlab.shipped import default_run, run_or_shipped

    folder = default_run() if options.run is None else run_or_shipped(options.run)
    predictions = predict(folder, options.images, device=options.device)
    print(f"network: {printable(origin(folder))}", file=sys.stderr)
    if options.json:
        objects = [
            {"file": each.file, "class": each.class_name, "probabilities": each.probabilities}
            for each in predictions
        ]
        print(json.dumps(objects, indent=2))
        return
    for each in predictions:
        ranked = sorted(each.probabilities.items(), key=lambda item: -item[1])[:SHOWN_CLASSES]
        shown = ", ".join(f"{printable(name)} {probability:.1%}" for name, probability in ranked)
        print(f"{printable(each.file)}: {shown}")
