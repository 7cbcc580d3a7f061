"""One side of a race as the race sees it: a process of its own that is asked for runs.

See ``protocol`` for the conversation. Whatever goes wrong in there ends in one line that says what it was.
"""

import contextlib
import json
import os
import selectors
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import IO, Any, Self

from cifarlab.errors import Unavailable, UserError, from_os_error, printable
from cifarlab.evaluate import never_stop
from cifarlab.race.outcome import Outcome, outcome_from

LOOK_SECONDS = 0.5
"""Between two questions whether the user has asked to stop."""
PARTING_SECONDS = 10.0
"""That a process gets to end by itself."""
LONGEST_ANSWER = 2**20
"""Bytes."""
TAIL = 400
"""Letters of a process's last words that are shown."""


class RunFailed(Exception):
    """The run was made and has no outcome: it diverged, say. It counts, unlike one that was interrupted."""


class RunDied(RunFailed):
    """The process ended in the middle of the run, and nobody had asked it to: out of memory, say."""


class _Died(Unavailable):
    """The process ended by itself."""


STOPPED_BY = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)
"""Signals by which users and systems ask a process to end."""


@dataclass(frozen=True)
class Limits:
    """Seconds after which a process that has not answered counts as hung."""

    start: float
    """To load the data and to warm up."""
    run: float


class Racer:
    """Runs on demand, in one process for all of them or in a new one each time.

    Args:
        name: what messages call it.
        command: what starts the process.
        stays: whether one process makes all runs.
        limits: when to give up waiting.
        check_stop: asked while waiting; raises Stopped.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        stays: bool,
        limits: Limits,
        check_stop: Callable[[], None] = never_stop,
    ) -> None:
        self.name = name
        self._command = list(command)
        self._stays = stays
        self._limits = limits
        self._check_stop = check_stop
        self._process: _Process | None = None
        self.facts: dict[str, Any] = {}
        """What the process has said of itself when it was ready."""

    def start(self) -> None:
        """Have a process that is ready to run; one that is there already is fine.

        Raises:
            Unavailable: it cannot be had.
            UserError: it has found its input wrong.
        """
        if self._process is None:
            self._process = _Process(self.name, self._command, self._check_stop)
            ready = self._process.answer("was ready", self._limits.start)
            if ready.pop("ready", None) is not True:
                raise self._process.nonsense("was to say that it is ready", json.dumps(ready))
            self.facts = ready

    def run(self, seed: int) -> Outcome:
        """One run.

        Raises:
            RunFailed: the run has no outcome.
            RunDied: nor will it have one, for the process died of it.
            Unavailable: the process could not be had, was stopped, printed something else, or took longer
                than its limit.
            UserError: it has found its input wrong.
        """
        self.start()
        process = self._process
        assert process is not None
        process.ask({"seed": seed})
        try:
            value = process.answer("gave an outcome", self._limits.run)
        except _Died as death:
            self._check_stop()  # whoever stops the race may have stopped all that it has started
            raise RunDied(str(death)) from death
        if value.get("seed") != seed:
            raise process.nonsense(f"was to answer for seed {seed}", json.dumps(value))
        if "failed" in value:
            raise RunFailed(printable(value["failed"]))
        try:
            outcome = outcome_from(value)
        except ValueError as error:
            raise process.nonsense("was to give an outcome", f"{json.dumps(value)} ({error})") from error
        self.rest()
        return outcome

    def rest(self) -> None:
        """The other side's turn: on a CPU the process ends."""
        if not self._stays:
            self.close()

    def close(self) -> None:
        """End the process, and whatever it has started."""
        if self._process is not None:
            self._process.end()
            self._process = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None and error is not None:
            self._process.kill()  # it may be in the middle of an hour's run
        self.close()


class _Process:
    """A worker's process, its standard error in a file without a name."""

    def __init__(self, name: str, command: list[str], check_stop: Callable[[], None]) -> None:
        self._name = name
        self._check_stop = check_stop
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - open as long as the process
        self._unread = b""
        # In a session of its own, Ctrl-C reaches the race alone, which then ends its workers in good order.
        try:
            self._child = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._errors,
                bufsize=0,
                start_new_session=True,
            )
        except OSError as error:
            self._errors.close()
            raise from_os_error(error, f"start {name}") from error

    def ask(self, value: dict[str, Any]) -> None:
        """Send one line."""
        assert self._child.stdin is not None
        with contextlib.suppress(OSError):  # a process that has gone is noticed when it does not answer
            self._child.stdin.write(json.dumps(value).encode() + b"\n")

    def answer(self, expected: str, limit: float) -> dict[str, Any]:
        """The next line, which must be an object of JSON; ``expected`` ends "before it …"."""
        line = self._line(expected, limit)
        try:
            value = json.loads(line)
        except (ValueError, RecursionError):
            value = None
        if not isinstance(value, dict):
            raise self.nonsense("was to print one object of JSON", line.decode(errors="replace"))
        return value

    def nonsense(self, duty: str, said: str) -> Unavailable:
        """The error for an answer that is none."""
        return Unavailable(f"{self._name} {duty} and printed {printable(said[:TAIL])!r}{self._last_words()}")

    def _line(self, expected: str, limit: float) -> bytes:
        assert self._child.stdout is not None
        deadline = time.monotonic() + limit
        with selectors.DefaultSelector() as selector:
            selector.register(self._child.stdout, selectors.EVENT_READ)
            while b"\n" not in self._unread:
                self._check_stop()
                if time.monotonic() > deadline:
                    raise Unavailable(
                        f"{self._name} has not answered for {limit:,.0f} s and was ended{self._last_words()}"
                    )
                if selector.select(LOOK_SECONDS):
                    piece = os.read(self._child.stdout.fileno(), 2**16)
                    if not piece:
                        raise self._death(expected)
                    self._unread += piece
                if len(self._unread) > LONGEST_ANSWER:
                    raise self.nonsense("was to print one short line", self._unread.decode(errors="replace"))
        line, _, self._unread = self._unread.partition(b"\n")
        return line

    def _death(self, expected: str) -> Exception:
        try:
            code = self._child.wait(PARTING_SECONDS)
        except subprocess.TimeoutExpired:
            return Unavailable(f"{self._name} closed its output before it {expected}{self._last_words()}")
        said = self._tail()
        if code == UserError.exit_code and said.startswith("cifarlab: "):
            return UserError(said.removeprefix("cifarlab: "))
        end = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
        was_stopped = any(code in (-number, 128 + number) for number in STOPPED_BY)
        kind = Unavailable if was_stopped else _Died
        return kind(f"{self._name} {end} before it {expected}{self._last_words()}")

    def _last_words(self) -> str:
        said = self._tail()
        return f"; the last that it said: {said}" if said else ""

    def _tail(self) -> str:
        """The last line on standard error that is not empty."""
        file = self._errors.fileno()
        # pread leaves the place where it is: the process shares it, and may go on writing there.
        content = os.pread(file, 2**14, max(0, os.fstat(file).st_size - 2**14))
        lines = content.decode(errors="replace").splitlines()
        last = next((line.strip() for line in reversed(lines) if line.strip()), "")
        return printable(last)[:TAIL]

    def end(self) -> None:
        """Close its input, wait a little, then end it and all that it has started."""
        for stream in (self._child.stdin, self._child.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._child.wait(PARTING_SECONDS)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._child.pid, signal.SIGKILL)
        self._child.wait()
        self._errors.close()

    def kill(self) -> None:
        """Do not wait for its run."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._child.pid, signal.SIGTERM)
