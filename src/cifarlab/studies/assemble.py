"""From finished runs to the table of an item: theirs beside ours, with verdicts."""

from collections.abc import Sequence
from pathlib import Path

from cifarlab.studies import comparisons, published
from cifarlab.studies.arrange import Arrangement
from cifarlab.studies.claims import judge_claims
from cifarlab.studies.quantities import machine_of
from cifarlab.studies.rows import Made, finished_folders, planned_row, with_pareto_front
from cifarlab.studies.table import (
    Claim,
    Comparison,
    ItemTable,
    Machine,
)


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
    rows = tuple(planned_row(row, arrangement, made, classes, comparable, device) for row in arrangement.rows)
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
