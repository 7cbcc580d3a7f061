"""Any finished runs beside one another: what they reached, what it cost, and in what they differ."""

import itertools
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cifarlab import run
from cifarlab.config import differences, to_json
from cifarlab.errors import UserError
from cifarlab.statistics import accuracy_interval
from cifarlab.studies.comparisons import Answers, compare, corrected, read_answers, same_test_set
from cifarlab.studies.table import Comparison


@dataclass(frozen=True)
class RunSummary:
    """A finished run in one line."""

    label: str
    """The folder's name, or its path where two have the same name."""
    folder: Path
    description: run.RunDescription
    answers: Answers
    result: dict[str, Any]

    @property
    def correct(self) -> int:
        """Test images classified right."""
        return int(self.answers.right.sum())

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of the accuracy, for the choice of the test images."""
        return accuracy_interval(self.correct, len(self.answers.right))

    def number(self, *path: str) -> float | None:
        """A number of ``result.json``, such as ``number("parameters", "total")``, if it is there."""
        value: Any = self.result
        for name in path:
            value = value.get(name) if isinstance(value, dict) else None
        return value if isinstance(value, int | float) and not isinstance(value, bool) else None


@dataclass(frozen=True)
class SideBySide:
    """Runs compared."""

    runs: tuple[RunSummary, ...]
    groups: tuple[tuple[str, tuple[RunSummary, ...]], ...]
    """Runs that differ in nothing but the seed, by a common label."""
    comparisons: tuple[Comparison, ...]
    """Of all pairs of groups with the same test set."""
    untested: tuple[tuple[str, str, float], ...]
    """Pairs of groups with different test sets: the bare difference of their mean accuracies."""
    front: tuple[str, ...]
    """Labels of the runs that none beats for the same training FLOPs on the same test set."""
    recipe_differences: tuple[tuple[str, str, tuple[str, ...]], ...]
    """Of each further group from the first: both labels, and lines such as ``optimizer.lr: 0.1 -> 0.5``."""


def side_by_side(folders: Sequence[Path]) -> SideBySide:
    """Compare the runs in ``folders``, at least two.

    Raises:
        UserError: fewer than two, one twice, or one that is not finished.
    """
    if len(folders) < 2:
        raise UserError("compare needs two runs or more")
    runs = tuple(_summary(folder, label) for folder, label in zip(folders, _labels(folders), strict=True))
    groups = _groups(runs)
    tested: list[Comparison] = []
    untested = []
    for kind in _by_test_set(groups):
        tested += compare([(label, [each.folder for each in members]) for label, members in kind])
    for (one, ours), (other, theirs) in itertools.combinations(groups, 2):
        if not same_test_set(ours[0].answers, theirs[0].answers):
            untested.append((one, other, _mean(ours) - _mean(theirs)))
    first = groups[0]
    return SideBySide(
        runs=runs,
        groups=groups,
        comparisons=corrected(tested),
        untested=tuple(untested),
        front=tuple(each.label for each in runs if not any(_beats(other, each) for other in runs)),
        recipe_differences=tuple(
            (first[0], label, tuple(_differences(first[1][0], members[0]))) for label, members in groups[1:]
        ),
    )


def _summary(folder: Path, label: str) -> RunSummary:
    return RunSummary(
        label, folder, run.read_description(folder), read_answers(folder), run.read_result(folder)
    )


def _labels(folders: Sequence[Path]) -> list[str]:
    if len({folder.resolve() for folder in folders}) < len(folders):
        raise UserError("the same run is named twice; compare needs different ones")
    names = [folder.resolve().name for folder in folders]
    return names if len(set(names)) == len(names) else [str(folder) for folder in folders]


def _groups(runs: tuple[RunSummary, ...]) -> tuple[tuple[str, tuple[RunSummary, ...]], ...]:
    """Runs that differ in their seeds alone stand together, unless there is nothing else to compare."""
    kinds: dict[str, list[RunSummary]] = {}
    for each in runs:
        made = each.description
        key = repr((made.recipe, made.data, made.protocols, made.initial_weights, made.numerics))
        kinds.setdefault(key, []).append(each)
    alone = tuple((each.label, (each,)) for each in runs)
    if len(kinds) == 1 or any(_repeats_a_seed(members) for members in kinds.values()):
        return alone
    return tuple(
        (
            members[0].label if len(members) == 1 else f"{members[0].label} and {len(members) - 1} more",
            (*members,),
        )
        for members in kinds.values()
    )


def _repeats_a_seed(runs: Sequence[RunSummary]) -> bool:
    return len({each.description.seed for each in runs}) < len(runs)


def _by_test_set(
    groups: Sequence[tuple[str, tuple[RunSummary, ...]]],
) -> list[list[tuple[str, tuple[RunSummary, ...]]]]:
    """The groups that were judged on the same images, together."""
    kinds: list[list[tuple[str, tuple[RunSummary, ...]]]] = []
    for label, members in groups:
        for kind in kinds:
            if same_test_set(kind[0][1][0].answers, members[0].answers):
                kind.append((label, members))
                break
        else:
            kinds.append([(label, members)])
    return kinds


def _mean(runs: Sequence[RunSummary]) -> float:
    return statistics.fmean(each.answers.accuracy for each in runs)


def _beats(one: RunSummary, other: RunSummary) -> bool:
    """Whether ``one`` is better than ``other`` for at most the same training FLOPs, or as good for fewer."""
    cost, limit = one.number("training_flops"), other.number("training_flops")
    if cost is None or limit is None or not same_test_set(one.answers, other.answers):
        return False
    if one.correct == other.correct:
        return cost < limit
    return one.correct > other.correct and cost <= limit


def _differences(one: RunSummary, other: RunSummary) -> list[str]:
    """The leaves in which two descriptions differ; of the data, their name and hashes."""
    first, second = (_comparable(each.description) for each in (one, other))
    return differences(first, second)


def _comparable(made: run.RunDescription) -> dict[str, Any]:
    data = {
        "name": made.data.name,
        "classes": len(made.data.class_names),
        "train_sha256": made.data.train_sha256[:10],
        "test_sha256": made.data.test_sha256[:10],
    }
    first = None if made.initial_weights is None else made.initial_weights.sha256[:10]
    return {**to_json(made.recipe), "data": data, "protocols": made.protocols, "initial_weights": first}
