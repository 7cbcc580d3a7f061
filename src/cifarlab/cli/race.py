"""``cifarlab race``: as little time as possible to an accuracy, and against a peer."""

import json
import shlex
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro
from rich.table import Table

from cifarlab.cli.parsing import parse
from cifarlab.cli.tables import print_table
from cifarlab.errors import UserError, printable

if TYPE_CHECKING:
    from cifarlab.race.opponent import Opponent
    from cifarlab.race.record import Record
    from cifarlab.race.summary import Estimate, Summary
    from cifarlab.race.tiers import Tier
    from cifarlab.recipe import Recipe


@dataclass(frozen=True)
class Options:
    """Train to an accuracy against the clock: cpu75, cpu80, cpu85, cpu-full, gpu94 or gpu96.

    Every run, or pair, goes into OUT/TIER.json as soon as it is done. A race that was stopped, or killed,
    goes on with the same command, and with a larger --runs it is prolonged.
    """

    tier: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="TIER")]
    """cpu75, cpu80 or cpu85: that many percent on a processor. cpu-full: the accuracy that airbench94_muon
    has in all its epochs, on a processor. gpu94 or gpu96: that many percent on one GPU. All but cpu75 and
    cpu80 have a peer of their own; any takes one by the path of its script."""
    runs: int = 1
    """So many runs in all, or pairs with --against; those that are there count. A pair on a processor takes
    up to an hour."""
    against: Path | None = None
    """Your copy of a peer's script, or the folder of its repository: run in turn with ours, on the same data,
    by the same clock."""
    data: str = "cifar10"
    """The data set, as for cifarlab train."""
    out: Path = Path("race")
    """The folder of the record."""
    seed_from: int = 0
    """The first seed; every run has another one."""
    precision: Literal["fp32", "bf16"] | None = None
    """In which ours computes (default: the recipe's); fp32 for a processor without bf16 arithmetic."""
    peer_epochs: float | None = None
    """Rescale the peer's schedule to so many epochs (default: the tier's)."""
    peer_precision: Literal["fp32", "bf16"] | None = None
    """In which the peer computes on a processor (default: fp32); on a GPU it does as published."""
    device: str | None = None
    """Another device of the tier's kind, as in cuda:1."""
    json: bool = False
    """Print everything as one JSON object."""
    show: bool = False
    """Run nothing, and show what is in OUT/TIER.json."""
    also: tuple[Path, ...] = ()
    """With --show: folders with the same race on other machines; what all runs say together."""


def main(arguments: list[str]) -> None:
    """Parse, race, print."""
    options = parse(Options, "race", arguments)
    from cifarlab.cli.race_together import show_together
    from cifarlab.race.conduct import race, record_path
    from cifarlab.race.summary import summarize
    from cifarlab.race.tiers import tier_named
    from cifarlab.race.verdict import peer_as_raced, verdict

    tier = tier_named(options.tier)
    path = record_path(options.out, tier)
    if options.also and not options.show:
        raise UserError("--also shows records that are there; add --show")
    if options.show:
        records = [_recorded(record_path(folder, tier), tier) for folder in (options.out, *options.also)]
        if options.also:
            show_together(records, tier, as_json=options.json)
            return
        record = records[0]
    else:
        record = race(
            tier,
            runs=options.runs,
            against=_opponent(options, tier),
            data=options.data,
            out=options.out,
            seed_from=options.seed_from,
            device=options.device,
            recipe=_recipe(options, tier),
            command=shlex.join(["cifarlab", "race", *arguments]),
            say=_say_beside if options.json else _say,
        )
    summary = summarize(record, tier)
    if options.json:
        shown = {
            "verdict": verdict(summary, tier, peer_as_raced(record.header)),
            "clock": record.header["clock"],
            "record": str(path),
        }
        print(json.dumps({**asdict(summary), **shown}, indent=2))
    else:
        _print(summary, tier, record)
        print(f"every run: {printable(path)}")


def _recorded(path: Path, tier: "Tier") -> "Record":
    """The record at ``path``, which must be there."""
    from cifarlab.race.record import read_record

    if not path.is_file():
        raise UserError(f"there is no {path}; race first, or choose another folder")
    return read_record(path, tier.name)


def _recipe(options: Options, tier: "Tier") -> "Recipe | None":
    """Ours in the precision that was asked for; None for the tier's as it is."""
    from cifarlab.optim import Muon
    from cifarlab.recipes import recipe_named

    if options.precision is None:
        return None
    recipe = recipe_named(tier.recipe).make()
    assert isinstance(recipe.optimizer, Muon)
    optimizer = replace(recipe.optimizer, precision=options.precision)
    return replace(recipe, precision=options.precision, optimizer=optimizer)


def _opponent(options: Options, tier: "Tier") -> "Opponent | None":
    from cifarlab.race.opponent import opponent_at

    if options.against is not None:
        return opponent_at(options.against, tier, options.peer_epochs, options.peer_precision)
    for flag, value in (("epochs", options.peer_epochs), ("precision", options.peer_precision)):
        if value is not None:
            raise UserError(f"--peer-{flag} is for the peer of --against")
    return None


def _say(line: str) -> None:
    print(printable(line), flush=True)


def _say_beside(line: str) -> None:
    print(printable(line), file=sys.stderr, flush=True)


def _print(summary: "Summary", tier: "Tier", record: "Record") -> None:
    """The table, the verdict, and what the clock covers."""
    from cifarlab.race.verdict import (
        clock_text,
        peer_as_raced,
        peer_name,
        raised_text,
        rate_text,
        verdict,
    )

    print_table(_table(summary, peer_name(record.header)))
    said = verdict(summary, tier, peer_as_raced(record.header))
    rates = rate_text(summary, peer_name(record.header))
    for line in (said, raised_text(summary), rates, clock_text(record.header)):
        if line is not None:
            print(printable(line))


def _table(summary: "Summary", peer_name: str) -> Table:
    """Per side: seconds and accuracy, each with its spread and interval."""
    from cifarlab.race.figures import number_text, percent_text

    table = Table("", "runs", "mean", "deviation", "95 % interval")
    for name, side in (("ours", summary.ours), (printable(peer_name), summary.peer)):
        if side is not None:
            table.add_row(f"{name}, seconds", *_cells(side.seconds, lambda value: number_text(value, 3)))
            table.add_row(f"{name}, accuracy", *_cells(side.accuracy, percent_text))
    return table


def _cells(value: "Estimate", written: Callable[[float], str]) -> list[str]:
    deviation = "–" if value.deviation is None else written(value.deviation)
    interval = "–" if value.interval is None else " to ".join(written(end) for end in value.interval)
    return [str(value.n), written(value.mean), deviation, interval]
