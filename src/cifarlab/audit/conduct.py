"""The audit itself: a folder with ``audit.json``, ``exclude.json`` and ``audit.html``, made step by step.

``settings.json`` says what was asked for. Pairs are kept in ``duplicates.json`` and the folds are ordinary
runs in ``folds/``, so an audit that was stopped goes on where it was when the same is asked for again.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cifarlab.audit.duplicates import Duplicates, Thresholds, find_duplicates
from cifarlab.audit.findings import findings
from cifarlab.audit.folds import (
    assign_folds,
    check_folds,
    check_holdouts,
    fold_recipe,
    opinions,
    train_folds,
)
from cifarlab.audit.groups import exclusions, group_of_each, trusted
from cifarlab.audit.page import render
from cifarlab.config import differences, from_json, to_json
from cifarlab.data.split import DataDescription, Source, Split
from cifarlab.errors import Stopped, UserError, printable
from cifarlab.exclusion import ExcludedImage, Exclusions, Partner, write_exclusions
from cifarlab.files import (
    is_leftover,
    one_line_errors,
    read_json,
    remove_leftovers,
    write_atomic,
    write_json,
)
from cifarlab.interrupts import Interrupts
from cifarlab.logs import Display, Silence
from cifarlab.recipe import Recipe
from cifarlab.run import claimed
from cifarlab.runtime import NUMERICS_VERSION, device_named

SETTINGS, PAIRS, FOLDS = "settings.json", "duplicates.json", "folds"
AUDIT, PAGE = "audit.json", "audit.html"
SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Settings:
    """All that decides what an audit finds."""

    data: DataDescription
    folds: int
    seed: int
    recipe_name: str | None
    recipe: Recipe | None
    """As the folds train it; None where the labels are left out."""
    thresholds: Thresholds = Thresholds()
    numerics: int = NUMERICS_VERSION
    schema: int = SCHEMA_VERSION


def silent(epochs: int) -> Display:
    """A display that shows nothing, whatever the number of epochs."""
    del epochs
    return Silence()


def say_nothing(text: str) -> None:
    """Where progress is said if nobody listens."""


def audit(
    source: Source,
    folder: Path,
    *,
    folds: int = 0,
    recipe: Recipe | None = None,
    recipe_name: str = "custom",
    epochs: int | None = None,
    seed: int = 0,
    device: str = "auto",
    command: str = "",
    say: Callable[[str], None] = say_nothing,
    display_for: Callable[[int], Display] = silent,
) -> dict[str, Any]:
    """Look for duplicates, doubtful labels and unequal classes; return what ``audit.json`` holds.

    Args:
        folder: where everything is left; with the same settings an audit there goes on.
        folds: parts of the training set for the labels, each judged by a network trained on the others; 0
            leaves the labels out.
        recipe: what the folds train.
        recipe_name: what the folds' runs call it.
        epochs: of each fold; None for a few, as ``folds.fold_recipe`` says.
        seed: decides the folds and their runs.
        device: where networks are trained and evaluated.
        command: how the audit was started, for the record.
        say: is told, line by line, what goes on.
        display_for: shows the progress of a run, given its number of epochs.

    Raises:
        UserError: wrong input, or ``folder`` holds something else.
        Stopped: SIGINT or SIGTERM; what is done is kept.
    """
    train, test = source.read_train(), source.read_test()
    chosen = None
    if folds:
        if recipe is None:
            raise UserError("name a recipe for the folds, or leave the labels out with --folds 0")
        device_named(device)
        check_folds(train, folds, recipe)
        chosen = fold_recipe(recipe, train.labels, folds, epochs)
    settings = Settings(source.description, folds, seed, recipe_name if chosen else None, chosen)
    _refuse_foreign(folder)
    with claimed(folder):
        _claim(folder, settings)
        try:
            duplicates = _duplicates(folder, train, test, settings.thresholds, say)
            labels = None
            if chosen is not None:
                groups = group_of_each(duplicates.pairs, len(train) + len(test))[: len(train)]
                fold_of = assign_folds(train.labels.tolist(), groups, folds, seed)
                check_holdouts(train.labels, fold_of, chosen, seed)
                say(f"labels: {folds} folds, each judged by a network trained on the others")
                runs = train_folds(
                    source,
                    fold_of,
                    chosen,
                    folder / FOLDS,
                    recipe_name=recipe_name,
                    seed=seed,
                    device=device,
                    display_for=display_for,
                    command=command,
                )
                labels = opinions(runs, fold_of, train, test, chosen.precision, device)
        except Stopped as stop:
            raise Stopped(f"{str(stop).split(' after ')[0]}; give the same command again to go on") from stop
        found = findings(source, train, test, _without_data(to_json(settings)), duplicates, labels, command)
        write_exclusions(folder, _excluded(source, duplicates))
        write_json(folder / AUDIT, found)
        write_atomic(folder / PAGE, render(found, train, test).encode())
    return found


def _without_data(settings: dict[str, Any]) -> dict[str, Any]:
    """Settings without the description of the data, which ``audit.json`` has at its top."""
    return {name: value for name, value in settings.items() if name != "data"}


def _refuse_foreign(folder: Path) -> None:
    """Raise a UserError if there is something at ``folder`` that is no audit."""
    with one_line_errors(f"look into {folder}"):
        if (folder / SETTINGS).is_file():
            return
        if folder.exists() and (not folder.is_dir() or any(_is_foreign(path) for path in folder.iterdir())):
            raise UserError(f"{printable(folder)} exists already and is no audit; choose another --out")


def _is_foreign(path: Path) -> bool:
    return path.name != ".lock" and not is_leftover(path)


def _claim(folder: Path, settings: Settings) -> None:
    """Write ``settings.json``, or see that the one that is there asks for the same."""
    remove_leftovers(folder)
    wanted, path = to_json(settings), folder / SETTINGS
    if not path.is_file():
        write_json(path, wanted)
        return
    changed = differences(read_json(path), wanted)
    if changed:
        shown = "; ".join(changed[:3]) + ("; …" if len(changed) > 3 else "")
        raise UserError(
            f"{printable(folder)} holds an audit of something else ({shown}); choose another --out"
        )


def _duplicates(
    folder: Path, train: Split, test: Split, thresholds: Thresholds, say: Callable[[str], None]
) -> Duplicates:
    """The pairs that are kept in ``folder``, or those found now. What is damaged is found again."""
    path = folder / PAIRS
    if path.is_file():
        try:
            kept: Duplicates = from_json(Duplicates, read_json(path))
        except UserError as error:
            say(f"looking for duplicates again: {error}")
        else:
            if all(0 <= pair.first < pair.second < len(train) + len(test) for pair in kept.pairs):
                return kept
            say(f"looking for duplicates again: {printable(path)} names images that there are not")
    say(f"duplicates: {len(train):,} training and {len(test):,} test images, each with every other")
    with Interrupts() as interrupts:
        found = find_duplicates(train.images, test.images, thresholds, interrupts.check)
    write_json(path, to_json(found))
    return found


def _excluded(source: Source, duplicates: Duplicates) -> Exclusions:
    """The test images that repeat others, with names."""
    description = source.description
    names = source.image_names()
    boundary, images = description.train_images, description.train_images + description.test_images

    def partner(image: int) -> Partner:
        if image < boundary:
            return Partner("train", image, names[0][image])
        return Partner("test", image - boundary, names[1][image - boundary])

    listed = [
        ExcludedImage(
            each.image - boundary, names[1][each.image - boundary], each.kind, partner(each.partner)
        )
        for each in exclusions(trusted(duplicates.pairs, images), boundary, images)
    ]
    return Exclusions(description.name, description.train_sha256, description.test_sha256, tuple(listed))
