"""Downloads of the tests: their contents, how long they wait, and what they remember."""

from pathlib import Path

import pytest

from cifarlab.data.fetch import fetch
from cifarlab.data.fetch.loop import Patience, Progress
from cifarlab.errors import Unavailable
from data.bad_server import NAME, BadServer, content_of, facts

SMALL = content_of(20_000)
LARGE = content_of(300_000)
CALM = Patience(deadline=60, enough=1)
"""Deadlines that no test meets."""
HASTY = Patience(deadline=0.1, enough=1)
"""For hosts that are waited for in vain: a machine that is busy for that long does no harm to these tests."""


class Notes(Progress):
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.begun: list[int] = []
        self.counts: list[int] = []
        self.troubles: list[tuple[str, float]] = []

    def begin(self, path: Path, url: str, done: int, size: int) -> None:
        self.begun.append(done)

    def received(self, done: int) -> None:
        self.counts.append(done)

    def say(self, text: str) -> None:
        self.said.append(text)

    def trouble(self, reason: str, pause: float) -> None:
        self.troubles.append((reason, pause))


class Pauses(Progress):
    """Remembers why there was a pause, and how long it was."""

    def __init__(self) -> None:
        self.reasons: list[str] = []
        self.slept: list[float] = []

    def trouble(self, reason: str, pause: float) -> None:
        self.reasons.append(reason)


def fetch_large(
    server: BadServer, folder: Path, notes: Notes | None = None, patience: Patience = CALM
) -> Path:
    """One command's worth of fetching, without pauses."""
    return fetch(facts(LARGE), folder, server.url, notes, patience, sleep=lambda seconds: None)


def fetch_small(url: str, folder: Path, patience: Patience = CALM) -> Pauses:
    """A download that must succeed; the pauses that it took."""
    pauses = Pauses()
    fetch(facts(SMALL), folder, url, pauses, patience, sleep=pauses.slept.append)
    assert (folder / NAME).read_bytes() == SMALL
    return pauses


def complaint(url: str, folder: Path, patience: Patience = CALM) -> str:
    """What is said of a download that must fail and leave nothing under the archive's name."""
    with pytest.raises(Unavailable) as caught:
        fetch_small(url, folder, patience)
    assert not (folder / NAME).exists()
    message = str(caught.value)
    assert message.isprintable() and len(message) < 1000
    assert str(folder / NAME) in message
    return message


def only_the_archive(folder: Path) -> bool:
    """Whether nothing but the right archive, and its lock, lies in the folder."""
    names = {path.name for path in folder.iterdir()}
    return names == {NAME, f".{NAME}.lock"} and (folder / NAME).read_bytes() == LARGE


def nothing_published(folder: Path) -> bool:
    """Whether no file has the archive's name."""
    return not (folder / NAME).exists()
