"""Do the intervals, verdicts and tests err as rarely as they say? Simulated, with a fixed seed."""

import numpy as np
import pytest

from cifarlab.statistics import holm, mcnemar, mean_interval, paired_t, prediction_interval
from cifarlab.studies.estimates import estimate
from cifarlab.studies.table import Published
from cifarlab.studies.verdicts import judge_number

TRIALS = 2000
# Three standard errors of a share of 5 % over 2,000 trials: a right method fails in one of 300 fixed seeds.
SLACK = 3 * (0.05 * 0.95 / TRIALS) ** 0.5


def samples(seed: int, *shape: int) -> np.ndarray:
    """Accuracies around 93 % with a spread of 0.2 points."""
    return 0.93 + 0.002 * np.random.default_rng(seed).standard_normal(shape)


@pytest.mark.parametrize("seeds", [3, 5])
def test_the_prediction_interval_holds_one_more_run(seeds: int) -> None:
    runs = samples(1, TRIALS, seeds + 1)
    inside = sum(low <= run[-1] <= high for run in runs for low, high in [prediction_interval(run[:-1])])
    assert inside / TRIALS == pytest.approx(0.95, abs=SLACK)


def test_the_t_interval_holds_the_true_mean() -> None:
    inside = sum(low <= 0.93 <= high for run in samples(2, TRIALS, 4) for low, high in [mean_interval(run)])
    assert inside / TRIALS == pytest.approx(0.95, abs=SLACK)


def test_the_t_interval_of_the_mean_is_no_prediction() -> None:
    """Holding one published run against the interval of a mean would reject most true replications."""
    runs = samples(3, TRIALS, 6)
    inside = sum(low <= run[-1] <= high for run in runs for low, high in [mean_interval(run[:-1])])
    assert inside / TRIALS < 0.75


def test_a_true_replication_is_called_different_in_five_of_a_hundred() -> None:
    wrong = {"higher": 0, "lower": 0}
    for run in samples(4, TRIALS, 4):
        published = Published("test_accuracy", float(run[-1]), "93 %", "")
        verdict, _ = judge_number(published, estimate(run[:-1].tolist()))
        if verdict in wrong:
            wrong[verdict] += 1
    assert sum(wrong.values()) / TRIALS == pytest.approx(0.05, abs=SLACK)
    assert abs(wrong["higher"] - wrong["lower"]) < 4 * sum(wrong.values()) ** 0.5  # either side alike


def test_an_exaggerated_number_is_found() -> None:
    """A published number 5 points above ours, where runs spread by 0.2 points."""
    verdicts = []
    for run in samples(5, 300, 5):
        published = Published("test_accuracy", 0.98, "98 %", "", tolerance=0.005)
        verdicts.append(judge_number(published, estimate(run.tolist()))[0])
    assert verdicts.count("lower") / 300 > 0.99


def test_mcnemar_errs_in_at_most_five_of_a_hundred() -> None:
    random = np.random.default_rng(6)
    discordant = random.integers(1, 200, TRIALS)
    only_first = random.binomial(discordant, 0.5)
    pairs = zip(only_first, discordant, strict=True)
    rejected = sum(mcnemar(int(first), int(both - first)) < 0.05 for first, both in pairs)
    assert 0.01 < rejected / TRIALS <= 0.05


def test_paired_t_errs_in_five_of_a_hundred_though_seeds_share_their_luck() -> None:
    luck, first, second = samples(7, TRIALS, 5), samples(8, TRIALS, 5), samples(9, TRIALS, 5)
    found = [paired_t(a, b) for a, b in zip(luck + first, luck + second, strict=True)]
    rejected = sum(each is not None and each[1] < 0.05 for each in found)
    assert rejected / TRIALS == pytest.approx(0.05, abs=SLACK)


def test_holm_errs_in_at_most_five_of_a_hundred_families() -> None:
    families = np.random.default_rng(10).uniform(size=(TRIALS, 10))
    with_holm = sum(min(holm(family.tolist())) < 0.05 for family in families) / TRIALS
    without = float((families.min(axis=1) < 0.05).mean())
    assert with_holm <= 0.05 + SLACK
    assert without > 0.35
