"""No race of these tests reads data or measures the machine unless it says so."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cifarlab.race.peers.contestant import DATA
from race.fakes import Lane, no_data, no_peaks
from race.peer_samples import write_data


@pytest.fixture
def lane(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lane:
    """A folder for races between workers that only talk."""
    monkeypatch.setattr("cifarlab.race.conduct.open_source", no_data)
    monkeypatch.setattr("cifarlab.race.conduct.machine_peaks", no_peaks)
    return Lane(tmp_path / "lane")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The working directory of a contestant."""
    write_data(tmp_path / DATA)
    monkeypatch.chdir(tmp_path)
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if name.startswith("cifarlab_peer_"):
            del sys.modules[name]
