"""The ways in which a command ends early, and their exit codes."""

import difflib
import errno
from collections.abc import Iterable


class UserError(Exception):
    """Wrong use or wrong input. The message is one printable line that says what to do."""

    exit_code = 2

    def __init__(self, message: str) -> None:
        # Names of files, classes and flags stand in messages, and any of them may be hostile.
        super().__init__(printable(message))


class Diverged(Exception):
    """Training met a value that is not finite and stopped before it reached the weights."""

    exit_code = 1


class Unavailable(Exception):
    """Something outside failed: a host, another process. The message is one line that says how to go on."""

    exit_code = 1

    def __init__(self, message: str) -> None:
        super().__init__(printable(message))


class Stopped(Exception):
    """The user (Ctrl-C) or the system (SIGTERM) asked for an end; the run can be resumed."""

    exit_code = 130


class SaidElsewhere(Exception):
    """Another process of the same run tells the user why it ends; there is nothing to add."""

    def __init__(self, exit_code: int) -> None:
        super().__init__()
        self.exit_code = exit_code


EXPECTED = (UserError, Diverged, Unavailable, Stopped)
"""What has a message for the user."""


def nearest(name: str, names: Iterable[str]) -> str:
    """The end of an error message about a wrong name: the nearest right one, else all of them."""
    known = sorted(names)
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    if close:
        return f"did you mean {close[0]}?"
    return f"there are: {', '.join(known)}" if known else "there are none"


def printable(text: object) -> str:
    """``text`` on one line, without control characters, fit to be shown in a terminal."""
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in str(text))


def first_line(error: BaseException) -> str:
    """What an error of a library says, on one line; its kind where it says nothing."""
    return next(iter(str(error).splitlines()), type(error).__name__)


def from_os_error(error: OSError, doing: str) -> UserError:
    """One line for a failed file operation; ``doing`` says what was tried, as in "write runs/x"."""
    advice = {
        errno.ENOSPC: "the disk is full; free some space and run the command again",
        errno.EDQUOT: "your disk quota is used up; free some space and run the command again",
        errno.EFBIG: "the file would be larger than this system allows",
        errno.EACCES: "permission denied; check who owns it, or choose another place",
        errno.EPERM: "operation not permitted; check who owns it, or choose another place",
        errno.EROFS: "the file system is read-only; choose another place",
        errno.ENOENT: "no such file or folder",
        errno.ENOTDIR: "a part of this path is a file, not a folder",
        errno.EISDIR: "this is a folder, not a file",
    }
    reason = advice.get(error.errno or 0, error.strerror or str(error))
    return UserError(f"could not {printable(doing)}: {reason}")
