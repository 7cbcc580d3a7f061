"""Paired tests between the variants of a study: over seeds, and over the test images."""

import itertools
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from cifarlab import run
from cifarlab.checkpoint import decode
from cifarlab.errors import UserError, printable
from cifarlab.files import one_line_errors
from cifarlab.statistics import Discordance, holm, paired_t
from cifarlab.studies.table import Comparison


@dataclass(frozen=True)
class Answers:
    """Which test images a finished run classifies right."""

    folder: Path
    seed: int
    test_sha256: str
    """Of the test set: images, labels and class names."""
    labels: Tensor
    """int64 ``[N]``."""
    right: Tensor
    """bool ``[N]``."""

    @property
    def accuracy(self) -> float:
        """The share of images classified right."""
        return int(self.right.sum()) / len(self.right)


def read_answers(folder: Path) -> Answers:
    """The answers of the run in ``folder``, from its stored logits.

    Raises:
        UserError: no such run, one that diverged or has not finished, or damaged logits.
    """
    description = run.read_description(folder)
    run.read_result(folder)
    path = folder / run.TEST_LOGITS
    with one_line_errors(f"read {path}"):
        content = path.read_bytes()
    tensors, _ = decode(content, path)
    logits, labels = tensors.get("logits"), tensors.get("labels")
    if (
        logits is None
        or labels is None
        or logits.ndim != 2
        or labels.shape != logits.shape[:1]
        or not len(labels)
        or not logits.shape[1]
    ):
        raise UserError(f"{path} is damaged: it does not hold logits and labels of the test images")
    right = logits.argmax(1) == labels
    return Answers(folder, description.seed, description.data.test_sha256, labels, right)


def compare(
    runs_by_label: Sequence[tuple[str, Sequence[Path]]], *, pairs: Literal["all", "first"] = "all"
) -> tuple[Comparison, ...]:
    """All pairs of rows, or all against the first, tested and corrected by Holm across all of them.

    Args:
        runs_by_label: rows by name, each with its runs, one per seed.
        pairs: ``first`` compares every other row with the first one alone.

    Raises:
        UserError: a run that is not finished, two runs of a row with the same seed, or test sets that differ.
    """
    rows = [(label, _by_seed(label, map(read_answers, folders))) for label, folders in runs_by_label]
    chosen = itertools.combinations(rows, 2) if pairs == "all" else ((rows[0], row) for row in rows[1:])
    return corrected([_tested(first, second) for first, second in chosen])


def corrected(comparisons: Sequence[Comparison]) -> tuple[Comparison, ...]:
    """The comparisons of one study, with both kinds of p corrected by Holm for their number."""
    of_images = holm([each.p_images for each in comparisons])
    with_seeds = [place for place, each in enumerate(comparisons) if each.p_seeds is not None]
    of_seeds = dict(zip(with_seeds, holm([comparisons[i].p_seeds or 0.0 for i in with_seeds]), strict=True))
    return tuple(
        replace(each, p_images_holm=of_images[place], p_seeds_holm=of_seeds.get(place))
        for place, each in enumerate(comparisons)
    )


def _by_seed(label: str, answers: Iterator[Answers]) -> dict[int, Answers]:
    found: dict[int, Answers] = {}
    for each in answers:
        if each.seed in found:
            raise UserError(
                f"{printable(label)} has two runs with seed {each.seed}: {found[each.seed].folder} and"
                f" {each.folder}; a pair is made of one run each"
            )
        found[each.seed] = each
    if not found:
        raise UserError(f"{printable(label)} has no finished run to compare")
    return found


def _tested(first: tuple[str, dict[int, Answers]], second: tuple[str, dict[int, Answers]]) -> Comparison:
    """Two rows over their common seeds; without one, the first run of each on the images alone."""
    (name, ours), (other, theirs) = first, second
    require_same_test_set([*ours.values(), *theirs.values()])
    seeds = [seed for seed in ours if seed in theirs]
    accuracies = [[row[seed].accuracy for seed in seeds] for row in (ours, theirs)]
    found = paired_t(*accuracies) if len(seeds) > 1 else None
    interval, p_seeds = (None, None) if found is None else found
    return Comparison(
        first=name,
        second=other,
        difference=_mean(ours, seeds) - _mean(theirs, seeds),
        interval=interval,
        p_seeds=p_seeds,
        p_images=discordance(
            ours[seeds[0] if seeds else next(iter(ours))], theirs[seeds[0] if seeds else next(iter(theirs))]
        ).p,
    )


def _mean(row: dict[int, Answers], seeds: Sequence[int]) -> float:
    """Mean accuracy over ``seeds``, or over all there are."""
    return statistics.fmean(row[seed].accuracy for seed in seeds or row)


def discordance(first: Answers, second: Answers) -> Discordance:
    """On how many images of their common test set one of two runs alone is right."""
    return Discordance(
        only_first=int((first.right & ~second.right).sum()),
        only_second=int((second.right & ~first.right).sum()),
        images=len(first.right),
    )


def same_test_set(first: Answers, second: Answers) -> bool:
    """Whether two runs were judged on the same images with the same labels in the same order."""
    return first.test_sha256 == second.test_sha256 and torch.equal(first.labels, second.labels)


def require_same_test_set(answers: Sequence[Answers]) -> None:
    """Raise a UserError that names two runs with different test sets, if there are any."""
    for each in answers[1:]:
        if not same_test_set(answers[0], each):
            raise UserError(
                f"{answers[0].folder} and {each.folder} were judged on different test images; a paired test"
                " needs the same ones"
            )
