"""``cifarlab train``: a recipe into a run folder."""

import shlex
from collections.abc import Container
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from cifarlab.cli.parsing import parse
from cifarlab.errors import UserError, printable

if TYPE_CHECKING:
    from cifarlab.distributed import Group
    from cifarlab.recipe import Recipe


@dataclass(frozen=True)
class Options:
    """Train RECIPE into a run folder. A recipe's own settings: cifarlab train RECIPE --help."""

    data: str | None = None
    """digits, cifar10, cifar100, cifar12, or a folder, tar or zip archive of pictures with one sub-folder per
    class (default: the recipe's)."""
    image_size: int | None = None
    """Height and width to which pictures of your own are brought (default: 32)."""
    fit: Literal["crop", "stretch"] | None = None
    """How they become square: crop the middle (default), or stretch."""
    out: Path | None = None
    """The run folder (default: runs/RECIPE-seedN)."""
    resume: bool = False
    """Go on with the run in --out; start it if it is not there."""
    start_from: Annotated[Path | None, tyro.conf.arg(name="from")] = None
    """A finished run of the same network whose weights are the first ones; for data with other classes it gets
    a new last layer."""
    freeze: bool = False
    """Of the network given by --from train the last layer alone."""
    seed: int = 0
    """Decides hold-out, first weights, order, augmentation and dropout."""
    protocols: Literal["C", "B,C", "A"] = "C"
    """C: validation chooses the epoch, the test set is opened once. B,C: the test set is also watched. A: as
    the report did it."""
    device: str = "auto"
    """auto, cpu, cuda, cuda:1 or mps."""
    processes: int = 1
    """So many processes on this machine share every batch. For several machines use torchrun."""
    batch_statistics: Literal["process", "all"] = "process"
    """What BatchNorm sees in training: a process's own part of the batch, or all of it (on CUDA only)."""
    tensorboard: bool = False
    """Also write the curves for TensorBoard, into RUN/tensorboard."""


def main(arguments: list[str]) -> None:
    """Parse, train, report."""
    if arguments and arguments[0] in ("-h", "--help"):
        parse(Options, "train RECIPE", ["--help"])
    from cifarlab.launch import is_one_of_several, joined, start
    from cifarlab.recipes import RECIPES, recipe_named

    with joined() as group:
        place = _place_of_recipe(arguments, RECIPES)
        if place is None:
            raise UserError(f"train needs a recipe; there are: {', '.join(RECIPES)}")
        name, rest = arguments[place], arguments[:place] + arguments[place + 1 :]
        named = recipe_named(name)
        options, recipe = _parse(name, named.make(), rest)
        if options.processes != 1 and not is_one_of_several():
            start(options.processes, ["train", *arguments])
            return
        command = shlex.join(["cifarlab", "train", *arguments])
        train_and_report(name, recipe, options.data or named.data, options, group, command)


def train_and_report(
    name: str, recipe: "Recipe", data: str, options: Options, group: "Group", command: str
) -> None:
    """Train, write the report, and print where everything is."""
    from cifarlab.data.pictures import Preparation
    from cifarlab.data.sources import NAMES, open_prepared
    from cifarlab.job import check_size
    from cifarlab.logs import display_for, write_tensorboard
    from cifarlab.report import write_report
    from cifarlab.run import read_metrics, refuse_existing
    from cifarlab.train import train

    out = options.out or Path("runs") / f"{name}-seed{options.seed}"
    if not options.resume:
        group.from_first(lambda: refuse_existing(out))
    check_size(recipe, options.image_size or Preparation().size)
    with group.one_after_the_other():
        source = open_prepared(data, options.image_size, options.fit)
    known = {name for name, _ in NAMES}
    with display_for(recipe.epochs, group) as display:
        result = train(
            recipe,
            source,
            out,
            recipe_name=name,
            seed=options.seed,
            protocols=options.protocols,
            resume=options.resume,
            start_from=options.start_from,
            freeze=options.freeze,
            device=options.device,
            group=replace(group, batch_statistics=options.batch_statistics),
            display=display,
            command=command,
            data_argument=data if data in known else str(Path(data).resolve()),
        )
    if group.is_first:
        if options.tensorboard:
            write_tensorboard(out / "tensorboard", read_metrics(out))
        page = write_report(out)
        print(_summary(result))
        print(f"report: {printable(page)}")


def _place_of_recipe(arguments: list[str], recipes: Container[str]) -> int | None:
    """Where the recipe's name stands: usually first, but flags and their values may stand before it."""
    values = {i + 1 for i, word in enumerate(arguments) if word in _flags_with_a_value()}
    words = [i for i, word in enumerate(arguments) if not word.startswith("-") and i not in values]
    return next((i for i in words if arguments[i] in recipes), words[0] if words else None)


def _flags_with_a_value() -> set[str]:
    """Those of ``Options`` that are followed by a word of their own."""
    names = (
        "from" if each.name == "start_from" else each.name
        for each in fields(Options)
        if each.type is not bool
    )
    return {f"--{name.replace('_', '-')}" for name in names}


def _parse(name: str, recipe: "Recipe", arguments: list[str]) -> tuple[Options, "Recipe"]:
    """The options and the recipe with its changed leaves."""
    from cifarlab.recipe import Recipe as RecipeConfig

    @dataclass(frozen=True)
    class Command:
        options: tyro.conf.OmitArgPrefixes[Options]
        recipe: RecipeConfig

    # Local names are out of reach of the annotations' evaluation; hand the classes over as they are.
    Command.__annotations__ = {"options": tyro.conf.OmitArgPrefixes[Options], "recipe": RecipeConfig}
    command: Any = parse(Command, f"train {name}", arguments, Command(Options(), recipe))
    return command.options, command.recipe


def _summary(result: dict[str, Any]) -> str:
    low, high = result["interval"]
    sizes = {row["images"] for row in result["per_class"]}
    balanced = f", balanced {result['balanced_accuracy']:.2%}" if len(sizes) > 1 else ""
    return (
        f"test accuracy {result['test_accuracy']:.2%} "
        f"(n = {result['test_images']:,}, 95 % interval {low:.2%} to {high:.2%}){balanced}, "
        f"weights of epoch {result['best_epoch']} of {result['last_epoch']}, chosen by {result['select_by']}"
    )
