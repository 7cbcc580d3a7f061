"""Tables of studies made up on the spot, and folders of runs that fit them."""

import json
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import torch
from scipy.stats import t

from cifarlab import run
from cifarlab.augment import Normalize
from cifarlab.config import to_json
from cifarlab.data.pictures import Preparation
from cifarlab.data.split import DataDescription
from cifarlab.models import Model
from cifarlab.recipe import Recipe
from cifarlab.recipes import recipe_named
from cifarlab.studies.table import (
    Claim,
    Comparison,
    Entry,
    Estimate,
    ItemTable,
    Machine,
    Published,
    Row,
)

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


def estimate(*values: float) -> Estimate:
    """With its intervals, as the study makes them."""
    if len(values) == 1:
        return Estimate(values, values[0])
    center, spread, n = mean(values), stdev(values), len(values)
    quantile = float(t.ppf(0.975, n - 1))
    half, wide = quantile * spread / math.sqrt(n), quantile * spread * math.sqrt(1 + 1 / n)
    return Estimate(values, center, spread, (center - half, center + half), (center - wide, center + wide))


def accuracy(value: float, seeds: int = 3, **changes: Any) -> Entry:
    """A test accuracy under protocol C, with nothing published unless ``changes`` say so."""
    values = (value + 0.004 * (seed - (seeds - 1) / 2) for seed in range(seeds))
    return replace(Entry("test_accuracy", "C", estimate(*values)), **changes)


def row(label: str, value: float = 0.9, seeds: int = 3, **changes: Any) -> Row:
    """A variant with costs, whose runs are ``LABEL-0``, ``LABEL-1``, …."""
    made = Row(
        label,
        "resnet24",
        (accuracy(value, seeds),),
        runs=tuple(run_name(label, seed) for seed in range(seeds)),
        parameters=4_935_242,
        forward_flops=5.6e8,
        training_flops=4.2e15,
        training_seconds=813.4,
    )
    return replace(made, **changes)


def run_name(label: str, seed: int) -> str:
    """The folder of one of ``row``'s runs."""
    return "".join(c if c.isalnum() else "-" for c in label) + f"-{seed}"


def table(*rows: Row, **changes: Any) -> ItemTable:
    """An item at full scale on the report's own data."""
    made = ItemTable(
        report="small-resnets",
        item="schedules",
        title="Learning-rate schedules",
        question="Which schedule is best?",
        scale="full",
        scale_note="",
        seeds=(0, 1, 2),
        data="cifar10",
        official_data=True,
        rows=rows,
    )
    return replace(made, **changes)


def full_table() -> ItemTable:
    """Every field filled: published numbers, errata, all sorts of verdicts, claims, comparisons."""
    published = Published("test_accuracy", 0.9371, "93.71 %", "report 002, table 2", tolerance=0.00005)
    wrong = replace(published, text="94.43 %", value=0.9443, erratum="the matrix beside it gives 94.59 %")
    first = accuracy(
        0.938, protocol="A", published=published, verdict="reproduced", reason="inside the prediction"
    )
    second = accuracy(0.951, protocol="A", published=wrong, verdict="higher", reason="above the prediction")
    size = Entry(
        "parameters",
        "",
        estimate(4_935_242.0),
        Published("parameters", 4_935_242.0, "4,935,242", "table 1"),
        "reproduced",
        "equal",
    )
    return table(
        row("without mixup", entries=(first, accuracy(0.936), size)),
        row("with mixup", entries=(second, accuracy(0.949)), on_pareto_front=True),
        row("diverged", entries=(), runs=(), failures=("seed 0: the loss is not finite",)),
        comparisons=(
            Comparison("with mixup", "without mixup", 0.013, (0.004, 0.022), 0.03, 1e-5, 0.06, 2e-5),
        ),
        claims=(
            Claim(
                "mixup helps",
                "section 3.2",
                "with mixup minus without",
                estimate(0.012, 0.013, 0.014),
                Published("difference", 0.0072, "0.72 points", "section 3.2"),
                "underpowered",
                "three seeds are too few",
            ),
        ),
        machines=(Machine("Example GPU", "torch 2.13.0"),),
        assumptions=("mixup's α is 1.0",),
        errata=("weight decay and L2 are the same thing",),
        command="cifarlab reproduce small-resnets schedules",
        figures=("accuracy-curves", "cost"),
    )


def learning_row(epoch: int, best: float = 0.9, shift: float = 0.0) -> dict[str, float]:
    """One line of ``metrics.jsonl`` of a run that learns."""
    progress = 1 - math.exp(-epoch / 8)
    wiggle = 0.01 * math.sin(2.7 * epoch + 9 * shift)
    val = 0.1 + (best - 0.1) * progress + wiggle + shift
    return {
        "epoch": epoch,
        "step": 8 * epoch,
        "lr": 0.1 * 0.9**epoch,
        "train_loss": 2.3 * (1 - 0.97 * progress) + wiggle,
        "train_accuracy": 0.1 + 0.89 * progress,
        "val_loss": 2.3 * (1 - 0.85 * progress) - wiggle,
        "val_accuracy": val,
        "test_loss": 2.3 * (1 - 0.84 * progress) - wiggle,
        "test_accuracy": val - 0.01,
    }


def write_run(
    folder: Path,
    lines: Sequence[dict[str, float]],
    recipe: Recipe | None = None,
    result: dict[str, Any] | None = None,
    train_images: int = 45_000,
    class_names: tuple[str, ...] = CLASSES,
) -> Path:
    """A run's folder with a log, and with a ``result.json`` where ``result`` is given."""
    folder.mkdir(parents=True, exist_ok=True)
    description = run.RunDescription(
        "resnet24",
        recipe or recipe_named("resnet24").make(),
        DataDescription(
            "cifar10", class_names, train_images, 10_000, "1f" * 32, "2e" * 32, 32, "given", Preparation()
        ),
        seed=0,
        protocols="B,C",
    )
    (folder / run.RECIPE).write_text(json.dumps(to_json(description)))
    (folder / run.METRICS).write_text("".join(json.dumps(line) + "\n" for line in lines))
    if result is not None:
        finished = {
            "status": "finished",
            "test_accuracy": 0.9,
            "test_images": 10_000,
            "interval": [0.89, 0.91],
        }
        (folder / run.RESULT).write_text(json.dumps(finished | result))
    return folder


def write_weights(folder: Path, model: Model, seed: int = 0, class_names: tuple[str, ...] = CLASSES) -> None:
    """Fresh weights as those of the run in ``folder``, so that its network can be looked at."""
    torch.manual_seed(seed)
    trained = run.TrainedNetwork(model, Normalize(), class_names, 32, Preparation())
    run.write_weights(folder, trained.build().state_dict(), trained)


def write_runs(made: ItemTable, folder: Path, epochs: int = 30) -> None:
    """A run for every name that the table's rows give."""
    for place, each in enumerate(made.rows):
        for seed, name in enumerate((*each.runs, *each.published_runs)):
            best = each.entries[0].ours.mean if each.entries and each.entries[0].ours else 0.9
            lines = [learning_row(epoch, best, 0.006 * seed) for epoch in range(1, epochs + 1 - place % 3)]
            write_run(folder / name, lines, result=class_scores(place))


def class_scores(place: int, names: Sequence[str] = CLASSES) -> dict[str, Any]:
    """What ``result.json`` says of the classes: a confusion matrix of 1,000 images a class."""
    matrix = [[15 + (3 * i + 5 * j + place) % 9 for j in range(10)] for i in range(10)]
    for i in range(10):
        matrix[i][i] = 0
        matrix[i][i] = 1000 - sum(matrix[i])
    scores = [
        {
            "class": name,
            "images": 1000,
            "correct": matrix[i][i],
            "accuracy": matrix[i][i] / 1000,
            "interval": [0.8, 0.9],
        }
        for i, name in enumerate(names)
    ]
    return {"confusion_matrix": matrix, "per_class": scores, "train_images": 45_000}
