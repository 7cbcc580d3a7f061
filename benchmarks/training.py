"""Our loop against report 003's own way: the same network, machine and images, in turn, as a ratio.

    python -m benchmarks.training [--out FILE] [--rounds 5] [--images 4800]

Per batch size and round: ours (``cifarlab.train.train`` itself, with guard, saving and logs), then the plain
loop with two workers and with none. Evaluation is timed in neither. Then: what share of the processor's
measured matrix rate our training reaches, what saving and logging cost, and peak memory on real pictures.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

from benchmarks.plain_loop import plain_epoch
from cifarlab.config import vary
from cifarlab.data.batches import whole
from cifarlab.data.holdout import Counts
from cifarlab.data.pictures import Preparation
from cifarlab.data.split import Source, Split, source_of
from cifarlab.evaluate import logits_of
from cifarlab.job import build_network, placed
from cifarlab.progress import Progress, start
from cifarlab.recipe import Recipe
from cifarlab.recipes import recipe_named
from cifarlab.resumption import Saver
from cifarlab.run import append_metrics, read_description, read_metrics
from cifarlab.runtime import hardware, versions
from cifarlab.train import train

RECIPE = "cnn-augmented"
VALIDATION_IMAGES = 200


def random_source(images: int) -> Source:
    """Random pixels and labels: the speed does not depend on what a picture shows."""
    randomness = torch.Generator().manual_seed(0)

    def split(count: int) -> Split:
        pixels = torch.randint(0, 256, (count, 3, 32, 32), dtype=torch.uint8, generator=randomness)
        return Split(pixels, torch.arange(count) % 10, tuple("0123456789"))

    return source_of("random", split(images + VALIDATION_IMAGES), split(100), "given", Preparation())


def shortened(batch_size: int, images: int) -> Recipe:
    """The recipe for one epoch over ``images``."""
    recipe = vary(recipe_named(RECIPE).make(), "epochs", 1)
    recipe = vary(recipe, "judging.holdout", Counts(train=images, validation=VALIDATION_IMAGES))
    return vary(recipe, "batch_size", batch_size)


def our_epoch(source: Source, recipe: Recipe, folder: Path) -> float:
    """Images per second of the real loop, as it logs them itself."""
    train(recipe, source, folder, device="cpu")
    return float(read_metrics(folder)[-1]["images_per_second"])


def network_alone(recipe: Recipe, folder: Path, batches: int) -> float:
    """Images per second of the same network and optimizer on one ready batch: no data, no bookkeeping."""
    network = placed(build_network(read_description(folder), None), torch.device("cpu")).train()
    optimizer = recipe.optimizer.build(network.parameters())
    images = torch.randn(recipe.batch_size, 3, 32, 32).contiguous(memory_format=torch.channels_last)
    labels = torch.arange(recipe.batch_size) % 10
    began = time.perf_counter()
    for _ in range(batches):
        recipe.loss.mean(network(images), labels).backward()
        optimizer.step()
        optimizer.zero_grad()
    return batches * recipe.batch_size / (time.perf_counter() - began)


def evaluation_rate(source: Source, folder: Path) -> float:
    """Images per second of evaluation, which every rate here leaves out."""
    description = read_description(folder)
    network = placed(build_network(description, None), torch.device("cpu"))
    data = whole(source.read_train(), torch.device("cpu"))
    began = time.perf_counter()
    logits_of(network, data, description.recipe.normalize)
    return len(data) / (time.perf_counter() - began)


def compare(source: Source, batch_size: int, images: int, rounds: int, scratch: Path) -> dict[str, Any]:
    """Rates of both ways in turn, and our ratio to the plain loop's better setting, round by round."""
    recipe = shortened(batch_size, images)
    rates: dict[str, list[float]] = {
        "ours": [],
        "plain, 2 workers": [],
        "plain, no workers": [],
        "our network alone": [],
    }
    part = source.read_train().select(torch.arange(images))
    for turn in range(rounds + 1):
        folder = scratch / f"{batch_size}-{turn}"
        measured = {"ours": our_epoch(source, recipe, folder)}
        for name, workers in (("plain, 2 workers", 2), ("plain, no workers", 0)):
            network = build_network(read_description(folder), None)
            measured[name] = plain_epoch(network, part, batch_size, workers)
        measured["our network alone"] = network_alone(recipe, folder, images // batch_size)
        if turn > 0:  # the first round warms up
            for name, rate in measured.items():
                rates[name].append(rate)
    loop_shares = [ours / bare for ours, bare in zip(rates["ours"], rates["our network alone"], strict=True)]
    ratios = [
        ours / max(two, none)
        for ours, two, none in zip(
            rates["ours"], rates["plain, 2 workers"], rates["plain, no workers"], strict=True
        )
    ]
    return {
        "batch_size": batch_size,
        "images_per_second": {name: spread(each) for name, each in rates.items()},
        "ratio_to_the_faster_plain_loop": spread(ratios),
        "ours_as_a_share_of_our_network_alone": spread(loop_shares),
    }


def spread(values: list[float]) -> dict[str, float]:
    """Minimum, median and maximum."""
    return {
        "min": round(min(values), 3),
        "median": round(statistics.median(values), 3),
        "max": round(max(values), 3),
    }


def matrix_rate(size: int = 2048, rounds: int = 7) -> float:
    """The processor's fp32 rate in GFLOP/s: the best of a few large matrix products."""
    left, right = torch.randn(size, size), torch.randn(size, size)
    times = []
    for _ in range(rounds):
        began = time.perf_counter()
        left @ right
        times.append(time.perf_counter() - began)
    return 2 * size**3 / min(times) / 1e9


def saving_cost(run: Path, scratch: Path, epoch_seconds: float) -> dict[str, float]:
    """Milliseconds of one saved state and one logged epoch of ``run``, and both as a share of an epoch."""
    description = read_description(run)
    network = build_network(description, None)
    optimizer = description.recipe.optimizer.build(network.parameters())
    for parameter in network.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    line = read_metrics(run)[-1]
    progress: Progress = start(torch.device("cpu"))
    progress.finish_epoch(line, 1.0, network)
    saver = Saver(scratch, network, optimizer)
    saves, logs = [], []
    for _ in range(20):
        began = time.perf_counter()
        saver.save(progress)
        middle = time.perf_counter()
        append_metrics(scratch, line)
        saves.append(middle - began)
        logs.append(time.perf_counter() - middle)
    both = statistics.median(saves) + statistics.median(logs)
    return {
        "save_ms": round(statistics.median(saves) * 1e3, 2),
        "log_ms": round(statistics.median(logs) * 1e3, 3),
        "epoch_seconds_of_45000_images": round(epoch_seconds, 1),
        "share_of_an_epoch": round(both / epoch_seconds, 5),
    }


def peak_memory(pictures: str, scratch: Path) -> float:
    """GiB of a process that trains on all the pictures for one short epoch, from the cache."""
    command = [sys.executable, "-m", "cifarlab", "train", RECIPE, "--data", pictures]
    command += ["--recipe.epochs", "1", "--recipe.train-images", "640", "--device", "cpu"]
    for turn in ("fill-the-cache", "measured"):
        before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
        subprocess.run([*command, "--out", str(scratch / turn)], check=True, stdout=subprocess.DEVNULL)
    return max(before, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss) / 2**20


def main() -> None:
    """Measure, print, and write the record where one is asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, help="write the record as JSON")
    parser.add_argument("--rounds", type=int, default=5, help="counted rounds (default: 5)")
    parser.add_argument("--images", type=int, default=4800, help="images per round (default: 4800)")
    parser.add_argument("--batch-sizes", type=int, nargs="+", default=[32, 128])
    options = parser.parse_args()
    source = random_source(options.images)
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        rows = [
            compare(source, size, options.images, options.rounds, scratch) for size in options.batch_sizes
        ]
        ours = max(row["images_per_second"]["ours"]["median"] for row in rows)
        rate = matrix_rate()
        description = read_description(scratch / f"{options.batch_sizes[0]}-0")
        flops = json.loads((scratch / f"{options.batch_sizes[0]}-0" / "result.json").read_text())["flops"]
        record: dict[str, Any] = {
            "command": "python -m benchmarks.training " + " ".join(sys.argv[1:]),
            "network": f"plain-cnn-regularized, {description.recipe_name} recipe {RECIPE}",
            "data": "random pixels",
            "comparison": rows,
            "training_gflop_per_image": round(3 * flops / 1e9, 4),
            "reached_gflop_per_second": round(3 * flops * ours / 1e9, 1),
            "matrix_gflop_per_second": round(rate, 1),
            "share_of_the_matrix_rate": round(3 * flops * ours / 1e9 / rate, 3),
            "evaluation_images_per_second": round(
                evaluation_rate(source, scratch / f"{options.batch_sizes[0]}-0"), 1
            ),
            "saving_and_logging": saving_cost(
                scratch / f"{options.batch_sizes[0]}-0", scratch, 45_000 / ours
            ),
            "hardware": hardware(torch.device("cpu")),
            "versions": versions(),
        }
        pictures = os.environ.get("CIFARLAB_PHOTOS")
        if pictures:
            record["peak_memory_gib_on_60000_photographs"] = round(peak_memory(pictures, scratch), 3)
    text = json.dumps(record, indent=2)
    print(text)
    if options.out:
        options.out.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
