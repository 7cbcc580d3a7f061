"""The figures of a race, against scipy and by hand, and what is claimed of them."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy import stats

from cifarlab.race.figures import number_text, percent_text, target_text
from cifarlab.race.header import CLOCK, times_raised
from cifarlab.race.outcome import Outcome
from cifarlab.race.record import Failure, Pair, Record
from cifarlab.race.summary import summarize
from cifarlab.race.tiers import TIERS, Tier
from cifarlab.race.verdict import rate_text, verdict

TIER = Tier("tiny", "demo", "cpu", 0.94, None, "rival", None, 0.002, 0.8)
IMAGES = 10_000
OURS = [(10.0, 0.951), (11.0, 0.949), (10.5, 0.953), (10.2, 0.950)]
PEER = [(20.0, 0.9500), (21.5, 0.9505), (20.5, 0.9515), (20.1, 0.9500)]


def paired(ours: Any, peer: Any, data: str = "digits") -> Record:
    pairs = tuple(
        Pair(Outcome(mine[0], mine[1], seed), Outcome(theirs[0], theirs[1], seed), "ours")
        for seed, (mine, theirs) in enumerate(zip(ours, peer, strict=True))
    )
    header = {"peer": {"name": "rival"}, "data": {"name": data, "test_images": IMAGES}}
    return Record({**header, "official_data": data == "cifar10"}, pairs)


def alone(ours: Any, data: str = "digits", **details: Any) -> Record:
    runs = tuple(Outcome(each[0], each[1], seed, details) for seed, each in enumerate(ours))
    peaks = {"fp32": 100.0}
    described = {"name": data, "test_images": IMAGES}
    return Record({"peer": None, "data": described, "machine_peaks": peaks}, runs=runs)


def test_means_and_intervals_are_scipy_s() -> None:
    summary = summarize(paired(OURS, PEER), TIER)
    for side, values in ((summary.ours, OURS), (summary.peer, PEER)):
        assert side is not None
        for found, column in ((side.seconds, 0), (side.accuracy, 1)):
            sample = np.array(values)[:, column]
            interval = stats.ttest_1samp(sample, 0).confidence_interval(0.95)
            assert found.n == 4 and found.mean == pytest.approx(sample.mean())
            assert found.deviation == pytest.approx(sample.std(ddof=1))
            assert found.interval == pytest.approx((interval.low, interval.high))


def test_the_peer_is_compared_pair_by_pair() -> None:
    comparison = summarize(paired(OURS, PEER), TIER).comparison
    assert comparison is not None
    ours, peer = np.array(OURS), np.array(PEER)
    ratio = stats.ttest_rel(np.log(ours[:, 0]), np.log(peer[:, 0])).confidence_interval(0.95)
    assert comparison.ratio.mean == pytest.approx(stats.gmean(ours[:, 0] / peer[:, 0]))
    assert comparison.ratio.interval == pytest.approx((math.exp(ratio.low), math.exp(ratio.high)))
    difference = stats.ttest_rel(ours[:, 1], peer[:, 1]).confidence_interval(0.95)
    assert comparison.difference.interval == pytest.approx((difference.low, difference.high))
    assert difference.low == pytest.approx(-0.0019, abs=1e-4)  # between the two margins below
    assert comparison.is_faster and comparison.keeps_aim and comparison.is_as_accurate
    strict = summarize(paired(OURS, PEER), replace(TIER, margin=0.001, aim=0.5)).comparison
    assert strict is not None
    assert (strict.is_as_accurate, strict.keeps_aim, strict.is_faster) == (False, False, True)


def test_a_target_is_reached_by_the_lower_end_of_the_interval() -> None:
    below, above = [(1.0, 0.9405), (1.0, 0.9399)], [(1.0, 0.9405), (1.0, 0.9405), (1.0, 0.9404)]
    assert summarize(alone(below), TIER).reaches_target is False  # the mean is above 94 %
    assert summarize(alone(above), TIER).reaches_target is True
    assert "not shown to reach 94 % of digits: the mean does" in verdict(
        summarize(alone(below), TIER), TIER, ""
    )
    assert "reaches 94 % of digits (lower end" in verdict(summarize(alone(above), TIER), TIER, "")
    near = summarize(alone([(1.0, 0.9385), (1.0, 0.94), (1.0, 0.9408)]), TIER)
    assert (
        "not shown to reach 94 % of digits, nor to miss it: mean 93.98 % (upper end of the mean's interval "
        "94.27 %)" in verdict(near, TIER, "")
    )
    far = summarize(alone([(1, 0.93), (1, 0.9301), (1, 0.9302)]), TIER)
    assert (
        "does not reach 94 % of digits (mean 93.01 %, upper end of the mean's interval 93.03 %)"
        in verdict(far, TIER, "")
    )


def test_a_run_that_failed_forbids_the_target() -> None:
    record = replace(
        alone([(1.0, 0.95), (1.0, 0.951), (1.0, 0.95)]), failures=(Failure("ours", 7, "diverged"),)
    )
    summary = summarize(record, TIER)
    assert summary.reaches_target is False and summary.our_failures == 1
    assert "not all end well; 1 run of ours gave no result" in verdict(summary, TIER, "")
    of_peer = replace(
        alone([(1.0, 0.95), (1.0, 0.951), (1.0, 0.95)]), failures=(Failure("peer", 7, "diverged"),)
    )
    assert summarize(of_peer, TIER).reaches_target is True


def test_one_run_claims_nothing() -> None:
    summary = summarize(paired(OURS[:1], PEER[:1]), TIER)
    assert summary.ours is not None and summary.comparison is not None
    assert summary.ours.seconds.interval is None and summary.ours.seconds.deviation is None
    assert summary.comparison.ratio.mean == pytest.approx(0.5) and summary.comparison.ratio.interval is None
    comparison = summary.comparison
    assert summary.reaches_target is comparison.is_faster is comparison.is_as_accurate is None
    line = verdict(summary, TIER, "rival")
    assert (
        "tiny: one run: accuracy 95.10 %, target 94 % of digits, in 10.00 s; one run shows no spread, so"
        in line
    )
    assert line.endswith("one pair shows no spread, so nothing is claimed")


def test_a_target_of_other_files_is_the_peer_s_mean() -> None:
    gpu = TIERS["gpu94"]
    official, photographs = paired(OURS, PEER, "cifar10"), paired(OURS, PEER, "photographs")
    assert summarize(official, gpu).target == 0.94
    assert summarize(official, gpu).reaches_target is True
    on_photographs = summarize(photographs, gpu)
    assert (
        on_photographs.target == pytest.approx(0.9505) and on_photographs.target_origin == "the peer's mean"
    )
    assert on_photographs.reaches_target is False  # −0.19 points may be missing, and 0.1 are allowed
    assert summarize(photographs, replace(gpu, margin=0.002)).reaches_target is True
    without = summarize(alone(OURS, "photographs"), gpu)
    assert without.target is None and without.reaches_target is None
    assert "give --against" in verdict(without, gpu, "")
    named_alike = replace(official, header={**official.header, "official_data": False})
    assert summarize(named_alike, gpu).target_origin == "the peer's mean"
    full = TIERS["cpu-full"]
    assert summarize(official, full).target_origin == "the peer's mean"


@pytest.mark.parametrize(
    ("ours", "words"),
    [
        ([(30.0, 0.90), (31.0, 0.901), (30.5, 0.90)], ["slower, 1.4", "less accurate (\N{MINUS SIGN}5.0"]),
        (
            [(10.0, 0.99), (30.0, 0.991), (20.5, 0.99)],
            ["no faster as far as 3 pairs show", "; more accurate (+3.9"],
        ),
        (
            [(15.0, 0.9501), (17.5, 0.9504), (15.5, 0.9515)],
            ["faster, 0.7", "which is not shown to keep the aim of 0.8"],
        ),
        (
            [(10.0, 0.93), (10.5, 0.97), (10.2, 0.951)],
            ["faster, 0.49", "not shown to be as accurate to within 0.2 points"],
        ),
        (
            [(19.0, 0.9501), (20.3, 0.9504), (19.5, 0.9515)],
            ["which misses the aim of 0.8", "as accurate to within 0.2 points (+0.00 points, 95 % interval"],
        ),
    ],
)
def test_the_verdict_says_what_the_pairs_show(ours: Any, words: list[str]) -> None:
    line = verdict(summarize(paired(ours, PEER[:3]), TIER), TIER, "rival")
    for each in words:
        assert each in line
    assert line.isprintable()


def test_nothing_has_been_run() -> None:
    summary = summarize(replace(alone([]), failures=(Failure("ours", 0, "diverged"),)), TIER)
    assert summary.ours is None and summary.reaches_target is None
    assert verdict(summary, TIER, "") == "tiny: no run is done yet; 1 run of ours gave no result"


def test_the_rate_is_operations_over_the_race_s_seconds() -> None:
    record = alone([(10.0, 0.9), (30.0, 0.9)], training_flops=8e11, precision="fp32")
    summary = summarize(record, TIER)
    assert summary.rate is not None
    assert summary.rate.gigaflops == pytest.approx(40) and summary.rate.share == pytest.approx(0.4)
    assert str(rate_text(summary, "")).endswith(
        "ours at 40.0 GFLOP/s in fp32, 40 % of this machine's 100 in fp32 matrix products"
    )
    assert summarize(alone(OURS), TIER).rate is None


def test_runs_that_are_all_alike_claim_nothing() -> None:
    """Two equal counts are no proof that a third would be equal: the interval is no point."""
    alike = summarize(alone([(1.0, 0.95), (1.1, 0.95)]), TIER)
    assert alike.ours is not None and alike.reaches_target is None
    deviation = 1 / (math.sqrt(12) * IMAGES)
    assert alike.ours.accuracy.deviation == pytest.approx(deviation)
    half = 12.706 * deviation / math.sqrt(2)
    assert alike.ours.accuracy.interval == pytest.approx((0.95 - half, 0.95 + half))
    line = verdict(alike, TIER, "")
    assert "2 runs, all of accuracy 95.00 %, target 94 % of digits" in line and "nothing is claimed" in line
    assert "reaches" not in line

    pairs = paired([(10.0, 0.95), (20.0, 0.96)], [(20.0, 0.9), (40.0, 0.91)])
    comparison = summarize(pairs, TIER).comparison
    assert comparison is not None
    assert comparison.is_as_accurate is comparison.is_faster is comparison.keeps_aim is None
    line = verdict(summarize(pairs, TIER), TIER, "rival")
    assert "accuracy +5.00 points in every pair; that shows no spread, so nothing is claimed" in line
    assert "2 pairs, all of 0.500 of the time of rival; that shows no spread, so nothing is claimed" in line


def test_no_interval_reaches_below_no_time_at_all() -> None:
    ours = summarize(alone([(1.0, 0.9), (40.0, 0.91)]), TIER).ours
    assert ours is not None and ours.seconds.interval is not None
    assert ours.seconds.interval[0] == 0


def test_no_interval_leaves_what_an_accuracy_can_be() -> None:
    for values in ([(1.0, 0.999), (1.0, 0.99)], [(1.0, 0.001), (1.0, 0.01)]):
        ours = summarize(alone(values), TIER).ours
        assert ours is not None and ours.accuracy.interval is not None
        assert 0 <= ours.accuracy.interval[0] < ours.accuracy.interval[1] <= 1


def test_both_precisions_are_named() -> None:
    record = paired(OURS, PEER)
    told = replace(
        record,
        pairs=tuple(
            replace(
                pair,
                ours=replace(pair.ours, details={"precision": "bf16", "training_flops": 1e11}),
                peer=replace(pair.peer, details={"precision": "fp32", "training_flops": 2e11}),
            )
            for pair in record.pairs
        ),
    )
    summary = summarize(told, TIER)
    assert verdict(summary, TIER, "rival").endswith("; ours in bf16, rival in fp32")
    assert summary.peer_rate is not None
    rival = len(told.pairs) * 200 / sum(pair.peer.seconds for pair in told.pairs)
    assert summary.peer_rate.gigaflops == pytest.approx(rival)
    rates = str(rate_text(summary, "rival"))
    assert "ours at 9.6 GFLOP/s in bf16" in rates and f"; rival at {rival:.1f} GFLOP/s in fp32" in rates


def test_what_the_clock_leaves_out_is_printed_beside_the_time() -> None:
    prepared = summarize(alone(OURS, preparation_seconds=12.5), replace(TIER, target=0.9))
    assert "in 10.43 s (and 12.50 s of compiling and recording)" in verdict(prepared, TIER, "")
    nothing = summarize(alone(OURS, preparation_seconds=0.0), replace(TIER, target=0.9))
    assert "compiling" not in verdict(nothing, TIER, "")
    assert "the recording of steps (CUDA graphs): in every run of ours, in the warm-up of a peer" in CLOCK


def test_the_same_minus_sign_stands_in_the_table() -> None:
    assert number_text(-1234.5, 1) == "\N{MINUS SIGN}1,234.5"
    assert percent_text(0.09) == "9.00 %" and target_text(0.85) == "85 %" and target_text(0.9505) == "95.05 %"


def test_raising_the_number_of_runs_is_counted() -> None:
    def raised(*asked: int) -> int:
        return times_raised({"commands": [{"runs": runs} for runs in asked]})

    assert [raised(), raised(3), raised(3, 3), raised(3, 5, 4, 5), raised(1, 2, 3)] == [0, 0, 0, 1, 2]
