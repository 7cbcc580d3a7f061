"""``cifarlab train``: a recipe into a run folder."""

import shlex
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from cifarlab.cli.parsing import parse, parse_with_recipe, split_off_recipe
from cifarlab.errors import printable

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
    """A finished run of the same network whose weights are the first ones; for data with other classes it
    gets a new last layer."""
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

    with joined() as group:
        name, named, rest = split_off_recipe(arguments, Options, "train")
        options, recipe = parse_with_recipe(Options, f"train {name}", named.make(), rest)
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
    from cifarlab.data.sources import lasting_name, open_prepared
    from cifarlab.logs import display_for, tensorboard_writer, write_tensorboard
    from cifarlab.preconditions import check_size
    from cifarlab.report import write_report
    from cifarlab.run import read_metrics, refuse_existing
    from cifarlab.train import train

    out = options.out or Path("runs") / f"{name}-seed{options.seed}"
    if not options.resume:
        group.from_first(lambda: refuse_existing(out))
    if options.tensorboard:
        tensorboard_writer()  # before hours of training, if it is missing
    check_size(recipe, options.image_size or Preparation().size)
    with group.one_after_the_other():
        source = open_prepared(data, options.image_size, options.fit)
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
            data_argument=lasting_name(data),
        )
    if group.is_first:
        page = write_report(out)
        print(_summary(result))
        print(f"report: {printable(page)}")
        if options.tensorboard:
            write_tensorboard(out / "tensorboard", read_metrics(out))


def _summary(result: dict[str, Any]) -> str:
    low, high = result["interval"]
    sizes = {row["images"] for row in result["per_class"]}
    balanced = f", balanced {result['balanced_accuracy']:.2%}" if len(sizes) > 1 else ""
    return (
        f"test accuracy {result['test_accuracy']:.2%} "
        f"(n = {result['test_images']:,}, 95 % interval {low:.2%} to {high:.2%}){balanced}, "
        f"weights of epoch {result['best_epoch']} of {result['last_epoch']}, chosen by {result['select_by']}"
    )
