"""``cifarlab compare``: runs beside one another, with paired tests and costs."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tyro
from rich.table import Table

from cifarlab.cli.parsing import parse
from cifarlab.cli.tables import print_table
from cifarlab.errors import printable

if TYPE_CHECKING:
    from cifarlab.studies.side_by_side import RunSummary, SideBySide
    from cifarlab.studies.table import Comparison


@dataclass(frozen=True)
class Options:
    """Accuracies, costs and paired tests of finished runs, and in what they differ."""

    runs: tyro.conf.Positional[tuple[Path, ...]]
    """Run folders, two or more. Those that differ only in their seeds are tested together."""
    json: bool = False
    """Print everything as one JSON object."""


def main(arguments: list[str]) -> None:
    """Parse, compare, print."""
    options = parse(Options, "compare", arguments)
    from cifarlab.studies.side_by_side import side_by_side

    found = side_by_side(options.runs)
    if options.json:
        print(json.dumps(_as_json(found), indent=2))
        return
    print_table(_accuracy_table(found))
    print("* on the Pareto front: none is better for at most the same training FLOPs\n")
    print_table(_cost_table(found))
    print("\n".join(_machine_lines(found)))
    if found.comparisons:
        print()
        print_table(_test_table(found.comparisons))
    for first, second, difference in found.untested:
        print(
            f"warning: {printable(first)} and {printable(second)} were judged on different test images; there"
            f" is no paired test, only the difference: {100 * difference:+.2f} points"
        )
    for first, second, lines in found.recipe_differences:
        print(f"\n{printable(first)} -> {printable(second)}")
        print("\n".join(f"  {printable(line)}" for line in lines) or "  the same recipe and data")


def _as_json(found: "SideBySide") -> dict[str, Any]:
    return {
        "runs": [_run(each) | {"on_pareto_front": each.label in found.front} for each in found.runs],
        "groups": [
            {"label": label, "runs": [each.label for each in members]} for label, members in found.groups
        ],
        "comparisons": [asdict(each) for each in found.comparisons],
        "untested": [
            {"first": first, "second": second, "difference": difference}
            for first, second, difference in found.untested
        ],
        "differences": [
            {"first": first, "second": second, "lines": list(lines)}
            for first, second, lines in found.recipe_differences
        ],
    }


def _run(summary: "RunSummary") -> dict[str, Any]:
    made = summary.description
    return {
        "run": summary.label,
        "folder": str(summary.folder),
        "recipe": made.recipe_name,
        "data": made.data.name,
        "protocols": made.protocols,
        "seed": made.seed,
        "test_images": len(summary.answers.right),
        "test_accuracy": summary.answers.accuracy,
        "interval": list(summary.interval),
        "parameters": summary.number("parameters", "total"),
        "training_flops": summary.number("training_flops"),
        "seconds": summary.number("seconds"),
        "hardware": summary.result.get("hardware"),
    }


def _accuracy_table(found: "SideBySide") -> Table:
    table = Table("run", "recipe", "data", "seed", "n", "accuracy", "95 % interval")
    for summary in found.runs:
        low, high = summary.interval
        table.add_row(
            printable(summary.label),
            printable(summary.description.recipe_name),
            printable(summary.description.data.name),
            f"{summary.description.seed}",
            f"{len(summary.answers.right):,}",
            f"{summary.answers.accuracy:.2%}{' *' if summary.label in found.front else ''}",
            f"{low:.2%} to {high:.2%}",
        )
    return table


def _cost_table(found: "SideBySide") -> Table:
    table = Table("run", "parameters", "training FLOPs", "seconds")
    for summary in found.runs:
        table.add_row(
            printable(summary.label),
            _number(summary.number("parameters", "total"), ",.0f"),
            _number(summary.number("training_flops"), ".3g"),
            _number(summary.number("seconds"), ",.1f"),
        )
    return table


def _machine_lines(found: "SideBySide") -> list[str]:
    """Which runs were made where; seconds compare on one machine alone."""
    from cifarlab.studies.quantities import machine_of

    runs: dict[str, list[str]] = {}
    for summary in found.runs:
        runs.setdefault(machine_of(summary.folder)[0], []).append(summary.label)
    if len(runs) == 1:
        return [printable(f"all on one machine: {next(iter(runs))}")]
    lines = [printable(f"{', '.join(labels)} on {machine}") for machine, labels in runs.items()]
    return [*lines, "seconds of different machines do not compare"]


def _test_table(comparisons: "tuple[Comparison, ...]") -> Table:
    """Differences in points; each p, and behind it the one that Holm corrected for their number."""
    table = Table("comparison", "points", "95 % over seeds", "p seeds (Holm)", "p images (Holm)")
    for each in comparisons:
        interval = (
            "" if each.interval is None else "{:+.2f} to {:+.2f}".format(*(100 * x for x in each.interval))
        )
        table.add_row(
            f"{printable(each.first)} − {printable(each.second)}",
            f"{100 * each.difference:+.2f}",
            interval,
            _p(each.p_seeds, each.p_seeds_holm),
            _p(each.p_images, each.p_images_holm),
        )
    return table


def _p(raw: float | None, holm: float | None) -> str:
    return "" if raw is None or holm is None else f"{_probability(raw)} ({_probability(holm)})"


def _probability(p: float) -> str:
    return "< 0.0001" if p < 0.0001 else f"{p:.4f}"


def _number(value: float | None, form: str) -> str:
    return "" if value is None else format(value, form)
