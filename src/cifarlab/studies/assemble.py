"""From finished runs to the table of an item: theirs beside ours, with verdicts."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import torch

from cifarlab import run
from cifarlab.models.cost import count_parameters, forward_flops
from cifarlab.recipe import Recipe
from cifarlab.studies import comparisons, published
from cifarlab.studies.arrange import Arrangement, PlannedRow
from cifarlab.studies.claims import judge_claims
from cifarlab.studies.estimates import estimate
from cifarlab.studies.ledger import Outcome
from cifarlab.studies.measure import measured
from cifarlab.studies.plan import PlannedRun
from cifarlab.studies.quantities import machine_of, quantity_of
from cifarlab.studies.table import (
    Claim,
    Comparison,
    Entry,
    Estimate,
    ItemTable,
    Machine,
    Published,
    Quantity,
    Row,
)
from cifarlab.studies.verdicts import judge_count, judge_number

Made = Mapping[PlannedRun, Outcome]


def assemble(
    arrangement: Arrangement,
    made: Made,
    classes: int,
    *,
    data_name: str,
    official_data: bool,
    command: str = "",
    device: str = "auto",
) -> ItemTable:
    """The table of an item from the runs that were made for it.

    Args:
        classes: of the data set.
        data_name: the data set as the user named it.
        official_data: whether it is the one that the report used.
        device: where what is still to be measured on the networks is measured.
    """
    item = arrangement.item
    comparable = why_not_comparable(arrangement, official_data)
    rows = tuple(_row(row, arrangement, made, classes, comparable, device) for row in arrangement.rows)
    finished = _finished_runs(arrangement, made)
    return ItemTable(
        report=item.report,
        item=item.name,
        title=item.title,
        question=item.claim,
        scale=arrangement.scale,
        scale_note=arrangement.scale_note,
        seeds=arrangement.seeds,
        data=data_name,
        official_data=official_data,
        rows=with_pareto_front(rows),
        comparisons=_comparisons(arrangement, made),
        claims=_claims(arrangement, finished, comparable, device),
        machines=machines([folder for by_seed in finished.values() for folder in by_seed.values()]),
        assumptions=item.assumptions,
        errata=_errata(arrangement),
        command=command,
        figures=item.figures,
    )


def why_not_comparable(arrangement: Arrangement, official_data: bool) -> str:
    """In what our runs differ from the report's; empty where they do not."""
    reasons = []
    if arrangement.scale != "full":
        reasons.append(f"a {arrangement.scale} run")
    if not official_data:
        reasons.append("other data")
    return "; ".join(reasons)


def machines(folders: Sequence[Path]) -> tuple[Machine, ...]:
    """The machines on which the runs were made, each once."""
    return tuple(Machine(*facts) for facts in dict.fromkeys(machine_of(folder) for folder in folders))


def with_pareto_front(rows: Sequence[Row]) -> tuple[Row, ...]:
    """``rows``, those marked that no other beats in accuracy for at most the same training FLOPs."""
    points = []
    for row in rows:
        entry = row.entry("test_accuracy", "C")
        ours = None if entry is None else entry.ours
        points.append(None if ours is None or row.training_flops is None else (row.training_flops, ours.mean))
    return tuple(
        replace(row, on_pareto_front=point is not None and not any(_beats(other, point) for other in points))
        for row, point in zip(rows, points, strict=True)
    )


def _beats(other: tuple[float, float] | None, point: tuple[float, float]) -> bool:
    return other is not None and other != point and other[0] <= point[0] and other[1] >= point[1]


def entries_of(folders: Sequence[Path], device: str = "auto") -> tuple[Entry, ...]:
    """Accuracies of runs under protocols C and, where the test set was watched, B; and of the last epoch."""
    if not folders:
        return ()
    results = [run.read_result(folder) for folder in folders]
    entries = [
        Entry("test_accuracy", "C", estimate([result["test_accuracy"] for result in results])),
        Entry("test_accuracy", "last", estimate([result["last"]["test_accuracy"] for result in results])),
    ]
    best = [quantity_of(folder, "best_test_accuracy", device=device) for folder in folders]
    known = [value for value in best if value is not None]
    if len(known) == len(folders):
        entries.append(Entry("test_accuracy", "B", estimate(known)))
        optimism = [value - result["test_accuracy"] for value, result in zip(known, results, strict=True)]
        entries.append(Entry("difference", "B", estimate(optimism)))
    validated = [result["val_accuracy"] for result in results if result.get("val_accuracy") is not None]
    if len(validated) == len(folders):
        entries.append(Entry("val_accuracy", "C", estimate(validated)))
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


def _row(
    planned: PlannedRow, arrangement: Arrangement, made: Made, classes: int, comparable: str, device: str
) -> Row:
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
        entry = _entry(quantity, theirs, planned, row, made, arrangement, comparable, device)
        kept = tuple(e for e in row.entries if (e.quantity, e.protocol) != (entry.quantity, entry.protocol))
        row = replace(row, entries=(entry, *kept))
    failures = tuple(
        f"protocol A {each.status}: {each.reason}" for each in published_outcomes if each.status != "finished"
    )
    folders = finished_folders(outcomes) or published_folders
    zeros = None
    if "zero_activations" in item.measures and folders:
        zeros = measured(folders[0], "zero_activations", device)
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
    row: Row,
    made: Made,
    arrangement: Arrangement,
    comparable: str,
    device: str,
) -> Entry:
    """Theirs beside ours: ours under protocol A where that is a run of its own, else C."""
    if quantity == "parameters":
        count = row.parameters or 0
        verdict, reason = judge_count(theirs, count)
        return Entry("parameters", "", Estimate((float(count),), float(count)), theirs, verdict, reason)
    runs = planned.published_runs or planned.runs
    folders = finished_folders([made[each] for each in runs])
    logged = arrangement.item.logged_train_accuracy
    values = [quantity_of(each, quantity, device=device, logged_train_accuracy=logged) for each in folders]
    known = [value for value in values if value is not None]
    ours = estimate(known) if known else None
    if "seconds" in quantity:
        comparable = f"other hardware{'; ' if comparable else ''}{comparable}"
    verdict, reason = judge_number(
        theirs, ours, comparable=comparable, unidentified=planned.variant.unidentified
    )
    protocol: Literal["A", "C", ""] = "A" if planned.published_runs else "C"
    return Entry(quantity, "" if "seconds" in quantity else protocol, ours, theirs, verdict, reason)


def _finished_runs(arrangement: Arrangement, made: Made) -> dict[str, dict[int, Path]]:
    """By label and seed: the runs that the report's statements are held against, A where all rows have it."""
    everywhere = all(row.published_runs for row in arrangement.rows)
    found: dict[str, dict[int, Path]] = {}
    for row in arrangement.rows:
        runs = row.published_runs if everywhere else row.runs
        outcomes = {planned.seed: made[planned] for planned in runs}
        found[row.variant.label] = {
            seed: each.folder
            for seed, each in outcomes.items()
            if each.status == "finished" and each.folder is not None
        }
    return found


def _comparisons(arrangement: Arrangement, made: Made) -> tuple[Comparison, ...]:
    if arrangement.item.compare == "none":
        return ()
    rows = [
        (row.variant.label, finished_folders([made[each] for each in row.runs])) for row in arrangement.rows
    ]
    there = [(label, folders) for label, folders in rows if folders]
    if len(there) < 2:
        return ()
    return comparisons.compare(there, pairs=arrangement.item.compare)


def _claims(
    arrangement: Arrangement, finished: dict[str, dict[int, Path]], comparable: str, device: str
) -> tuple[Claim, ...]:
    if not arrangement.item.trained:
        return ()
    return judge_claims(arrangement.item, finished, arrangement.seeds, comparable=comparable, device=device)


def _errata(arrangement: Arrangement) -> tuple[str, ...]:
    """What is wrong with the numbers that this item uses."""
    item = arrangement.item
    used = {f"{variant.recipe}.{quantity}" for variant in item.variants for quantity in variant.numbers}
    used |= {key for contrast in item.contrasts for key in contrast.numbers}
    return tuple(
        f"it says: {each.says}; we read: {each.reading}"
        for each in published.errata(item.report)
        if used & set(each.keys)
    )


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None
