"""tyro's boxes become one line that says what to do."""

import io
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pytest
import tyro

from cifarlab.cli.parsing import parse
from cifarlab.errors import UserError


@dataclass(frozen=True)
class Round:
    radius: float = 1.0


@dataclass(frozen=True)
class Straight:
    length: int = 2


@dataclass(frozen=True)
class Command:
    """A command."""

    where: tyro.conf.Positional[Path]
    color: Literal["red", "green"] = "red"
    quick: bool = False
    sizes: tuple[int, ...] = ()
    shape: Round | Straight = Straight(7)


def test_arguments_fill_the_dataclass() -> None:
    found = parse(Command, "paint", ["--sizes", "1", "2", "--quick", "--shape.length", "3", "--", "wall"])
    assert found == Command(Path("wall"), quick=True, sizes=(1, 2), shape=Straight(3))


def test_the_default_s_class_of_a_union_decides_the_flags() -> None:
    default = Command(Path("x"), shape=Round(4.0))
    assert parse(Command, "paint", ["y", "--shape.radius", "5"], default).shape == Round(5.0)
    assert parse(Command, "paint", ["y"], default) == Command(Path("y"), shape=Round(4.0))
    with pytest.raises(UserError, match=r"--shape\.length"):
        parse(Command, "paint", ["y", "--shape.length", "5"], default)


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
@pytest.mark.parametrize(
    ("arguments", "start", "advice"),
    [
        ([], "missing ", "see cifarlab paint --help"),
        (["x", "--colour", "red"], "unrecognized options: --colour", "did you mean --color?"),
        (
            ["x", "--color", "blue"],
            "invalid choice 'blue' for argument '--color'",
            "see cifarlab paint --help",
        ),
        (["x", "--sizes", "one"], "error parsing --sizes: ", "see cifarlab paint --help"),
        (["x", "--zzz"], "unrecognized options: --zzz", "see cifarlab paint --help"),
        (["x", "y"], "unrecognized options: y", "see cifarlab paint --help"),
        (["x", "--no-quick"], "unrecognized options: --no-quick", ""),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_errors_are_one_line(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    start: str,
    advice: str,
    encoding: str,
) -> None:
    """In ASCII, tyro draws its boxes in another way."""
    shown = io.TextIOWrapper(io.BytesIO(), encoding=encoding, write_through=True)
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", shown)
        with pytest.raises(UserError) as caught:
            parse(Command, "paint", arguments)
    message = str(caught.value)
    assert message.startswith(f"paint: {start}")
    assert message.endswith(f"; {advice}" if advice else "?")
    assert message.isprintable()
    assert not any(drawn in message for drawn in ("╭", "╮", "╰", "╯", "│", "─", "---"))
    assert shown.buffer.tell() == 0
    assert capsys.readouterr() == ("", "")


def test_help_goes_to_standard_output_and_ends_the_process(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        parse(Command, "paint", ["--help"])
    ended: Any = caught.value.code
    assert not ended
    shown, complaint = capsys.readouterr()
    assert "usage: cifarlab paint" in shown
    assert "--shape.length" in shown
    assert complaint == ""
