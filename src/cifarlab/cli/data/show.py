"""``cifarlab data show``: the stages of a recipe's augmentation as a picture."""

from dataclasses import dataclass
from pathlib import Path

from cifarlab.cli.parsing import parse_with_recipe, split_off_recipe
from cifarlab.errors import UserError, printable
from cifarlab.files import one_line_errors

SUFFIXES = ("png", "svg", "pdf")
MOST_IMAGES = 32


@dataclass(frozen=True)
class Options:
    """Draw what RECIPE does to training images, stage by stage. Its settings can be changed as for train."""

    data: str | None = None
    """digits, cifar10, cifar100, cifar12, or a folder, tar or zip archive of pictures (default: the
    recipe's)."""
    images: int = 6
    """How many, one of each class as far as they go."""
    seed: int = 0
    """Decides what is drawn."""
    epoch: int = 1
    """Another epoch, another draw."""
    out: Path | None = None
    """A .png, .svg or .pdf file (default: RECIPE-stages.png)."""


def main(arguments: list[str]) -> None:
    """Parse, read the training set, draw, write."""
    name, named, rest = split_off_recipe(arguments, Options, "data show")
    options, recipe = parse_with_recipe(Options, f"data show {name}", named.make(), rest)
    out = options.out or Path(f"{name}-stages.png")
    suffix = out.suffix.removeprefix(".").lower()
    if suffix not in SUFFIXES:
        raise UserError(f"{printable(out)}: a picture ends in .png, .svg or .pdf")
    if not 1 <= options.images <= MOST_IMAGES:
        raise UserError(f"--images {options.images}: show at least 1 and at most {MOST_IMAGES} images")
    if options.epoch < 1:
        raise UserError(f"--epoch {options.epoch}: epochs are counted from 1")
    with one_line_errors(f"look at {out}"):
        is_there = out.exists()
    if is_there:
        raise UserError(f"{printable(out)} exists already; choose another --out")

    from cifarlab.data.holdout import one_of_each_class
    from cifarlab.data.sources import open_prepared
    from cifarlab.files import write_atomic
    from cifarlab.report.stages import stages_of, stages_picture

    source = open_prepared(options.data or named.data, None, None)
    split = source.read_train()
    chosen = one_of_each_class(split.labels, options.images, options.seed)
    stages = stages_of(recipe, split, chosen, options.seed, options.epoch - 1)
    title = f"{name} on {source.description.name}, seed {options.seed}, epoch {options.epoch}"
    write_atomic(out, stages_picture(stages, title, suffix))
    print(f"{len(stages)} stages of {len(chosen)} images: {printable(out)}")
