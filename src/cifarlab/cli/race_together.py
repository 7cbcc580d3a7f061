"""``cifarlab race TIER --show --also …``: the records of one race on several machines."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from rich.table import Table

from cifarlab.cli.tables import print_table
from cifarlab.errors import printable
from cifarlab.race.figures import number_text, percent_text, ratio_text
from cifarlab.race.record import Record
from cifarlab.race.summary import Summary, summarize
from cifarlab.race.tiers import Tier
from cifarlab.race.together import count_machines, machine_text, repeated_seeds, together
from cifarlab.race.verdict import clock_text, peer_as_raced, raised_text, verdict


def show_together(records: Sequence[Record], tier: Tier, *, as_json: bool) -> None:
    """Print what each machine has measured, and what all runs say together.

    Raises:
        UserError: the records are not of one race.
    """
    every = together(records)
    summary = summarize(every, tier)
    each = [(machine_text(record.header), summarize(record, tier)) for record in records]
    said = verdict(summary, tier, peer_as_raced(every.header), count_machines(records))
    seeds = repeated_seeds(records)
    if as_json:
        value = {
            "tier": tier.name,
            "verdict": said,
            "clock": every.header["clock"],
            "accuracy": _accuracies(summary),
            "comparison": None if summary.comparison is None else asdict(summary.comparison),
            "repeated_seeds": seeds,
            "machines": [{"machine": machine, **asdict(one)} for machine, one in each],
        }
        print(json.dumps(value, indent=2))
        return
    print_table(_table(each, summary, paired=every.is_paired))
    raised = [f"{machine}: {text}" for machine, one in each if (text := raised_text(one)) is not None]
    for line in (said, *raised, _seeds_text(seeds), clock_text(every.header)):
        if line is not None:
            print(printable(line))


def _accuracies(summary: Summary) -> dict[str, Any]:
    sides = {"ours": summary.ours, "peer": summary.peer}
    return {name: asdict(side.accuracy) for name, side in sides.items() if side is not None}


def _table(each: Sequence[tuple[str, Summary]], every: Summary, *, paired: bool) -> Table:
    """A row per machine and one of all; the latter without seconds, which are not of one kind."""
    if paired:
        table = Table("", "pairs", "seconds", "peer's", "ratio", "accuracy", "peer's")
    else:
        table = Table("", "runs", "seconds", "accuracy")
    for name, summary, is_all in [*((name, one, False) for name, one in each), ("all", every, True)]:
        sides = (summary.ours, summary.peer) if paired else (summary.ours,)
        seconds = ["–" if side is None or is_all else number_text(side.seconds.mean, 1) for side in sides]
        compared = summary.comparison
        ratio = ["–" if compared is None else ratio_text(compared.ratio.mean)] if paired else []
        accuracies = ["–" if side is None else percent_text(side.accuracy.mean) for side in sides]
        runs = 0 if summary.ours is None else summary.ours.accuracy.n
        table.add_row(printable(name), str(runs), *seconds, *ratio, *accuracies)
    return table


def _seeds_text(seeds: Sequence[int]) -> str | None:
    if not seeds:
        return None
    which = ", ".join(map(str, seeds[:5])) + (", …" if len(seeds) > 5 else "")
    return f"run on more than one machine with the same draws: seed{'s' if len(seeds) > 1 else ''} {which}"
