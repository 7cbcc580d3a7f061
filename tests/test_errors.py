"""What the messages are made of."""

import errno

import pytest

from cifarlab.errors import UserError, from_os_error, nearest, printable


@pytest.mark.parametrize(
    "letter", ["\n", "\r", "\t", "\0", "\x1b", "\x7f", "\x9b", "\u2028", "\u202e", "\ud800"]
)
def test_control_characters_and_the_like_are_replaced(letter: str) -> None:
    assert printable(f"a{letter}b") == "a\N{REPLACEMENT CHARACTER}b"


def test_everything_else_stays() -> None:
    assert printable("Zoë × 漢字 🐸 [bold] <b>") == "Zoë × 漢字 🐸 [bold] <b>"
    assert printable(("a", 1)) == "('a', 1)"


def test_the_nearest_name_is_proposed() -> None:
    assert nearest("optimiser", ["epochs", "optimizer"]) == "did you mean optimizer?"


def test_without_a_near_name_all_are_shown_in_order() -> None:
    assert nearest("zzz", {"b", "a"}) == "there are: a, b"
    assert nearest("zzz", []) == "there are none"


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, "the disk is full"),
        (errno.EDQUOT, "quota"),
        (errno.EFBIG, "larger than this system allows"),
        (errno.EACCES, "permission denied"),
        (errno.EPERM, "not permitted"),
        (errno.EROFS, "read-only"),
        (errno.ENOENT, "no such file or folder"),
        (errno.ENOTDIR, "is a file, not a folder"),
        (errno.EISDIR, "a folder, not a file"),
        (errno.EIO, "Input/output error"),
    ],
)
def test_an_os_error_becomes_one_line(number: int, words: str) -> None:
    error = from_os_error(OSError(number, "Input/output error"), "write runs/\x1bx")
    assert isinstance(error, UserError)
    assert str(error).startswith("could not write runs/\N{REPLACEMENT CHARACTER}x: ")
    assert words in str(error)
    assert str(error).isprintable()


def test_an_os_error_without_a_number_says_what_it_says() -> None:
    assert str(from_os_error(OSError("odd"), "read x")) == "could not read x: odd"
    assert str(from_os_error(OSError("odd\n\x1b"), "read x")).isprintable()


def test_every_user_error_is_one_printable_line() -> None:
    """Names of files, classes and flags stand in messages, and any of them may be hostile."""
    assert str(UserError("no \x1b[31mrun\n here")) == "no \ufffd[31mrun\ufffd here"
