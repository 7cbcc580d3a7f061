"""Our side of a race: ``python -m cifarlab.race.worker ORDER``, an ordinary run under the race's clock.

A process of its own, so that nothing of one run is left for the next one on a CPU, and ours and the peer's
are started alike. See ``protocol`` for what it hears and says.
"""

import json
import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from cifarlab.config import from_json
from cifarlab.data.sources import open_source
from cifarlab.data.split import Source, Split
from cifarlab.errors import EXPECTED, Diverged
from cifarlab.race.clock import put_to_work
from cifarlab.race.late_imports import finish_imports
from cifarlab.race.outcome import Outcome
from cifarlab.race.protocol import Conversation
from cifarlab.recipe import Recipe
from cifarlab.runtime import device_named, generator
from cifarlab.train import train

KEPT = {
    "test_images": "test_images",
    "test_loss": "test_loss",
    "last_epoch": "last_epoch",
    "flops": "flops",
    "training_flops": "training_flops",
    "precision": "precision",
    "preparation_seconds": "preparation_seconds",
    "accuracy_without_views": "test_accuracy_without_views",
}
"""What goes along with an outcome, and what ``result.json`` calls it, where it is there."""


@dataclass(frozen=True)
class Order:
    """What this process races with."""

    recipe_name: str
    recipe: Recipe
    data: str
    """What ``open_source`` opens."""
    device: str
    warm_up: bool
    """Make one run on random labels before saying that all is ready."""


def main() -> None:
    """Load, warm up where told, and run once per seed."""
    conversation = Conversation()
    try:
        order: Order = from_json(Order, json.loads(sys.argv[1]))
        device = device_named(order.device)
        source = in_memory(open_source(order.data), device)
        finish_imports()
        if order.warm_up:
            timed_run(order, with_random_labels(source), seed=0)
        conversation.ready({})
        for seed in conversation.seeds():
            conversation.answer(_answer(order, source, seed))
    except EXPECTED as error:
        print(f"cifarlab: {error}", file=sys.stderr)
        sys.exit(error.exit_code)


def _answer(order: Order, source: Source, seed: int) -> dict[str, Any]:
    try:
        return timed_run(order, source, seed).to_json()
    except Diverged as error:
        return {"seed": seed, "failed": str(error)}


def timed_run(order: Order, source: Source, seed: int, out: Path | None = None) -> Outcome:
    """One run of the recipe, into ``out``, else into a folder that goes.

    The clock starts as ``train`` is called and stops after the last test prediction; compiling and recording
    are left out, in every run. What a run does after that is book-keeping: figures,
    files, the count of operations.

    Raises:
        Diverged: the run has, and is none that can be timed.
    """
    put_to_work(device_named(order.device))
    with tempfile.TemporaryDirectory(prefix="cifarlab-race-") as scratch:
        result = train(
            order.recipe,
            source,
            out or Path(scratch) / "run",
            recipe_name=order.recipe_name,
            seed=seed,
            device=order.device,
            data_argument=order.data,
            throwaway=True,
        )
    seconds = result["seconds_to_predictions"] - result["preparation_seconds"]
    details = {name: result[key] for name, key in KEPT.items() if result.get(key) is not None}
    return Outcome(round(seconds, 4), result["test_accuracy"], seed, details)


def in_memory(source: Source, device: torch.device) -> Source:
    """The same source with both halves read, its images on ``device``: neither is the clock's business."""
    train_split, test_split = (
        replace(split, images=split.images.to(device)) for split in (source.read_train(), source.read_test())
    )
    return Source(source.description, lambda: train_split, lambda: test_split)


def with_random_labels(source: Source) -> Source:
    """The same images, the labels of both halves in any order: what is learned from them is worth nothing."""
    train_split, test_split = (_mixed_up(split) for split in (source.read_train(), source.read_test()))
    return Source(source.description, lambda: train_split, lambda: test_split)


def _mixed_up(split: Split) -> Split:
    order = torch.randperm(len(split), generator=generator(0, "labels of the warm-up"))
    return replace(split, labels=split.labels[order])


if __name__ == "__main__":
    main()
