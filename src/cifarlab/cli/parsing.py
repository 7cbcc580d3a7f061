"""Flags from dataclasses by tyro, with errors on one line."""

import contextlib
import io
import re
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, TypeVar

import tyro

from cifarlab.errors import UserError

if TYPE_CHECKING:
    from cifarlab.recipe import Recipe
    from cifarlab.recipes.named import NamedRecipe

Command = TypeVar("Command")
OWN_CLUSTER = "local"
"""What ``--cluster`` without an address means: a Ray of its own on this machine."""

_CONFIG = (tyro.conf.AvoidSubcommands, tyro.conf.CascadeSubcommandArgs, tyro.conf.FlagCreatePairsOff)


def parse(kind: type[Command], verb: str, arguments: list[str], default: Command | None = None) -> Command:
    """``kind`` (a dataclass) filled from ``arguments``; ``--help`` prints and ends the process.

    Args:
        verb: as in ``cifarlab VERB``, for messages.
        default: values of what is not given.

    Raises:
        UserError: a wrong flag or value, with the nearest right flag.
    """
    complaint = io.StringIO()
    given: dict[str, Any] = {} if default is None else {"default": default}
    try:
        with contextlib.redirect_stderr(complaint):
            command: Command = tyro.cli(
                kind, prog=f"cifarlab {verb}", args=arguments, config=_CONFIG, **given
            )
            return command
    except SystemExit as end:
        if not end.code:
            raise
        raise UserError(_one_line(complaint.getvalue(), verb)) from None


def split_off_recipe(
    arguments: list[str], options: type[Any], verb: str
) -> "tuple[str, NamedRecipe, list[str]]":
    """The recipe's name, its entry, and the arguments without it.

    The name usually stands first, but flags and their values may stand before it. ``--help`` without a
    recipe prints the help of ``options`` and ends the process.

    Raises:
        UserError: there is no such recipe, or none is named.
    """
    if arguments and arguments[0] in ("-h", "--help"):
        parse(options, f"{verb} RECIPE", ["--help"])
    from cifarlab.recipes import RECIPES, recipe_named

    values = {i + 1 for i, word in enumerate(arguments) if word in _flags_with_a_value(options)}
    words = [i for i, word in enumerate(arguments) if not word.startswith("-") and i not in values]
    place = next((i for i in words if arguments[i] in RECIPES), words[0] if words else None)
    if place is None:
        raise UserError(f"{verb} needs a recipe; cifarlab list recipes shows them. To begin: {verb} demo")
    name = arguments[place]
    return name, recipe_named(name), arguments[:place] + arguments[place + 1 :]


def _flags_with_a_value(options: type[Any]) -> set[str]:
    """Those that are followed by a word of their own."""
    names = (
        "from" if each.name == "start_from" else each.name
        for each in fields(options)
        if each.type is not bool
    )
    return {f"--{name.replace('_', '-')}" for name in names}


def parse_with_recipe(
    options: type[Command], verb: str, recipe: "Recipe", arguments: list[str]
) -> "tuple[Command, Recipe]":
    """The options and the recipe with its changed leaves (``--recipe.epochs 12``)."""
    from cifarlab.recipe import Recipe as RecipeConfig

    @dataclass(frozen=True)
    class Both:
        options: Any
        recipe: Any

    # Local names are out of reach of the annotations' evaluation; hand the classes over as they are.
    Both.__annotations__ = {"options": tyro.conf.OmitArgPrefixes[options], "recipe": RecipeConfig}  # type: ignore[misc, valid-type]
    both: Any = parse(Both, verb, arguments, Both(options(), recipe))
    return both.options, both.recipe


def with_whole_flags(arguments: list[str]) -> list[str]:
    """Flags with other than one value brought to one word: ``--vary F V`` to ``--vary F=V``.

    A ``--cluster`` that no address follows gets ``local``: an address is ``auto``, ``local`` or has a colon.
    """
    whole: list[str] = []
    rest = list(arguments)
    while rest:
        word = rest.pop(0)
        whole.append(word)
        if word == "--vary" and rest:
            field = rest.pop(0)
            if "=" not in field:
                if not rest or rest[0].startswith("--"):
                    raise UserError(f"--vary {field} needs values, as in --vary optimizer.lr 0.1,0.05")
                field = f"{field}={rest.pop(0)}"
            whole.append(field)
        elif word == "--cluster" and not (rest and (":" in rest[0] or rest[0] in ("auto", OWN_CLUSTER))):
            whole.append(OWN_CLUSTER)
    return whole


def _one_line(box: str, verb: str) -> str:
    """tyro's first statement, without the box around it, and the flag that it suggests."""
    lines = [line.strip("│ \t") for line in box.splitlines() if line.strip() and line[0] not in "╭╰"]
    paragraphs: list[list[str]] = [[]]
    for line in lines:
        if set(line) <= set("─-"):
            paragraphs.append([])
        else:
            paragraphs[-1].append(line)
    if "╭" not in box:  # without Unicode, tyro's title stands in a paragraph of its own
        paragraphs = paragraphs[1:] or paragraphs
    message = " ".join(paragraphs[0]).rstrip(".") or "These arguments were not understood"
    suggested = re.search(r"meant:\s*(--[\w.-]+)", "\n".join(lines))
    advice = f"did you mean {suggested[1]}?" if suggested else f"see cifarlab {verb} --help"
    return f"{verb}: {message[0].lower()}{message[1:]}; {advice}"
