"""The rows of a study's table: what their runs give, and what the report says beside it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import torch

from cifarlab import run
from cifarlab.models.cost import count_parameters, forward_flops
from cifarlab.recipe import Recipe
from cifarlab.studies import published
from cifarlab.studies.arrange import Arrangement, PlannedRow
from cifarlab.studies.estimates import estimate
from cifarlab.studies.ledger import Outcome
from cifarlab.studies.measure import measured
from cifarlab.studies.plan import PlannedRun
from cifarlab.studies.quantities import quantity_of
from cifarlab.studies.scale import IMAGE_SIZE
from cifarlab.studies.table import Entry, Estimate, Published, Quantity, Row
from cifarlab.studies.verdicts import judge_count, judge_number

Made = Mapping[PlannedRun, Outcome]
"""What came of every planned run."""


def with_pareto_front(rows: Sequence[Row]) -> tuple[Row, ...]:
    """``rows``, those marked that no other beats in accuracy for at most the same training FLOPs."""
    points = []
    for row in rows:
        entry = row.entry("test_accuracy", "C") or row.entry("test_accuracy", "A")
        ours = None if entry is None else entry.ours
        points.append(None if ours is None or row.training_flops is None else (row.training_flops, ours.mean))
    return tuple(
        replace(row, on_pareto_front=point is not None and not any(_beats(other, point) for other in points))
        for row, point in zip(rows, points, strict=True)
    )


def _beats(other: tuple[float, float] | None, point: tuple[float, float]) -> bool:
    return other is not None and other != point and other[0] <= point[0] and other[1] >= point[1]


def entries_of(folders: Sequence[Path]) -> tuple[Entry, ...]:
    """Accuracies of runs under the protocol that they were made with, and of the last epoch.

    Where the test set was watched beside protocol C, also what choosing on it would have given (B), and how
    much that flatters.
    """
    if not folders:
        return ()
    results = [run.read_result(folder) for folder in folders]
    under_a = {result["protocols"] for result in results} == {"A"}
    protocol: Literal["A", "C"] = "A" if under_a else "C"
    entries = [
        Entry("test_accuracy", protocol, estimate([result["test_accuracy"] for result in results])),
        Entry("test_accuracy", "last", estimate([result["last"]["test_accuracy"] for result in results])),
    ]
    best = [quantity_of(folder, "best_test_accuracy") for folder in folders]
    known = [value for value in best if value is not None]
    if len(known) == len(folders) and not under_a:
        entries.append(Entry("test_accuracy", "B", estimate(known)))
        # Epochs are judged without test-time views, so the difference to them is too.
        without = [each.get("test_accuracy_without_views", each["test_accuracy"]) for each in results]
        optimism = [value - own for value, own in zip(known, without, strict=True)]
        entries.append(Entry("difference", "B", estimate(optimism)))
    validated = [result["val_accuracy"] for result in results if result.get("val_accuracy") is not None]
    if len(validated) == len(folders):
        entries.append(Entry("val_accuracy", protocol, estimate(validated)))
    return tuple(entries)


def row_of(
    label: str,
    recipe_name: str,
    recipe: Recipe,
    outcomes: Sequence[Outcome],
    classes: int,
    image_size: int = 32,
) -> Row:
    """A row without a report: what our runs under protocol C (and B) give."""
    folders = finished_folders(outcomes)
    with torch.device("meta"):
        network = recipe.model.build(classes, image_size)
        parameters, flops = count_parameters(network).total, forward_flops(network, image_size)
    results = [run.read_result(folder) for folder in folders]
    return Row(
        label=label,
        recipe=recipe_name,
        entries=entries_of(folders),
        runs=tuple(folder.name for folder in folders),
        failures=tuple(f"{each.status}: {each.reason}" for each in outcomes if each.status != "finished"),
        parameters=parameters,
        forward_flops=float(flops),
        training_flops=_mean([result["training_flops"] for result in results]),
        training_seconds=_mean([result["seconds"] for result in results]),
    )


def finished_folders(outcomes: Sequence[Outcome]) -> list[Path]:
    """The folders of the runs that finished."""
    return [each.folder for each in outcomes if each.status == "finished" and each.folder is not None]


def planned_row(
    planned: PlannedRow, arrangement: Arrangement, made: Made, classes: int, comparable: str, device: str
) -> Row:
    """The row of a report's item: ours, and theirs beside it with a verdict.

    Args:
        classes: of the data set.
        comparable: why ours are not made as theirs; empty if they are.
    """
    variant, item = planned.variant, arrangement.item
    outcomes = [made[each] for each in planned.runs]
    published_outcomes = [made[each] for each in planned.published_runs]
    row = row_of(variant.label, variant.recipe, planned.recipe, outcomes, classes)
    published_folders = finished_folders(published_outcomes)
    if published_folders:
        accuracies = [run.read_result(folder)["test_accuracy"] for folder in published_folders]
        row = replace(row, entries=(*row.entries, Entry("test_accuracy", "A", estimate(accuracies))))
    for quantity in variant.numbers:
        theirs = published.number(item.report, f"{variant.recipe}.{quantity}")
        entry = _entry(quantity, theirs, planned, classes, made, arrangement, comparable, device)
        kept = tuple(e for e in row.entries if (e.quantity, e.protocol) != (entry.quantity, entry.protocol))
        row = replace(row, entries=(entry, *kept))
    failures = tuple(
        f"protocol A {each.status}: {each.reason}" for each in published_outcomes if each.status != "finished"
    )
    folders = finished_folders(outcomes) or published_folders
    zeros = None
    if "zero_activations" in item.measures and folders:
        zeros = _mean([measured(folder, "zero_activations", device) for folder in folders])
    return replace(
        row,
        published_runs=tuple(folder.name for folder in published_folders),
        failures=(*row.failures, *failures),
        zero_activations=zeros,
    )


def _entry(
    quantity: Quantity,
    theirs: Published,
    planned: PlannedRow,
    classes: int,
    made: Made,
    arrangement: Arrangement,
    comparable: str,
    device: str,
) -> Entry:
    """Theirs beside ours: ours under protocol A where that is a run of its own, else C."""
    if quantity in ("parameters", "trainable_parameters", "statistics"):
        count = _count(quantity, planned, classes)
        ours = Estimate((float(count),), float(count))
        if theirs.provenance in ("computed", "ours"):
            return Entry(quantity, "", ours, theirs, None, "the report does not say; counted by us")
        return Entry(quantity, "", ours, theirs, *judge_count(theirs, count))
    runs = planned.published_runs or planned.runs
    folders = finished_folders([made[each] for each in runs])
    logged = arrangement.item.logged_train_accuracy
    values = [quantity_of(each, quantity, device=device, logged_train_accuracy=logged) for each in folders]
    known = [value for value in values if value is not None]
    measured_here = estimate(known) if known else None
    if "seconds" in quantity:
        comparable = f"other hardware{'; ' if comparable else ''}{comparable}"
    verdict, reason = judge_number(
        theirs, measured_here, comparable=comparable, unidentified=planned.variant.unidentified
    )
    if len(known) < len(runs):
        lost = f"{len(runs) - len(known)} of {len(runs)} runs gave no number"
        verdict, reason = ("underpowered" if verdict == "reproduced" else verdict), f"{reason}; {lost}"
    protocol: Literal["A", "C", ""] = "A" if planned.published_runs else "C"
    return Entry(quantity, "" if "seconds" in quantity else protocol, measured_here, theirs, verdict, reason)


def _count(quantity: Quantity, planned: PlannedRow, classes: int) -> int:
    """Parameters of the row's network: all, the trainable ones, or BatchNorm's statistics."""
    with torch.device("meta"):
        counted = count_parameters(planned.recipe.model.build(classes, IMAGE_SIZE))
    if quantity == "trainable_parameters":
        return counted.trainable
    return counted.statistics if quantity == "statistics" else counted.total


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None
