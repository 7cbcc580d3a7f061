"""Mutated copies of a file: what an accident or an attacker may make of it.

Every mutation is a function of the content and of the seed, so a failure is named by the seed alone.
"""

import contextlib
import random
import resource
import signal
import struct
import time
import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import FrameType

from cifarlab.errors import UserError

EXTREMES = (0, 1, 127, 128, 255, 2**15, 2**16 - 1, 2**31 - 1, 2**31, 2**32 - 1, 2**63 - 1, 2**63, 2**64 - 1)
"""Integers on which lengths and counts overflow, turn negative or ask for all memory."""
BLOCK = 512
"""Bytes; tar's block, of which some mutations swap two."""
SECONDS = 10.0
"""The longest trial."""

Mutation = Callable[[bytearray, random.Random], None]
Trial = Callable[[bytes], bool]
"""Whether a content was loaded (True) or refused by a ``UserError`` (False); anything else raises."""


def mutations(content: bytes, count: int, seed: int) -> Iterator[tuple[str, bytes]]:
    """``count`` mutated copies of a content, each with a name that says what was done to it.

    Three quarters have one mutation, the others two to four.
    """
    for number in range(count):
        draw = random.Random(f"{seed} {number}")
        mutated = bytearray(content)
        chosen = [draw.choice(MUTATIONS) for _ in range(draw.choice((1, 1, 1, draw.randint(2, 4))))]
        for mutation in chosen:
            mutation(mutated, draw)
        yield f"{seed}/{number} {'+'.join(mutation.__name__ for mutation in chosen)}", bytes(mutated)


def flip_bit(content: bytearray, draw: random.Random) -> None:
    if content:
        content[draw.randrange(len(content))] ^= 1 << draw.randrange(8)


def change_bytes(content: bytearray, draw: random.Random) -> None:
    for _ in range(draw.randint(1, 8) if content else 0):
        content[draw.randrange(len(content))] = draw.randrange(256)


def change_near_the_start(content: bytearray, draw: random.Random) -> None:
    """Where headers and counts are."""
    if content:
        content[draw.randrange(min(BLOCK, len(content)))] = draw.randrange(256)


def cut(content: bytearray, draw: random.Random) -> None:
    del content[draw.randrange(len(content) + 1) :]


def remove_slice(content: bytearray, draw: random.Random) -> None:
    start, end = _slice(content, draw)
    del content[start:end]


def duplicate_slice(content: bytearray, draw: random.Random) -> None:
    start, end = _slice(content, draw)
    content[end:end] = content[start:end]


def insert_noise(content: bytearray, draw: random.Random) -> None:
    position = draw.randrange(len(content) + 1)
    content[position:position] = draw.randbytes(draw.choice((1, 2, 4, 16, BLOCK)))


def append_noise(content: bytearray, draw: random.Random) -> None:
    content += draw.randbytes(draw.choice((1, 16, BLOCK, 4 * BLOCK)))


def zero_slice(content: bytearray, draw: random.Random) -> None:
    start, end = _slice(content, draw)
    content[start:end] = bytes(end - start)


def swap_blocks(content: bytearray, draw: random.Random) -> None:
    blocks = len(content) // BLOCK
    if blocks >= 2:
        one, other = (BLOCK * block for block in draw.sample(range(blocks), 2))
        content[one : one + BLOCK], content[other : other + BLOCK] = (
            content[other : other + BLOCK],
            content[one : one + BLOCK],
        )


def write_extreme(content: bytearray, draw: random.Random) -> None:
    """An integer of 1, 2, 4 or 8 bytes, in either order of bytes, where a length may stand."""
    width = draw.choice("BHIQ")
    value = draw.choice(EXTREMES) % 2 ** (8 * struct.calcsize(width))
    packed = struct.pack(draw.choice("<>") + width, value)
    if len(content) >= len(packed):
        position = draw.randrange(len(content) - len(packed) + 1)
        content[position : position + len(packed)] = packed


def _slice(content: bytearray, draw: random.Random) -> tuple[int, int]:
    """Start and end of a piece that is short as often as it is long."""
    length = min(len(content), draw.choice((1, 4, 64, BLOCK, 4 * BLOCK, draw.randint(1, len(content) + 1))))
    start = draw.randrange(len(content) - length + 1)
    return start, start + length


MUTATIONS: tuple[Mutation, ...] = (
    flip_bit,
    change_bytes,
    change_near_the_start,
    cut,
    remove_slice,
    duplicate_slice,
    insert_noise,
    append_noise,
    zero_slice,
    swap_blocks,
    write_extreme,
)


@dataclass(frozen=True)
class Kind:
    """One kind of file that is mutated and opened."""

    name: str
    trial: Trial
    contents: tuple[bytes, ...]
    """Honest contents, all of which the trial loads."""
    wrap: Callable[[bytes], bytes] = bytes
    """What a mutated content is put into before the trial, as a compression, whose sums would find it."""


@dataclass(frozen=True)
class Outcome:
    """What became of the mutations of one kind."""

    loaded: int
    refused: int
    slowest_ms: float
    """Of the process's own time, which does not depend on what else the machine does."""
    memory_growth_mib: float
    """By how much the process's peak of resident memory rose."""


def run_trials(kind: Kind, count: int, seed: int = 0) -> Outcome:
    """Open ``count`` mutated copies, shared out evenly among the kind's contents.

    Raises:
        AssertionError: a trial raised anything but what it may, or an honest content was refused; the
            message names kind and mutation.
    """
    results: list[bool] = []
    slowest = 0.0
    for content in kind.contents:
        assert kind.trial(kind.wrap(content)), f"{kind.name}: an honest content was refused"
    before = _peak_mib()
    for index, content in enumerate(kind.contents):
        share = (count + len(kind.contents) - 1 - index) // len(kind.contents)
        for name, mutated in mutations(content, share, seed + index):
            wrapped = kind.wrap(mutated)
            start = time.process_time()
            try:
                with no_longer_than(SECONDS):
                    results.append(kind.trial(wrapped))
            except (Exception, TookTooLong) as error:
                raise AssertionError(f"{kind.name}, mutation {name}: {error!r}") from error
            slowest = max(slowest, time.process_time() - start)
    return Outcome(sum(results), len(results) - sum(results), 1000 * slowest, _peak_mib() - before)


class TookTooLong(BaseException):
    """No ``Exception``, so that a reader of damaged files cannot take it for damage."""


@contextlib.contextmanager
def no_longer_than(seconds: float) -> Iterator[None]:
    """Stop the block after so much of this process's own time on the processor, on the main thread."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise TookTooLong

    previous = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, previous)


def refused_in_one_line(read: Callable[[], object]) -> bool:
    """Whether ``read`` refused its input, after a check that it did so in one printable line."""
    try:
        read()
    except UserError as error:
        assert str(error) and str(error).isprintable(), repr(str(error))
        return True
    return False


@contextlib.contextmanager
def little_memory(mebibytes: int) -> Iterator[None]:
    """Python's own allocations inside the block, bytes and arrays among them, stay below a limit."""
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < mebibytes * 2**20
    finally:
        tracemalloc.stop()


def _peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
