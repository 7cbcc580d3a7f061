"""What can be reproduced, what it would cost on this machine, and what of it is done already."""

from collections import Counter
from pathlib import Path
from typing import Any, get_args

from cifarlab.errors import UserError
from cifarlab.recipes.reports import REPORTS
from cifarlab.reproduce import SEEDS, folder_of
from cifarlab.runtime import NUMERICS_VERSION
from cifarlab.studies.arrange import arrange, data_of
from cifarlab.studies.items import ITEMS
from cifarlab.studies.items.item import Item
from cifarlab.studies.printing import data_text
from cifarlab.studies.scale import REPORTED_SIZES, Scale, predicted_seconds
from cifarlab.studies.table_files import read_table

SCALES: tuple[Scale, ...] = get_args(Scale)


def reports(lab: Path, slowness: float) -> list[dict[str, Any]]:
    """The five reports with their items: claim, cost, what is done, and why one is not offered.

    Args:
        lab: where ``reproduce`` leaves its tables.
        slowness: of this machine, see ``studies.cost.slowness``.
    """
    return [
        {
            "name": report.name,
            "number": report.number,
            "studied": report.studied,
            "items": [_offer(item, lab, slowness) for item in ITEMS[report.name].values()],
        }
        for report in REPORTS
    ]


def _offer(item: Item, lab: Path, slowness: float) -> dict[str, Any]:
    return {
        "name": item.name,
        "title": item.title,
        "claim": item.claim,
        "not_offered": item.not_offered or None,
        "runs": 0 if item.not_offered else _runs(item, "full"),
        "seconds": None if item.not_offered else {scale: _seconds(item, scale, slowness) for scale in SCALES},
        "done": {scale: found for scale in SCALES if (found := _done(item, scale, lab))},
    }


def _runs(item: Item, scale: Scale) -> int:
    """With as many seeds as are usual at ``scale``."""
    name = data_of(item)
    return len(set(arrange(item, scale, range(SEEDS[scale]), name, REPORTED_SIZES[name]).runs))


def _seconds(item: Item, scale: Scale, slowness: float) -> float:
    """Predicted for this machine, with as many seeds as are usual at ``scale``."""
    name = data_of(item)
    data = REPORTED_SIZES[name]
    arrangement = arrange(item, scale, range(SEEDS[scale]), name, data)
    used = arrangement.size(data)
    return slowness * sum(predicted_seconds(planned.recipe, used) for planned in set(arrangement.runs))


def _done(item: Item, scale: Scale, lab: Path) -> list[dict[str, Any]]:
    """Seeds, data, verdicts of the item's tables in ``lab``; what cannot be read, or is outdated, is none."""
    found = []
    start = folder_of(item.name, scale, "", "")
    for folder in sorted((lab / item.report).glob(f"{start}*")):
        if folder.name != start and not folder.name.startswith(f"{start}-on-"):
            continue
        try:
            table = read_table(folder)
        except UserError:
            continue
        if table.numerics != NUMERICS_VERSION:
            continue
        verdicts = [entry.verdict for row in table.rows for entry in row.entries if entry.verdict is not None]
        verdicts += [claim.verdict for claim in table.claims]
        found.append(
            {"seeds": len(table.seeds), "data": data_text(table.data), "verdicts": dict(Counter(verdicts))}
        )
    return found
