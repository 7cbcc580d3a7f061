"""Paired tests between finished runs."""

from pathlib import Path

import pytest
from scipy import stats

from cifarlab import run
from cifarlab.checkpoint import encode
from cifarlab.errors import UserError
from cifarlab.studies.comparisons import compare
from cifarlab.studies.side_by_side import side_by_side
from studies.finished_runs import answers, copied, trained

N = 30


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trained(tmp_path_factory.mktemp("runs") / "original")


def seeds(original: Path, folder: Path, wrong: list[tuple[int, ...]], **changes: object) -> list[Path]:
    """A run per seed, wrong at the images given."""
    return [
        copied(original, folder.with_name(f"{folder.name}-{seed}"), answers(N, *places), seed=seed, **changes)
        for seed, places in enumerate(wrong)
    ]


def test_two_rows_over_three_seeds(original: Path, tmp_path: Path) -> None:
    good = seeds(original, tmp_path / "good", [(0,), (0, 1), ()])
    bad = seeds(original, tmp_path / "bad", [(1, 2, 3, 4, 5, 6, 7, 8), (1, 2, 3), (4, 5, 6, 7)])
    (found,) = compare([("good", good), ("bad", bad[::-1])])  # whatever order: pairs have the same seed
    expected = stats.ttest_rel([29 / N, 28 / N, 30 / N], [22 / N, 27 / N, 26 / N])
    bounds = expected.confidence_interval(0.95)
    assert (found.first, found.second) == ("good", "bad")
    assert found.difference == pytest.approx((87 - 75) / 3 / N)
    assert found.p_seeds == found.p_seeds_holm == pytest.approx(expected.pvalue)
    assert found.interval == pytest.approx((bounds.low, bounds.high))
    # Seed 0: image 0 is right in "bad" alone, eight others in "good" alone.
    assert found.p_images == found.p_images_holm == pytest.approx(stats.binomtest(8, 9).pvalue)


def test_all_pairs_or_those_with_the_first_and_holm_over_them(original: Path, tmp_path: Path) -> None:
    wrong: dict[str, list[tuple[int, ...]]] = {
        "a": [(), ()],
        "b": [tuple(range(8)), (1, 2, 3)],
        "c": [tuple(range(7)), (1, 5)],
    }
    rows = [(name, seeds(original, tmp_path / name, places)) for name, places in wrong.items()]
    everything, with_first = compare(rows), compare(rows, pairs="first")
    assert [(each.first, each.second) for each in everything] == [("a", "b"), ("a", "c"), ("b", "c")]
    assert [(each.first, each.second) for each in with_first] == [("a", "b"), ("a", "c")]
    raw = [2 / 2**8, 2 / 2**7, 1.0]
    assert [each.p_images for each in everything] == pytest.approx(raw)
    assert [each.p_images_holm for each in everything] == pytest.approx([3 * raw[0], 2 * raw[1], 1.0])
    assert [each.p_images_holm for each in with_first] == pytest.approx([2 * raw[0], raw[1]])


def test_one_seed_has_no_test_over_seeds(original: Path, tmp_path: Path) -> None:
    one = seeds(original, tmp_path / "one", [(0,)])
    two = seeds(original, tmp_path / "two", [(0, 1), (2,)])
    (found,) = compare([("one", one), ("two", two)])
    assert (found.interval, found.p_seeds, found.p_seeds_holm) == (None, None, None)
    assert found.difference == pytest.approx(1 / N)  # of the common seed alone


def test_without_a_common_seed_the_images_are_still_paired(original: Path, tmp_path: Path) -> None:
    one = copied(original, tmp_path / "one", answers(N), seed=1)
    two = copied(original, tmp_path / "two", answers(N, *range(6)), seed=2)
    (found,) = compare([("one", [one]), ("two", [two])])
    assert found.p_seeds is None
    assert found.p_images == pytest.approx(2 / 2**6)


def test_equal_differences_are_no_proof_of_another_one(original: Path, tmp_path: Path) -> None:
    rows = [(name, seeds(original, tmp_path / name, [(0,), (1,), (2,)])) for name in ("a", "b")]
    (same,) = compare(rows)
    assert (same.difference, same.interval, same.p_seeds, same.p_images) == (0, None, None, 1)
    worse = seeds(original, tmp_path / "c", [(0, 1), (1, 2), (2, 3)])
    (found,) = compare([rows[0], ("c", worse)])
    assert found.difference == pytest.approx(1 / N) and found.interval is None
    assert (found.p_seeds, found.p_seeds_holm) == (None, None)


def test_other_test_images_are_refused(original: Path, tmp_path: Path) -> None:
    one = copied(original, tmp_path / "one", answers(N))
    fewer = copied(original, tmp_path / "fewer", answers(N - 3))
    other = copied(original, tmp_path / "other", answers(N), data__test_sha256="0" * 64)
    for second in (fewer, other):
        with pytest.raises(UserError, match="different test images") as raised:
            compare([("a", [one]), ("b", [second])])
        assert str(one) in str(raised.value)
        assert str(second) in str(raised.value)


def test_runs_that_cannot_be_compared_say_why(original: Path, tmp_path: Path) -> None:
    good = copied(original, tmp_path / "good", answers(N))
    diverged = copied(original, tmp_path / "diverged", answers(N))
    run.mark_diverged(diverged, "the loss was not finite")
    unfinished = copied(original, tmp_path / "unfinished", answers(N))
    (unfinished / run.RESULT).unlink()
    damaged = copied(original, tmp_path / "damaged", answers(N))
    (damaged / run.TEST_LOGITS).write_bytes(encode({}, {}))
    missing = copied(original, tmp_path / "missing", answers(N))
    (missing / run.TEST_LOGITS).unlink()
    for folder, words in (
        (diverged, "diverged"),
        (unfinished, "has not finished"),
        (damaged, "damaged"),
        (missing, "no such file"),
        (tmp_path / "god", "did you mean good"),
    ):
        with pytest.raises(UserError, match=words):
            compare([("good", [good]), ("other", [folder])])
    with pytest.raises(UserError, match="two runs with seed 0"):
        compare([("good", [good]), ("other", [good, good])])
    with pytest.raises(UserError, match="no finished run"):
        compare([("good", [good]), ("other", [])])


def test_runs_that_differ_in_their_seeds_stand_together(original: Path, tmp_path: Path) -> None:
    small = seeds(original, tmp_path / "small", [(0,), (1, 2)])
    longer = seeds(original, tmp_path / "longer", [(0,), ()], recipe__epochs=2)
    found = side_by_side([*small, *longer])
    assert [[each.label for each in members] for _, members in found.groups] == [
        ["small-0", "small-1"],
        ["longer-0", "longer-1"],
    ]
    (compared,) = found.comparisons
    assert compared.interval is not None
    assert compared.difference == pytest.approx(-1 / N)
    ((_, _, lines),) = found.recipe_differences
    assert lines == ("epochs: 1 -> 2",)


def test_seeds_of_one_recipe_are_compared_one_by_one(original: Path, tmp_path: Path) -> None:
    found = side_by_side(seeds(original, tmp_path / "small", [(0,), (1, 2), ()]))
    assert len(found.comparisons) == 3
    assert found.recipe_differences[0][2] == ()


def test_different_test_sets_give_a_bare_difference(original: Path, tmp_path: Path) -> None:
    one = copied(original, tmp_path / "one", answers(N))
    two = copied(original, tmp_path / "two", answers(N, 1), recipe__epochs=2)
    other = copied(original, tmp_path / "other", answers(N, 1, 2, 3), data__test_sha256="0" * 64)
    found = side_by_side([one, two, other])
    assert [(each.first, each.second) for each in found.comparisons] == [("one", "two")]
    assert [(first, second) for first, second, _ in found.untested] == [("one", "other"), ("two", "other")]
    assert [difference for *_, difference in found.untested] == pytest.approx([3 / N, 2 / N])


def test_holm_counts_the_tests_on_all_test_sets(original: Path, tmp_path: Path) -> None:
    moved = {"data__test_sha256": "0" * 64}
    runs = [
        copied(original, tmp_path / "a", answers(N)),
        copied(original, tmp_path / "b", answers(N, *range(8)), recipe__epochs=2),
        copied(original, tmp_path / "c", answers(N), recipe__epochs=3, **moved),
        copied(original, tmp_path / "d", answers(N, *range(7)), recipe__epochs=4, **moved),
    ]
    found = side_by_side(runs).comparisons
    assert [each.p_images for each in found] == pytest.approx([2 / 2**8, 2 / 2**7])
    assert [each.p_images_holm for each in found] == pytest.approx([4 / 2**8, 4 / 2**8])


def test_the_pareto_front(original: Path, tmp_path: Path) -> None:
    def made(name: str, wrong: int, flops: float, **more: object) -> Path:
        right = answers(N, *range(wrong))
        return copied(original, tmp_path / name, right, result__training_flops=flops, **more)

    runs = [
        made("cheap", 9, 1e6),
        made("worse", 10, 2e6),
        made("middle", 5, 2e6),
        made("same-but-dearer", 5, 3e6),
        made("best", 1, 9e6),
        made("elsewhere", 20, 9e6, data__test_sha256="0" * 64),
    ]
    assert side_by_side(runs).front == ("cheap", "middle", "best", "elsewhere")


def test_a_run_named_twice_is_refused(original: Path, tmp_path: Path) -> None:
    one = copied(original, tmp_path / "one", answers(N))
    with pytest.raises(UserError, match="named twice"):
        side_by_side([one, one])
    with pytest.raises(UserError, match="two runs or more"):
        side_by_side([one])


def test_folders_of_the_same_name_are_told_apart(original: Path, tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    (tmp_path / "y").mkdir()
    runs = [copied(original, tmp_path / each / "run", answers(N), seed=i) for i, each in enumerate("xy")]
    assert [each.label for each in side_by_side(runs).runs] == [str(each) for each in runs]
