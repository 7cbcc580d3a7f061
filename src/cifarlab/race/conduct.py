"""A race from its beginning to its end: run after run, ours and the peer's in turn, each kept at once."""

import contextlib
import json
import statistics
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from cifarlab.config import differences, to_json
from cifarlab.data.sources import lasting_name, open_source
from cifarlab.errors import Diverged, Stopped, Unavailable, UserError, printable
from cifarlab.interrupts import Interrupts
from cifarlab.preconditions import check_size
from cifarlab.race.figures import percent_text
from cifarlab.race.header import header_of, in_one_line, lasting_facts, with_command
from cifarlab.race.official import is_official_cifar10
from cifarlab.race.opponent import Opponent
from cifarlab.race.outcome import Outcome
from cifarlab.race.peer_data import check_for_peers, peer_files, remove_peer_files
from cifarlab.race.peers.worker import PeerOrder
from cifarlab.race.power import machine_peaks
from cifarlab.race.racer import Limits, Racer, RunDied, RunFailed
from cifarlab.race.record import (
    Failure,
    Half,
    Pair,
    Record,
    Side,
    begin_or_continue,
    claimed,
    read_half,
    remove_half,
    write_half,
    write_record,
)
from cifarlab.race.tiers import Tier
from cifarlab.race.worker import Order
from cifarlab.recipe import Recipe
from cifarlab.recipes import recipe_named
from cifarlab.runtime import device_named

Say = Callable[[str], None]
LIMITS = {"cpu": Limits(start=1800, run=6 * 3600), "cuda": Limits(start=1800, run=3600)}
"""Seconds; compiling and a warm-up on a slow GPU take minutes, a peer's run on a slow CPU hours."""
PYTHON = (sys.executable, "-P", "-m")
"""-P: nothing is imported from the current folder."""
OUR_WORKER, PEER_WORKER = (*PYTHON, "cifarlab.race.worker"), (*PYTHON, "cifarlab.race.peers.worker")


def silence(line: str) -> None:
    """Say nothing of how the race goes."""


def record_path(out: Path, tier: Tier) -> Path:
    """Where the record of a tier lies in the folder ``out``."""
    return out / f"{tier.name}.json"


def race(
    tier: Tier,
    *,
    runs: int = 1,
    against: Opponent | None = None,
    data: str = "cifar10",
    out: Path = Path("race"),
    seed_from: int = 0,
    device: str | None = None,
    recipe: Recipe | None = None,
    command: str = "",
    say: Say = silence,
    our_worker: Sequence[str] = OUR_WORKER,
    peer_worker: Sequence[str] = PEER_WORKER,
) -> Record:
    """Race until the record of ``tier`` in ``out`` holds ``runs`` runs, or pairs, in all; return it.

    Killed at any time and called again, it goes on; every run that was finished counts, and counts once.

    Args:
        against: the peer; None to run ours alone.
        data: what ``open_source`` opens.
        seed_from: the first seed. Seeds ascend from there and none is used twice.
        device: another one of the tier's kind, as in ``cuda:1``; None for the tier's.
        recipe: instead of the tier's.
        command: how the race was started, for the record.
        say: told in one line when a run begins and when it ends.
        our_worker: starts the process that makes our runs.
        peer_worker: starts the process that makes the peer's.

    Raises:
        UserError: wrong input, or the record there is of another race.
        Diverged: a run did, which is recorded; the next call goes on with the next seed.
        Unavailable: a process of the race died; where a run was its death, that is recorded too.
        Stopped: SIGINT or SIGTERM.
    """
    if runs < 1:
        raise UserError(f"--runs must be at least 1, found {runs}")
    if seed_from < 0:
        raise UserError(f"--seed-from must be at least 0, found {seed_from}")
    place = _device_of(tier, device)
    recipe = recipe or recipe_named(tier.recipe).make()
    source = open_source(data)
    check_size(recipe, source.description.image_size)
    if against is not None:
        check_for_peers(source.description)
    is_official = is_official_cifar10(data, source.description)
    header = header_of(tier, recipe, source.description, against, place, is_official=is_official)
    path = record_path(out, tier)
    with contextlib.ExitStack() as held:
        held.enter_context(claimed(path))
        remove_peer_files(_peer_folder(path))  # those of a race that was killed
        record = begin_or_continue(path, header)
        if read_half(path, record) is None:
            remove_half(path)  # one that was made whole just before a kill
        if len(record.ours) >= runs:
            say(f"{printable(path)} holds {len(record.ours)} runs already")
            return record
        record = replace(record, header=with_command(record.header, command, runs))
        if "machine_peaks" not in record.header:
            record = replace(record, header={**record.header, "machine_peaks": machine_peaks(place)})
        interrupts = held.enter_context(Interrupts())
        order = Order(tier.recipe, recipe, lasting_name(data), str(place), place.type == "cuda")
        orders: dict[Side, tuple[Sequence[str], Order | PeerOrder]] = {"ours": (our_worker, order)}
        if against is not None:
            folder = held.enter_context(peer_files(source, _peer_folder(path)))
            orders["peer"] = (peer_worker, _peer_order(against, folder, place))
        racers = {
            side: held.enter_context(
                Racer(
                    _name(side, tier, against),
                    [*worker, json.dumps(to_json(value))],
                    stays=place.type == "cuda",
                    limits=LIMITS[place.type],
                    check_stop=interrupts.check,
                )
            )
            for side, (worker, value) in orders.items()
        }
        try:
            return _Race(path, record, racers, runs, seed_from, say).until_done()
        except Stopped as stop:
            raise Stopped(f"{stop}; every finished run is kept, the same command goes on") from stop


class _Race:
    """The runs that are still to be made, one after the other."""

    def __init__(
        self,
        path: Path,
        record: Record,
        racers: dict[Side, Racer],
        runs: int,
        seed_from: int,
        say: Say,
    ) -> None:
        self._path = path
        self._record = record
        self._racers = racers
        self._runs = runs
        self._seed_from = seed_from
        self._say = say

    def until_done(self) -> Record:
        """Make them."""
        if "peer" in self._racers:
            self._meet_the_peer()
        write_record(self._path, self._record)
        while len(self._record.ours) < self._runs:
            if "peer" in self._racers:
                self._make_pair()
            else:
                outcome = self._make("ours", self._next_seed(), None)
                self._keep(replace(self._record, runs=(*self._record.runs, outcome)))
        return self._record

    def _make_pair(self) -> None:
        """One pair, or the second half of one. Who is first alternates."""
        half = read_half(self._path, self._record)
        if half is None:
            side: Side = "peer" if len(self._record.pairs) % 2 else "ours"
            half = Half(side, self._make(side, self._next_seed(), None))
            write_half(self._path, self._record, half)
        other: Side = "ours" if half.side == "peer" else "peer"
        outcome = self._make(other, half.outcome.seed, half)
        ours, peers = (half.outcome, outcome) if half.side == "ours" else (outcome, half.outcome)
        self._keep(replace(self._record, pairs=(*self._record.pairs, Pair(ours, peers, half.side))))

    def _make(self, side: Side, seed: int, half: Half | None) -> Outcome:
        """One run, with a line before and after; a failed one is recorded."""
        racer, kind = self._racers[side], "pair" if self._record.is_paired else "run"
        which = f"{kind} {len(self._record.ours) + 1} of {self._runs}, {racer.name}, seed {seed}"
        self._say(f"{which}: starts{_expected(self._record, side)}")
        try:
            outcome = racer.run(seed)
        except RunFailed as error:
            other = None if half is None else half.outcome
            failure = Failure(side, seed, str(error), other)
            self._keep(replace(self._record, failures=(*self._record.failures, failure)))
            message = (
                f"{which} gave no result: {error}; it is recorded, and the same command goes on with the "
                "next seed"
            )
            raise (Unavailable if isinstance(error, RunDied) else Diverged)(message) from error
        if side == "peer":
            self._check_facts(self._record.header["peer"]["facts"])
        self._say(f"{which}: {outcome.seconds:,.1f} s, accuracy {percent_text(outcome.accuracy)}")
        return outcome

    def _meet_the_peer(self) -> None:
        """Start the peer's process, so that a wrong script shows before ours has run, perhaps for an hour.

        What its adapter says of itself is recorded, and must stay the same for all runs.

        Raises:
            UserError: it has changed, or the script is not one that can be run.
        """
        racer, header = self._racers["peer"], self._record.header
        racer.start()
        self._check_facts(header["peer"].get("facts", racer.facts))
        header = {**header, "peer": {**header["peer"], "facts": racer.facts}}
        self._record = replace(self._record, header=header)
        racer.rest()

    def _check_facts(self, known: dict[str, Any]) -> None:
        """Refuse to go on where the peer's process, which may be a new one, says other than what is known."""
        changes = differences(lasting_facts(known), lasting_facts(self._racers["peer"].facts))
        if changes:
            raise UserError(
                f"the adapter runs the peer otherwise than in {self._path} ({in_one_line(changes)}); "
                "choose another --out"
            )

    def _keep(self, record: Record) -> None:
        write_record(self._path, record)
        remove_half(self._path)
        self._record = record

    def _next_seed(self) -> int:
        return max(self._seed_from, max(self._record.seeds, default=-1) + 1)


def _device_of(tier: Tier, device: str | None) -> torch.device:
    """The device of a race.

    Raises:
        UserError: it is not there, or of another kind than the tier's.
    """
    if tier.device == "cuda" and device is None and not torch.cuda.is_available():
        raise UserError(f"{tier.name} is raced on a GPU with CUDA, and there is none here")
    kind = (device or tier.device).partition(":")[0]
    if kind != tier.device:
        raise UserError(f"{tier.name} is raced on {tier.device}, not on {kind}; leave out --device")
    return device_named(device or tier.device)


def _peer_folder(path: Path) -> Path:
    """Where the peer of the record at ``path`` finds its files."""
    return path.with_name(f".{path.stem}-peer-data")


def _peer_order(against: Opponent, data: Path, place: torch.device) -> PeerOrder:
    """What the peer's worker is told."""
    return PeerOrder(
        script=str(against.script.resolve()),
        data=str(data.resolve()),
        device=str(place),
        warm_up=place.type == "cuda",
        epochs=None if against.epochs is None else float(against.epochs),
        precision=against.precision or "fp32",
    )


def _name(side: Side, tier: Tier, against: Opponent | None) -> str:
    return tier.recipe if side == "ours" or against is None else against.script.stem


def _expected(record: Record, side: Side) -> str:
    """How long a run will take, by those before."""
    outcomes = record.ours if side == "ours" else record.peers
    if not outcomes:
        return ""
    return f", about {statistics.fmean(each.seconds for each in outcomes):,.1f} s by those before"
