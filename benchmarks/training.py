"""Our loop against each report's own way: the same network, optimizer, batch size and images, in turn.

    python -m benchmarks.training [--recipes NAME …] [--modes eager compiled] [--device cuda] [--out FILE]

A round is an epoch of ours (the loop itself: drawing, augmentation, steps, guard, log), an epoch of the plain
loop per number of workers, and as many steps of our network alone on one ready batch. The first round warms
up, and compiles. Ratios are taken round by round, to the number of workers that is fastest. Evaluation
is timed in neither loop. What bounds ours: the share of its time that the network alone takes, and what it
reaches of the device's rate in a large matrix product at our precision. The data are random: the speed does
not depend on what a picture shows.
"""

import argparse
import json
import os
import sys
import tempfile
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import torch

from benchmarks.measuring import peak_memory, ratios, spread
from benchmarks.our_loop import OurLoop
from benchmarks.pictures import transform_library, transforms_for
from benchmarks.plain_loop import PlainLoop
from cifarlab.config import vary
from cifarlab.data.pictures import Preparation
from cifarlab.data.split import Source, Split, source_of
from cifarlab.errors import UserError
from cifarlab.models.cost import forward_flops
from cifarlab.race.power import machine_peaks
from cifarlab.recipe import Recipe
from cifarlab.recipes import recipe_named
from cifarlab.runtime import device_named, effective_precision, hardware, own_randomness, versions

ROWS = (
    "cnn-augmented",
    "tiny-attention",
    "lenet-5",
    "slim-attention",
    "resnet10-nesterov",
    "resnet24",
    "resnet18",
    "resnet18-cbam",
    "resnet18-cbam-aspp",
    "shake-shake",
    "fast-cnn",
)
"""A recipe of every family of networks."""
IMAGE_SIZE = 32


@dataclass(frozen=True)
class Plan:
    """How each row is measured."""

    device: torch.device
    modes: tuple[str, ...]
    workers: tuple[int, ...]
    rounds: int
    images: int | None
    batch_size: int | None


def random_source(images: int, classes: int) -> Source:
    """Random pixels, equally many of each class."""
    randomness = torch.Generator().manual_seed(0)

    def split(count: int) -> Split:
        shape = (count, 3, IMAGE_SIZE, IMAGE_SIZE)
        pixels = torch.randint(0, 256, shape, dtype=torch.uint8, generator=randomness)
        return Split(pixels, torch.arange(count) % classes, tuple(str(label) for label in range(classes)))

    return source_of("random", split(images), split(classes), "given", Preparation())


def images_for(training_flops: int, batch_size: int, rate: float) -> int:
    """Whole batches that take about 4 s at a quarter of the device's ``rate`` (GFLOP/s): 4 at least.

    At most 16,384 images, since small networks are bound by their loaders.
    """
    images = min(4 * rate * 1e9 / 4 / training_flops, 16_384)
    return max(round(images / batch_size), 4) * batch_size


def compare(name: str, plan: Plan, scratch: Path) -> dict[str, Any]:
    """A row of the record: rates of all ways in turn, ratios, and what bounds ours."""
    torch.compiler.reset()  # its limit of variants counts those of earlier rows too
    entry = recipe_named(name)
    classes = 12 if entry.data == "cifar12" else 10
    recipe = entry.make()
    recipe = vary(recipe, "epochs", max(recipe.epochs, plan.rounds + 1))  # schedules end with the run
    recipe = vary(recipe, "batch_size", plan.batch_size or recipe.batch_size)
    precision = effective_precision(recipe.precision, plan.device)
    rate = machine_peaks(plan.device)[precision]
    flops = 3 * forward_flops(recipe.model.build(classes, IMAGE_SIZE), IMAGE_SIZE)
    images = plan.images or images_for(flops, recipe.batch_size, rate)
    if images % recipe.batch_size or images < 2 * recipe.batch_size:
        raise SystemExit(f"--images: {images} are not two or more whole batches of {recipe.batch_size}")
    source = random_source(images, classes)
    ours = {
        mode: OurLoop(recipe, source, plan.device, scratch / f"{name}-{mode}", compiled=mode == "compiled")
        for mode in plan.modes
    }
    plain = PlainLoop(recipe, source.read_train(), next(iter(ours.values())).author_network(), plan.device)
    rates: dict[str, list[float]] = defaultdict(list)
    for turn in range(plan.rounds + 1):
        measured = {}
        for mode, loop in ours.items():
            measured[f"ours, {mode}"] = loop.epoch()
            measured[f"our network alone, {mode}"] = loop.network_alone()
        for workers in plan.workers:
            measured[f"plain, {workers} workers"] = plain.epoch(workers)
        if turn > 0:  # the first round warms up
            for way, value in measured.items():
                rates[way].append(value)
    return {
        "recipe": name,
        **_setting(recipe, images, precision),
        "images_per_second": {way: spread(values) for way, values in rates.items()},
        "ours": {mode: _verdict(mode, rates, plan, flops, rate) for mode in plan.modes},
        "training_gflop_per_image": round(flops / 1e9, 4),
        "matrix_gflop_per_second": round(rate, 1),
        "save_ms": round(median(ours[plan.modes[0]].save_seconds) * 1e3, 2),
    }


def _setting(recipe: Recipe, images: int, precision: str) -> dict[str, Any]:
    """What was trained, and where the plain loop differs from the recipe."""
    _, differences = transforms_for(recipe.augment)
    differences += [
        f"{part} is left out" for part in ("mix", "clip_norm") if getattr(recipe, part) is not None
    ]
    return {
        "network": type(recipe.model).__name__,
        "batch_size": recipe.batch_size,
        "images": images,
        "our_precision": precision,
        "plain_loop_differs": differences,
    }


def _verdict(
    mode: str, rates: dict[str, list[float]], plan: Plan, flops: int, matrix_gflops: float
) -> dict[str, Any]:
    """Our ratio to the plain loop, and what bounds us."""
    ours, alone = rates[f"ours, {mode}"], rates[f"our network alone, {mode}"]
    fastest = max(
        (f"plain, {workers} workers" for workers in plan.workers), key=lambda way: median(rates[way])
    )
    reached = flops * median(ours) / 1e9
    return {
        "fastest_plain_loop": fastest,
        "ratio_to_it": ratios(ours, rates[fastest]),
        "share_of_the_network_alone": ratios(ours, alone),
        "reached_gflop_per_second": round(reached, 1),
        "share_of_the_matrix_rate": round(reached / matrix_gflops, 3),
    }


def shown(row: dict[str, Any]) -> str:
    """A row as plain lines, a mode each."""
    lines = []
    for mode, verdict in row["ours"].items():
        rate, ratio = row["images_per_second"][f"ours, {mode}"], verdict["ratio_to_it"]
        lines.append(
            f"{row['recipe']:<18} {mode:<8} {rate['median']:>10,.1f} images/s  ratio {ratio['median']:.2f} "
            f"({ratio['min']:.2f} to {ratio['max']:.2f})  network alone "
            f"{verdict['share_of_the_network_alone']['median']:.2f} of our time, "
            f"{verdict['share_of_the_matrix_rate']:.2f} of the matrix rate"
        )
    return "\n".join(lines)


def plan_from(options: argparse.Namespace) -> Plan:
    """The options as values."""
    return Plan(
        device_named(options.device),
        tuple(options.modes),
        tuple(options.workers),
        options.rounds,
        options.images,
        options.batch_size,
    )


def parser() -> argparse.ArgumentParser:
    """The options."""
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument(
        "--recipes", nargs="+", default=ROWS, metavar="NAME", help="(default: a row per network)"
    )
    made.add_argument("--rounds", type=int, default=5, help="counted rounds (default: 5)")
    made.add_argument("--images", type=int, help="images of an epoch (default: by the network's FLOPs)")
    made.add_argument("--batch-size", type=int, help="instead of the recipe's")
    made.add_argument("--device", default="cpu", help="cpu, or cuda (default: cpu)")
    made.add_argument("--modes", nargs="+", default=["eager"], choices=["eager", "compiled"])
    made.add_argument(
        "--workers", type=int, nargs="+", default=[0, 2], help="of the plain loop (default: 0 2)"
    )
    made.add_argument("--out", type=Path, help="write the record as JSON, anew after every row")
    return made


def main() -> None:
    """Measure, print, and write the record where one is asked for."""
    options = parser().parse_args()
    try:
        plan = plan_from(options)
        for name in options.recipes:
            recipe_named(name)  # a wrong name shows now, not after hours
    except UserError as error:
        parser().error(str(error))
    record: dict[str, Any] = {
        "command": "python -m benchmarks.training " + " ".join(sys.argv[1:]),
        "data": "random pixels",
        "transforms": transform_library(),
        "hardware": hardware(plan.device),
        "versions": versions(),
        "rows": [],
    }

    def write() -> None:
        if options.out:
            options.out.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")

    with tempfile.TemporaryDirectory() as scratch, own_randomness(plan.device):
        for name in options.recipes:
            record["rows"].append(compare(name, plan, Path(scratch)))
            print(shown(record["rows"][-1]), flush=True)
            write()
        pictures = os.environ.get("CIFARLAB_PHOTOS")
        if pictures:
            record["peak_memory_gib_on_the_photographs"] = round(
                peak_memory("cnn-augmented", pictures, Path(scratch)), 3
            )
            write()
    if not options.out:
        print(json.dumps(record, indent=2))


if __name__ == "__main__":
    main()
