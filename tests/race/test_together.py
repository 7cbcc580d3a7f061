"""Records of one race from several machines: what goes together, and what is refused."""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from scipy import stats

from cifarlab.errors import UserError
from cifarlab.race.header import CLOCK
from cifarlab.race.outcome import Outcome
from cifarlab.race.record import Failure, Pair, Record, read_record
from cifarlab.race.summary import summarize
from cifarlab.race.tiers import Tier
from cifarlab.race.together import count_machines, machine_text, repeated_seeds, together
from cifarlab.race.verdict import verdict

TIER = Tier("tiny", "demo", "cpu", None, peer="rival", aim=0.5)
FAST = [(100.0, 0.952, 200.0, 0.951)]
SLOW = [(330.0, 0.950, 600.0, 0.951), (300.0, 0.953, 590.0, 0.950)]


def record(machine: str, pairs: Any, first_seed: int, **header: Any) -> Record:
    """Pairs of (our seconds, our accuracy, the peer's seconds, its accuracy) on a machine."""
    described: dict[str, Any] = {
        "tier": "tiny",
        "device": "cpu",
        "hardware": {"processor": machine, "threads": 2},
        "versions": {"torch": f"that of {machine}"},
        "machine_peaks": {"bf16": 10.0},
        "commands": [{"command": "cifarlab race tiny", "runs": runs} for runs in (1, len(pairs) + 1)],
        "data": {"name": "digits", "test_images": 10_000},
        "peer": {"name": "rival", "sha256": "abc", "facts": {"changes": ["none"], "warm_up_seconds": 1.5}},
        "clock": CLOCK,
    }
    details = {"training_flops": 1e9, "precision": "bf16"}
    made = tuple(
        Pair(Outcome(ours, right, seed, details), Outcome(peers, theirs, seed, details), "ours")
        for seed, (ours, right, peers, theirs) in enumerate(pairs, first_seed)
    )
    return Record({**described, **header}, made)


def peer(**changes: Any) -> dict[str, Any]:
    return {**record("any", FAST, 0).header["peer"], **changes}


def test_ratios_and_accuracies_of_all_machines_are_compared() -> None:
    failed = replace(record("slow", SLOW, 1), failures=(Failure("ours", 9, "diverged"),))
    summary = summarize(together([record("fast", FAST, 0), failed]), TIER)
    assert summary.comparison is not None and summary.our_failures == 1
    ratios = [ours / peers for ours, _, peers, _ in FAST + SLOW]
    found = stats.ttest_1samp([math.log(ratio) for ratio in ratios], 0).confidence_interval(0.95)
    assert summary.comparison.ratio.mean == pytest.approx(stats.gmean(ratios))
    assert summary.comparison.ratio.interval == pytest.approx((math.exp(found.low), math.exp(found.high)))
    assert summary.comparison.difference.mean == pytest.approx((0.001 - 0.001 + 0.003) / 3)


def test_no_seconds_are_given_of_several_machines() -> None:
    both = [record("fast", FAST, 0), record("slow", SLOW, 1)]
    said = verdict(summarize(together(both), TIER), TIER, "rival", count_machines(both))
    assert said.startswith("tiny on 2 machines: faster, 0.519 of the time of rival")
    numbered = replace(TIER, target=0.94)
    reached = verdict(summarize(together(both), numbered), numbered, "rival", 2)
    assert reached.startswith("tiny on 2 machines: reaches 94 % of digits (lower end of the mean's interval")
    assert " in " not in reached.split(";")[0]
    one = verdict(summarize(together([both[0]]), numbered), numbered, "rival", 2)
    assert "target 94 % of digits; one run shows no spread" in one


def test_what_belongs_to_a_machine_is_not_said_of_all() -> None:
    """How often runs were added, and the share of what a machine can compute."""
    first, second = record("fast", FAST, 0), record("slow", SLOW, 1)
    assert summarize(first, TIER).times_raised == 1
    summary = summarize(together([first, second]), TIER)
    assert summary.times_raised == 0
    assert summary.rate is not None and summary.rate.peak is None


@pytest.mark.parametrize(
    ("other", "complaint"),
    [
        (record("slow", SLOW, 1, tier="large"), r'not of one race \(tier: "tiny" -> "large"\)'),
        (record("slow", SLOW, 1, peer=peer(sha256="x")), r'peer.sha256: "abc" -> "x"'),
        (record("slow", SLOW, 1, peer=peer(facts={"changes": ["one"]})), r"peer.facts.changes.0: "),
        (record("slow", SLOW, 1, clock="less" * 100), r"\(clock: other values\)"),
        (record("fast", SLOW, 0), "two records of fast, 2 threads have the seed 0 in common"),
    ],
)
def test_other_races_and_repeated_runs_are_refused(other: Record, complaint: str) -> None:
    with pytest.raises(UserError, match=complaint):
        together([record("fast", FAST, 0), other])


def test_records_of_one_machine_are_one_machine_s() -> None:
    both = [record("fast", FAST, 0), record("fast", SLOW, 1)]
    assert count_machines(both) == 1 and len(together(both).pairs) == 3
    assert count_machines([*both, record("slow", SLOW, 1)]) == 2


def test_failed_runs_count_once_too() -> None:
    alone = replace(record("fast", [], 0), failures=(Failure("ours", 3, "diverged"),))
    with pytest.raises(UserError, match="have the seed 3 in common"):
        together([alone, alone])


def test_seeds_that_ran_on_more_than_one_machine_are_told() -> None:
    first, second = record("fast", FAST, 1), record("slow", SLOW, 1)
    assert repeated_seeds([first, second]) == [1]
    assert repeated_seeds([first, record("slow", SLOW, 5)]) == []


def test_a_machine_is_called_by_its_gpu_or_its_processor() -> None:
    assert machine_text(record("EPYC", FAST, 0).header) == "EPYC, 2 threads"
    assert machine_text({"hardware": {"gpu": "H200", "processor": "EPYC", "threads": 2}}) == "H200"


@pytest.mark.parametrize("tier", ["cpu85", "cpu-full"])
def test_our_own_records_go_together(tier: str) -> None:
    """An earlier one says of the clock what today's says for a processor."""
    folder = Path(__file__).parents[2] / "records" / "race"
    records = [read_record(path / f"{tier}.json", tier) for path in (folder, folder / "xeon")]
    assert len(together(records).pairs) == sum(len(record.pairs) for record in records)
    assert count_machines(records) == 2
