"""``cifarlab data audit``: duplicates, doubtful labels and class balance of a data set."""

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import tyro

from cifarlab.cli.parsing import parse
from cifarlab.errors import UserError, printable


@dataclass(frozen=True)
class Options:
    """Find duplicates, doubtful labels and unequal classes, and leave a page and a list for evaluate."""

    data: tyro.conf.Positional[str]
    """digits, cifar10, cifar100, cifar12, or a folder or archive of pictures, one sub-folder per class."""
    out: Path | None = None
    """The audit's folder (default: runs/audit-NAME). The same command goes on with an audit that stopped."""
    image_size: int | None = None
    """Height and width to which pictures of your own are brought (default: 32)."""
    fit: Literal["crop", "stretch"] | None = None
    """How they become square: crop the middle (default), or stretch."""
    folds: int = 3
    """Parts of the training set, each judged by a network trained on the others; 0 leaves the labels out."""
    recipe: str = "cnn-regularized"
    """What these networks are trained by."""
    epochs: int | None = None
    """Of each fold (default: 6, more for small sets)."""
    seed: int = 0
    """Decides the folds and their networks."""
    device: str = "auto"
    """auto, cpu, cuda, cuda:1 or mps."""


def main(arguments: list[str]) -> None:
    """Parse, audit, sum up."""
    options = parse(Options, "data audit", arguments)
    if options.epochs is not None and options.epochs < 1:
        raise UserError(f"epochs must be at least 1, found {options.epochs}")
    from cifarlab.audit import audit
    from cifarlab.data.sources import open_prepared
    from cifarlab.logs import display_for
    from cifarlab.recipes import recipe_named

    recipe = recipe_named(options.recipe).make()
    source = open_prepared(options.data, options.image_size, options.fit)
    folder = options.out or Path("runs") / f"audit-{Path(source.description.name).name}"
    found = audit(
        source,
        folder,
        folds=options.folds,
        recipe=recipe,
        recipe_name=options.recipe,
        epochs=options.epochs,
        seed=options.seed,
        device=options.device,
        command=shlex.join(["cifarlab", "data", "audit", *arguments]),
        say=lambda text: print(text, flush=True),
        display_for=display_for,
    )
    for line in summary(found):
        print(line)
    print(f"list for evaluate --exclude: {printable(folder)}")
    print(f"page: {printable(folder / 'audit.html')}")


def summary(found: dict[str, Any]) -> list[str]:
    """The lines that sum up what ``audit.json`` holds."""
    duplicates = found["duplicates"]
    repeats = duplicates["test_with_train_duplicate"]
    lines = [
        f"{between}: {counts['exact']:,} exact, {counts['mirrored']:,} mirrored, "
        f"{counts['near']:,} near pairs"
        for between, counts in duplicates["counts"].items()
    ]
    lines.append(
        f"test images that repeat a training image: {repeats['images']:,} of "
        f"{found['data']['test_images']:,} ({repeats['share']:.2%}); pairs with different labels: "
        f"{duplicates['with_different_labels']:,}"
    )
    if duplicates["crowded"]:
        lines.append(
            "so many images have a near-duplicate that they may merely be of one kind: look at the page; "
            "only exact and mirrored copies are counted and excluded"
        )
    if found["labels"]:
        counts = {half: len(found["labels"][half]["suspects"]) for half in ("train", "test")}
        lines.append(
            f"doubtful labels (suspects, not errors): {counts['train']:,} training, "
            f"{counts['test']:,} test images"
        )
    balance = found["balance"]["train"]
    ratio = "a class is empty" if balance["ratio"] is None else f"largest to smallest {balance['ratio']:.2f}"
    lines.append(f"classes: {ratio}; always saying the largest is {balance['majority']:.2%} right")
    if balance["unbalanced"]:
        lines.append("the classes differ in size; class weights: --recipe.loss.class-weights balanced")
    return lines
