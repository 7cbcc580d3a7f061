"""The claims of a report about differences between its rows, judged on ours."""

import statistics
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from cifarlab.studies.estimates import estimate
from cifarlab.studies.items.item import Contrast, Item, Term
from cifarlab.studies.published import number
from cifarlab.studies.quantities import best_within, class_accuracy, machine_of, quantity_of
from cifarlab.studies.table import Claim, Estimate, Published
from cifarlab.studies.verdicts import (
    judge_at_least,
    judge_below,
    judge_direction,
    judge_equivalence,
    judge_exact_share,
    judge_number,
    judge_readings,
)

Runs = Mapping[str, Mapping[int, Path]]
"""For every row's label its finished runs by seed."""


def judge_claims(
    item: Item, runs: Runs, seeds: Sequence[int], *, comparable: str, device: str = "auto"
) -> tuple[Claim, ...]:
    """One claim per contrast of ``item``; ``comparable`` says why ours are not made as theirs, if so."""
    return tuple(_judged(contrast, item, runs, seeds, comparable, device) for contrast in item.contrasts)


def _judged(
    contrast: Contrast, item: Item, runs: Runs, seeds: Sequence[int], comparable: str, device: str
) -> Claim:
    ours = _difference(contrast, item, runs, seeds, device)
    readings = tuple(number(item.report, key) for key in contrast.numbers)
    published: Published | None = readings[0] if readings else None
    if not comparable and _differ_in_machine(contrast, runs):
        comparable = "times of runs on different machines"
    if contrast.first.quantity == "parameters" and published is not None and ours is not None:
        verdict, reason = judge_exact_share(published, ours.mean)
    elif contrast.kind == "no difference":
        verdict, reason = judge_equivalence(ours, comparable)
    elif contrast.kind == "at least":
        verdict, reason = judge_at_least(ours, comparable)
    elif contrast.kind == "less than" and published is not None:
        verdict, reason = judge_below(published, ours, comparable)
    elif len(readings) > 1:
        verdict, reason, met = judge_readings(readings, ours, comparable=comparable)
        published = readings[met] if met is not None else published
    elif readings:
        verdict, reason = judge_number(published, ours, comparable=comparable)
    else:
        verdict, reason = judge_direction(ours, comparable=comparable)
    return Claim(
        text=contrast.text,
        where=contrast.where,
        measured=_in_words(contrast),
        ours=ours,
        published=published,
        verdict=verdict,
        reason=reason,
    )


def _difference(
    contrast: Contrast, item: Item, runs: Runs, seeds: Sequence[int], device: str
) -> Estimate | None:
    """One value per seed for which all runs are there."""
    values = []
    for seed in seeds:
        first = _term(contrast.first, item, runs, seed, device)
        second = 0.0 if contrast.second is None else _term(contrast.second, item, runs, seed, device)
        if first is None or second is None:
            continue
        values.append(1 - first / second if contrast.kind == "saving" else first - second)
    return estimate(values) if values else None


def _differ_in_machine(contrast: Contrast, runs: Runs) -> bool:
    """Whether a contrast of times takes runs from machines, or numbers of threads, that differ."""
    if "seconds" not in contrast.first.quantity or contrast.second is None:
        return False
    labels = {*contrast.first.labels, *contrast.second.labels}
    folders = [folder for label in labels for folder in runs.get(label, {}).values()]
    return len({machine_of(folder) for folder in folders}) > 1


def _term(term: Term, item: Item, runs: Runs, seed: int, device: str) -> float | None:
    values = []
    for label in term.labels:
        folder = runs.get(label, {}).get(seed)
        value = None if folder is None else _value(term, item, folder, device)
        if value is None:
            return None
        values.append(value)
    return statistics.fmean(values)


def _value(term: Term, item: Item, folder: Path, device: str) -> float | None:
    if term.class_names:
        return class_accuracy(folder, term.class_names)
    if term.within < 1:
        return best_within(folder, term.quantity, term.within)
    measure = partial(quantity_of, folder, device=device, logged_train_accuracy=item.logged_train_accuracy)
    value = measure(term.quantity)
    less = 0.0 if term.minus is None else measure(term.minus)
    return None if value is None or less is None else value - less


def _in_words(contrast: Contrast) -> str:
    first = _term_in_words(contrast.first)
    if contrast.second is None:
        return first
    second = _term_in_words(contrast.second)
    if contrast.kind == "saving":
        return f"1 − {first} / {second}"
    return f"{first} minus {second}"


def _term_in_words(term: Term) -> str:
    what = term.quantity.replace("_", " ")
    if term.minus is not None:
        what = f"({what} minus {term.minus.replace('_', ' ')})"
    if term.class_names:
        what += f" of {' and '.join(term.class_names)}"
    if term.within < 1:
        what += f" in the first {100 * term.within:.0f} % of the run"
    rows = term.labels[0] if len(term.labels) == 1 else f"{len(term.labels)} rows ({term.labels[0]}, …)"
    return f"{what} of {rows}"
