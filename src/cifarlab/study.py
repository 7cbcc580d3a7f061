"""A study of the user's own: variants of a recipe over several seeds, in a table with figures and a page."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cifarlab.errors import UserError, printable
from cifarlab.recipe import Protocols, Recipe
from cifarlab.report.lab import PAGE, draw_figures, write_pages
from cifarlab.studies.grid import grid
from cifarlab.studies.orders import Sources
from cifarlab.studies.own import REPORT, own_table
from cifarlab.studies.progress_display import StudyDisplay
from cifarlab.studies.table import ItemTable
from cifarlab.studies.table_files import write_table
from cifarlab.studies.work import make_runs

_LONGEST_NAME = 200
"""In bytes; systems take 255."""


def study(
    recipe_name: str,
    varied: Sequence[tuple[str, Sequence[Any]]] = (),
    *,
    name: str | None = None,
    seeds: int = 3,
    data: str | None = None,
    protocols: Protocols = "C",
    recipe: Recipe | None = None,
    runs: Path = Path("runs"),
    lab: Path = Path("lab"),
    device: str = "auto",
    jobs: int = 1,
    cluster: str | None = None,
    command: str = "",
    display: StudyDisplay | None = None,
) -> ItemTable:
    """Make every variant of a recipe, and leave table, figures and page in ``LAB/studies/NAME``.

    Args:
        varied: dotted fields and their values, see ``studies.grid.grid``.
        name: of the study; by itself the recipe and the varied fields.
        seeds: so many runs of every variant: seeds 0, 1, …
        recipe: what to begin from in the place of the recipe called ``recipe_name``.
        runs: where runs are made and looked for; the finished ones are not made again.

    ``device``, ``jobs``, ``cluster``, ``command`` and ``display`` are those of ``studies.work.make_runs``.

    Raises:
        UserError: wrong input, or no run could be made.
        Stopped: by the user; the same call goes on.
    """
    name = name or study_name(recipe_name, varied)
    is_hidden_or_ours = name.startswith(".") or name == PAGE
    if printable(name) != name or "/" in name or is_hidden_or_ours or len(name.encode()) > _LONGEST_NAME:
        raise UserError(
            f"the name of a study is that of a folder, and {name!r} cannot be one; give another --name"
        )
    if seeds < 1:
        raise UserError(f"seeds must be at least 1, found {seeds}")
    variants = grid(recipe_name, varied, seeds=range(seeds), data=data, protocols=protocols, recipe=recipe)
    planned = [each for variant in variants for each in variant.runs]
    made = make_runs(
        planned, runs, device=device, jobs=jobs, cluster=cluster, command=command, display=display
    )
    reasons = {outcome.reason for outcome in made.values()}
    if all(outcome.status == "failed" for outcome in made.values()) and len(reasons) == 1:
        raise UserError(f"no run could be made: {reasons.pop()}")
    fields = " and ".join(field for field, _ in varied)
    question = (
        f"What does it change to vary {fields} of {recipe_name}?" if fields else f"How good is {recipe_name}?"
    )
    description = Sources().open(planned[0].data).description
    table = own_table(name, question, variants, made, description, command=command)
    folder = lab / REPORT / name
    write_table(table, folder)
    draw_figures(table, runs, folder / "figures")
    write_pages(lab)
    return table


def study_name(recipe_name: str, varied: Sequence[tuple[str, Sequence[Any]]]) -> str:
    """The recipe and the varied fields: ``demo-optimizer.lr-batch_size``."""
    return "-".join([recipe_name, *(field for field, _ in varied)])
