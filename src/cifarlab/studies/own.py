"""The table of a study of the user's own: one row per variant, and which differences hold."""

from collections.abc import Mapping, Sequence
from typing import Literal

from cifarlab.data.split import DataDescription
from cifarlab.errors import UserError
from cifarlab.studies.assemble import machines
from cifarlab.studies.comparisons import compare
from cifarlab.studies.grid import Variant
from cifarlab.studies.ledger import Outcome
from cifarlab.studies.plan import PlannedRun
from cifarlab.studies.rows import finished_folders, row_of, with_pareto_front
from cifarlab.studies.table import ItemTable, Row

REPORT = "studies"
"""Where a table says which report it belongs to."""
ALL_PAIRS = 5
"""Up to so many variants each is compared with each, beyond that every one with the first."""
FIGURES = ("accuracy-curves", "loss-curves", "learning-rate", "cost")


def own_table(
    name: str,
    question: str,
    variants: Sequence[Variant],
    made: Mapping[PlannedRun, Outcome],
    data: DataDescription,
    *,
    command: str = "",
) -> ItemTable:
    """The table of the ``variants`` from the runs that were ``made`` for them on ``data``."""
    rows = [_row(variant, [made[planned] for planned in variant.runs], data) for variant in variants]
    finished = [
        (variant.label, finished_folders([made[planned] for planned in variant.runs])) for variant in variants
    ]
    there = [(label, folders) for label, folders in finished if folders]
    pairs: Literal["all", "first"] = "all" if len(there) <= ALL_PAIRS else "first"
    return ItemTable(
        report=REPORT,
        item=name,
        title=name,
        question=question,
        scale="own",
        scale_note="",
        seeds=tuple(dict.fromkeys(planned.seed for variant in variants for planned in variant.runs)),
        data=variants[0].runs[0].data,
        official_data=True,
        rows=with_pareto_front(rows),
        comparisons=compare(there, pairs=pairs) if len(there) > 1 else (),
        machines=machines([folder for _, folders in there for folder in folders]),
        command=command,
        figures=FIGURES if there else (),
    )


def _row(variant: Variant, outcomes: Sequence[Outcome], data: DataDescription) -> Row:
    first = variant.runs[0]
    try:
        return row_of(
            variant.label, first.recipe_name, first.recipe, outcomes, len(data.class_names), data.image_size
        )
    except UserError:  # a network that cannot be built for these images, as its runs have found, too
        reasons = tuple(f"{each.status}: {each.reason}" for each in outcomes if each.status != "finished")
        return Row(variant.label, first.recipe_name, (), failures=reasons)
