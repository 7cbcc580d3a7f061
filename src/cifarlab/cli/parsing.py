"""Flags from dataclasses by tyro, with errors on one line."""

import contextlib
import io
import re
from typing import Any, TypeVar

import tyro

from cifarlab.errors import UserError

Command = TypeVar("Command")

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
